import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { commonOptions, flagName } from '../../src/cli/options.ts';
import { schemaFile } from '../../src/config/json-schema.ts';
import { loadSystem } from '../../src/config/load.ts';
import { temporaryFolder } from '../support/temp.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

test('docs/command-line.md names every command and every flag', async () => {
  const text = read('docs/command-line.md');
  const missing: string[] = [];
  for (const name of Object.keys(commonOptions)) if (!text.includes(flagName(name))) missing.push(flagName(name));
  for (const { name, load } of commands) {
    const line = text.split('\n').find((candidate) => candidate.startsWith('|') && candidate.includes(`\`${name}`));
    if (line === undefined) missing.push(name);
    const flags = Object.keys((await load()).options).map(flagName);
    // A command may have lines of its own for its ways of use.
    const lines = text.split('\n').filter((candidate) => candidate.includes(`\`${name}`));
    missing.push(...flags.filter((flag) => !lines.some((one) => one.includes(flag))).map((flag) => `${name} ${flag}`));
  }
  expect(missing).toEqual([]);
});

test('docs/configuration.md names every key', () => {
  const text = read('docs/configuration.md');
  const keys = new Set<string>();
  const visit = (schema: unknown) => {
    if (schema === null || typeof schema !== 'object') return;
    if ('properties' in schema && schema.properties !== null && typeof schema.properties === 'object') {
      for (const key of Object.keys(schema.properties)) keys.add(key);
    }
    for (const value of Object.values(schema)) visit(value);
  };
  visit(JSON.parse(read(schemaFile)));
  expect(keys.size).toBeGreaterThan(40);
  expect([...keys].filter((key) => !new RegExp(`[\`.{ ]${key}[\`.:, ]`).test(text))).toEqual([]);
});

test('the example in docs/configuration.md is valid', async () => {
  const example = /```yaml\n(.*?)```/s.exec(read('docs/configuration.md'))?.[1] ?? '';
  const file = join(await temporaryFolder(), 'lifeboat.yaml');
  writeFileSync(file, example);
  expect(loadSystem(file, {}).drill.checks).toHaveLength(3);
});
