import { z } from 'zod';
import { configSchema } from './schema.ts';

/** Where editors find the schema from a clone. */
export const schemaFile = 'schema/lifeboat.schema.json';

/** The JSON Schema of `lifeboat.yaml`, as it is checked in: generated, never edited. */
export function jsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' });
  return `${JSON.stringify(schema, null, 2)}\n`;
}
