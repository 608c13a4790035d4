import { hash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { Measurement } from '../source.ts';

/** A table, index, view or trigger, and a hash of its SQL. */
const definition = z.tuple([z.string(), z.string(), z.string()]);
export type Definition = z.infer<typeof definition>;

/** More are not remembered by name; the checksum of `sqlite_schema` covers all. */
const most = 10_000;
/** Differences that are named; further ones are counted. */
const named = 5;

export function definitionsOf(database: DatabaseSync): Definition[] {
  const statement = database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name LIMIT ?');
  return statement
    .all(most)
    .map(({ type, name, sql }) => [String(type), String(name), hash('sha256', String(sql ?? '')).slice(0, 16)]);
}

/** Names what the checksum of `sqlite_schema` only counts. Nothing where the capture did not record them. */
export function compareDefinitions(
  found: readonly Definition[],
  facts: Readonly<Record<string, unknown>>,
): Measurement['integrity'] {
  const recorded = z.array(definition).safeParse(facts.definitions).data;
  if (recorded === undefined) return [];
  const have = new Map(found.map(([type, name, print]) => [`${type} ${name}`, print]));
  const differences: string[] = [];
  for (const [type, name, print] of recorded) {
    const key = `${type} ${name}`;
    const there = have.get(key);
    have.delete(key);
    if (there === undefined) differences.push(`${key} is missing`);
    else if (there !== print) differences.push(`${key} has another definition`);
  }
  if (recorded.length < most) differences.push(...[...have.keys()].map((key) => `${key} was not recorded`));
  const more = differences.length > named ? `; and ${differences.length - named} more` : '';
  const detail = differences.length === 0 ? 'as recorded' : differences.slice(0, named).join('; ') + more;
  return [{ name: 'definitions', ok: differences.length === 0, looked: recorded.length, detail }];
}
