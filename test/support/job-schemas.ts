import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { jobs } from '../../src/jobs/registry.ts';

export const schemaFolder = resolve(import.meta.dirname, '../../schema/jobs');

/** What `schema/jobs` holds, by file: what each job is asked and what it answers. */
export async function jobSchemas(): Promise<Map<string, string>> {
  const files = await Promise.all(
    Object.entries(jobs).map(async ([name, load]): Promise<[string, string]> => {
      const { request, document } = await load();
      const schema = {
        $schema: 'http://json-schema.org/draft-07/schema#',
        title: name,
        definitions: { request: definition(request, 'input'), document: definition(document, 'output') },
      };
      return [`${name}.json`, `${JSON.stringify(schema, undefined, 2)}\n`];
    }),
  );
  return new Map(files);
}

function definition(shape: z.ZodType, io: 'input' | 'output') {
  const { $schema: _, ...rest } = z.toJSONSchema(shape, {
    io,
    target: 'draft-7',
    // What is told as it is differs by kind and version: any value.
    unrepresentable: 'any',
    // Of our types; to a reader of the schema they say nothing.
    override({ jsonSchema }) {
      delete jsonSchema.readOnly;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return rest;
}

if (import.meta.main) {
  const files = await jobSchemas();
  await mkdir(schemaFolder, { recursive: true });
  for (const old of await readdir(schemaFolder)) if (!files.has(old)) await rm(join(schemaFolder, old));
  for (const [name, text] of files) await writeFile(join(schemaFolder, name), text);
}
