import type { Contents, Measurement } from '../source.ts';
import { dumpPath } from './capture.ts';
import { dumpReader } from './dump-reader.ts';
import { settledParts } from './dump-settled.ts';
import type { DumpEntry, DumpHeader } from './dump-toc.ts';
import { comparedKinds } from './expectations.ts';

/** A dump's table of contents. */
export interface Toc {
  readonly header: DumpHeader;
  readonly entries: readonly DumpEntry[];
}

/** Differences that are named; further ones are counted. */
const named = 5;

/** Those of other versions are listed in other ways. */
const alsoCompared = ['TABLE ATTACH', 'INDEX ATTACH', 'SEQUENCE OWNED BY', 'PUBLICATION TABLE'];

/** The table of contents of a restore point's dump. No more of it is read. */
export async function recordedToc(contents: Contents): Promise<Toc | undefined> {
  let toc: Toc | undefined;
  const nothing = { add() {}, close() {} };
  const reader = dumpReader({
    toc: (header, entries) => {
      toc = { header, entries };
    },
    table: () => nothing,
    largeObject: () => nothing,
  });
  for await (const bytes of contents.read(dumpPath)) {
    reader.push(bytes);
    if (toc !== undefined) break;
  }
  return toc;
}

/**
 * Holds every definition of a copy, with its owner, against the restore point's own dump. Where another major version of server or
 * pg_dump writes it, which spells definitions in its own way, only what is there counts.
 */
export function compareDefinitions(recorded: Toc, found: Toc): Measurement['integrity'][number] {
  const isSame = majorsOf(recorded.header) === majorsOf(found.header);
  const kinds = new Set([...comparedKinds, ...(isSame ? alsoCompared : [])]);
  const [want, have] = [byName(recorded.entries, kinds), byName(found.entries, kinds)];
  const differences: string[] = [];
  for (const [key, wanted] of want) {
    const there = have.get(key);
    have.delete(key);
    const why = there === undefined ? 'is missing' : differenceOf(wanted, there, isSame);
    if (why !== undefined) differences.push(`${showObject(wanted[0]!)} ${why}`);
  }
  for (const [extra] of have.values()) differences.push(`${showObject(extra!)} was not recorded`);
  const more = differences.length > named ? `; and ${differences.length - named} more` : '';
  const spelled = isSame
    ? 'as recorded'
    : `there, by name alone: the backup was written by PostgreSQL ${majorsOf(recorded.header)}, the copy by ${majorsOf(found.header)}`;
  const detail = differences.length === 0 ? `${want.size} ${spelled}` : differences.slice(0, named).join('; ') + more;
  return { name: 'definitions', ok: differences.length === 0, looked: want.size, detail };
}

/** `15 with pg_dump 15` */
function majorsOf({ serverVersion, toolVersion }: DumpHeader): string {
  const [server, tool] = [serverVersion, toolVersion].map((text) => /\d+/.exec(text)?.[0]);
  return `${server} with pg_dump ${tool}`;
}

function byName(entries: readonly DumpEntry[], kinds: ReadonlySet<string>): Map<string, DumpEntry[]> {
  const found = new Map<string, DumpEntry[]>();
  for (const entry of entries) {
    // The database's own rights and comment are under its name, and a drill's copy may have another.
    if (!kinds.has(entry.kind) || entry.tag.startsWith('DATABASE ')) continue;
    const key = JSON.stringify([entry.kind, entry.namespace, entry.tag]);
    const same = found.get(key);
    if (same === undefined) found.set(key, [entry]);
    else same.push(entry);
  }
  return found;
}

function differenceOf(wanted: readonly DumpEntry[], there: readonly DumpEntry[], isSame: boolean): string | undefined {
  const owners = (entries: readonly DumpEntry[]) => entries.map(({ owner }) => owner).sort();
  // The schema public is its server's.
  const isPublic = wanted[0]?.kind === 'SCHEMA' && wanted[0].tag === 'public';
  if (!isPublic && JSON.stringify(owners(wanted)) !== JSON.stringify(owners(there))) return 'belongs to another role';
  if (!isSame) return undefined;
  const [was, is] = [wanted, there].map((entries) => entries.flatMap(settledParts));
  const lacking = without(was!, is!);
  const others = [...lacking, ...without(is!, was!)];
  if (others.length === 0) return undefined;
  const names = [...new Set(others.map((part) => part.name))].filter((name) => name !== '').slice(0, named);
  return names.length === 0 ? 'has another definition' : `has another definition (${names.map(shown).join(', ')})`;
}

/** The parts of `all` that are not among `others`, each as often as it is too many. */
function without(all: ReturnType<typeof settledParts>, others: ReturnType<typeof settledParts>) {
  const left = new Map<string, number>();
  for (const { text } of others) left.set(text, (left.get(text) ?? 0) + 1);
  return all.filter(({ text }) => {
    const count = left.get(text) ?? 0;
    if (count > 0) left.set(text, count - 1);
    return count === 0;
  });
}

function showObject({ kind, namespace, tag }: DumpEntry): string {
  return `${kind.toLowerCase()} ${shown(namespace === '' ? tag : `${namespace}.${tag}`)}`;
}

/** Names in a dump are bytes. */
function shown(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}
