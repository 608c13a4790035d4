import { jsonSchema } from '../config/json-schema.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';

export const configSchemaCommand = defineCommand({
  description: 'Editors use it to complete and check lifeboat.yaml while you write.',
  options: {},
  async run({ out }) {
    const text = jsonSchema();
    out.answer(JSON.parse(text) as object, () => text);
    return exitCodes.ok;
  },
});
