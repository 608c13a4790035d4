import { mayRunCode, statementsIn } from './dump-code.ts';
import type { DumpEntry } from './dump-toc.ts';

/** Who makes what of a dump, where a superuser restores what it does not trust. */
export interface Parts {
  /** By the superuser, into the empty database. */
  readonly first: ReadonlySet<number>;
  /** By the loader, from the definitions. */
  readonly loaded: ReadonlySet<number>;
  /** By the loader, when no row or view is filled any more: the loader owns all tables, and sees all rows until then. */
  readonly rowSecurity: ReadonlySet<number>;
  /** By the superuser, when everything has its owner. */
  readonly rights: ReadonlySet<number>;
  /** By the superuser, last: from then on they run at what the superuser does. */
  readonly eventTriggers: ReadonlySet<number>;
  /** What only a superuser could make, and is not known to run no code: for people. */
  readonly beyond: readonly DumpEntry[];
}

type Part = Exclude<keyof Parts, 'beyond'>;

export function partsOf(entries: readonly DumpEntry[]): Parts {
  const parts: Record<Part, Set<number>> = {
    ...{ first: new Set(), loaded: new Set(), rowSecurity: new Set(), rights: new Set(), eventTriggers: new Set() },
  };
  const beyond: DumpEntry[] = [];
  const tables = new Set(entries.filter(({ kind }) => !kind.endsWith(' DATA')).map(nameOf));
  for (const entry of entries) {
    // Rows of an extension's own table, which is not the loader's: some make the server do things.
    const isForeign = entry.kind === 'TABLE DATA' && !tables.has(nameOf(entry));
    const part = isForeign ? undefined : partOf(entry);
    if (part === undefined) beyond.push(entry);
    else parts[part].add(entry.dumpId);
  }
  // What is said of a thing comes after it.
  for (const entry of entries) {
    if (!/^(COMMENT|SECURITY LABEL)$/.test(entry.kind) || !entry.dependsOn.some((id) => parts.rights.has(id))) continue;
    parts.loaded.delete(entry.dumpId);
    if (mayRunCode(entry)) beyond.push(entry);
    else parts.rights.add(entry.dumpId);
  }
  return { ...parts, beyond };
}

function nameOf({ namespace, tag }: DumpEntry): string {
  return `${namespace}.${tag}`;
}

const ofSuperusers =
  /^(PROCEDURAL LANGUAGE|FOREIGN DATA WRAPPER|OPERATOR CLASS|OPERATOR FAMILY|ACCESS METHOD|TEXT SEARCH (TEMPLATE|PARSER)|TRANSFORM|SHELL TYPE|SUBSCRIPTION( .*)?)$/;
const commentOfSuperusers =
  /^(EXTENSION|EVENT TRIGGER|PUBLICATION|(PROCEDURAL )?LANGUAGE|FOREIGN DATA WRAPPER|ACCESS METHOD|OPERATOR CLASS|OPERATOR FAMILY) /;

function partOf(entry: DumpEntry): Part | undefined {
  const { kind, tag, definition } = entry;
  // A superuser makes these: what could run anything is not among them.
  const safely = (part: Part) => (mayRunCode(entry) ? undefined : part);
  if (kind === 'SCHEMA' || kind === 'EXTENSION') return safely('first');
  if (/^(ACL|DEFAULT ACL|PUBLICATION( .*)?)$/.test(kind)) return safely('rights');
  if (kind === 'EVENT TRIGGER') return isEventTrigger(definition) ? 'eventTriggers' : undefined;
  if (kind === 'COMMENT' && commentOfSuperusers.test(tag))
    return safely(tag.startsWith('EVENT TRIGGER ') ? 'eventTriggers' : 'rights');
  if (ofSuperusers.test(kind)) return undefined;
  // Often a superuser's, and nothing that is loaded calls them.
  if (kind === 'FUNCTION' && statementsIn(definition)?.every((one) => /\) RETURNS event_trigger /.test(one)))
    return safely('rights');
  const ofMasters = /\bLEAKPROOF\b|\bLANGUAGE (c|internal|q|\w+u)\b/i;
  if (/^(FUNCTION|PROCEDURE)$/.test(kind) && ofMasters.test(statementsIn(definition)?.join(' ') ?? 'LEAKPROOF'))
    return undefined;
  return kind === 'ROW SECURITY' ? 'rowSecurity' : 'loaded';
}

const name = String.raw`[\w$.]+`;
const eventTrigger = new RegExp(
  `^(CREATE EVENT TRIGGER ${name} ON (?!login )${name} (WHEN TAG IN \\([q, ]+\\) )?EXECUTE (FUNCTION|PROCEDURE) ${name}\\(\\)|ALTER EVENT TRIGGER ${name} (DISABLE|ENABLE( ALWAYS| REPLICA)?))$`,
);

function isEventTrigger(definition: string): boolean {
  const statements = statementsIn(definition);
  return statements?.every((statement) => eventTrigger.test(statement)) === true;
}

/**
 * What runs while a dump is loaded may change all that was loaded before, so it must all be one owner's: else one role's code
 * would reach what is another's. @returns the owners, in the dump's encoding
 */
export function ownersIn(entries: readonly DumpEntry[], { loaded, first }: Parts): string[] {
  const owned = entries.filter(
    ({ dumpId, kind, tag }) => (loaded.has(dumpId) || first.has(dumpId)) && !(kind === 'SCHEMA' && tag === 'public'),
  );
  return [...new Set(owned.map(({ owner }) => owner).filter((owner) => owner !== ''))];
}
