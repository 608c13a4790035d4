import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Measurement } from '../source.ts';
import { showName } from './names.ts';
import type { Objects } from './objects.ts';

export const definitionFacts = z.array(z.object({ what: z.string(), hash: z.string() }));

/** How one thing of a database is made, as a hash. */
export type Definition = z.infer<typeof definitionFacts>[number];

/** Differences that are named; further ones are counted. */
const named = 5;

/** Of everything in a database. `counters`: with the next number of tables that count by themselves, which goes up without a change of the table. */
export function definitionsOf(objects: Objects, { counters = true } = {}): Definition[] {
  const { tables, sequences, elsewhere, routines, views, triggers, events } = objects;
  const ofTables = tables.map(({ name, create }) => ({
    ...{ kind: 'table', name, settings: '' },
    create: counters ? create : create.replace(/ AUTO_INCREMENT=\d+/, ''),
  }));
  const ofSequences = sequences.map(({ name, create }) => ({ kind: 'sequence', name, settings: '', create }));
  return [...ofTables, ...ofSequences, ...elsewhere, ...routines, ...views, ...triggers, ...events].map(
    ({ kind, name, create, settings }) => ({
      what: `${kind} ${showName(name)}`,
      hash: createHash('sha256').update(`${settings}\n${create}`).digest('hex'),
    }),
  );
}

/** `10.11` */
export function seriesOf(version: string): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? version;
}

interface Defined {
  readonly definitions: readonly Definition[];
  /** Of the server that shows them. */
  readonly version: string;
}

/** Holds every definition of a copy against the recorded one. Another series of MariaDB writes them in its own way: there it only counts what is there. */
export function compareDefinitions(
  recorded: Defined,
  found: Defined,
  left: ReadonlySet<string>,
): Measurement['integrity'][number] {
  const [was, is] = [recorded, found].map(({ version }) => seriesOf(version));
  const isSame = was === is;
  const there = new Map(found.definitions.map(({ what, hash }) => [what, hash]));
  const differences: string[] = [];
  for (const { what, hash } of recorded.definitions) {
    const have = there.get(what);
    there.delete(what);
    if (left.has(what)) continue;
    if (have === undefined) differences.push(`${what} is missing`);
    else if (isSame && have !== hash) differences.push(`${what} has another definition`);
  }
  for (const what of there.keys()) differences.push(`${what} was not recorded`);
  const more = differences.length > named ? `; and ${differences.length - named} more` : '';
  const spelled = isSame ? 'as recorded' : `there, by name alone: the backup is of MariaDB ${was}, the copy of ${is}`;
  const looked = recorded.definitions.length;
  const detail = differences.length === 0 ? `${looked} ${spelled}` : differences.slice(0, named).join('; ') + more;
  return { name: 'definitions', ok: differences.length === 0, looked, detail };
}
