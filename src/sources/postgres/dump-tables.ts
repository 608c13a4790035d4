import { showTable } from './connection.ts';
import type { DumpEntry } from './dump-toc.ts';
import { tableUnknown } from './errors.ts';

export interface ChosenTable {
  /** Its rows in the dump. */
  readonly data: DumpEntry;
  /** Its definition. */
  readonly tableId: number;
}

/**
 * The tables that `only` names, as `table` (in public) or `schema.table`, each part in quotes where its name needs them. A
 * partitioned table stands for all its partitions. Names are in the dump's encoding. @throws `postgres-table-unknown`
 */
export function chooseTables(entries: readonly DumpEntry[], only: readonly string[], database: string): ChosenTable[] {
  const definitions = new Map<string, DumpEntry>();
  const rows = new Map<string, DumpEntry>();
  // A table's number → its partitions', from the statements that attach these.
  const partitions = new Map<number, number[]>();
  const byId = new Map(entries.map((entry) => [entry.dumpId, entry]));
  for (const entry of entries) {
    if (entry.kind === 'TABLE') definitions.set(key(entry.namespace, entry.tag), entry);
    if (entry.kind === 'TABLE DATA') rows.set(key(entry.namespace, entry.tag), entry);
    if (entry.kind === 'TABLE ATTACH') {
      const child = entry.dependsOn.find(
        (id) => byId.get(id)?.tag === entry.tag && byId.get(id)?.namespace === entry.namespace,
      );
      const parent = entry.dependsOn.find((id) => id !== child && byId.get(id)?.kind === 'TABLE');
      if (child !== undefined && parent !== undefined)
        partitions.set(parent, [...(partitions.get(parent) ?? []), child]);
    }
  }

  const chosen = new Map<number, ChosenTable>();
  const add = (table: DumpEntry) => {
    const data = rows.get(key(table.namespace, table.tag));
    if (data !== undefined) chosen.set(table.dumpId, { data, tableId: table.dumpId });
    let any = data !== undefined;
    for (const id of partitions.get(table.dumpId) ?? []) any = add(byId.get(id) as DumpEntry) || any;
    return any;
  };
  const unknown = only.filter((name) => {
    const table = definitions.get(keyOf(name));
    return table === undefined || !add(table);
  });
  if (unknown.length > 0) throw tableUnknown({ tables: unknown.join(', '), database });
  return [...chosen.values()].sort((a, b) => entries.indexOf(a.data) - entries.indexOf(b.data));
}

/** What a database needs to hold just these tables' rows. */
export function entriesForTables(entries: readonly DumpEntry[], chosen: readonly ChosenTable[]): ReadonlySet<number> {
  const withRows = new Set(chosen.map(({ data }) => data.dumpId));
  const filled = new Set(chosen.map(({ tableId }) => tableId));
  const names = new Set(chosen.map(({ data }) => key(data.namespace, data.tag)));
  const byId = new Map(entries.map((entry) => [entry.dumpId, entry]));
  const pointsOut = ({ dependsOn }: DumpEntry) =>
    dependsOn.some((id) => byId.get(id)?.kind === 'TABLE' && !filled.has(id));
  const wanted = entries.filter((entry) => {
    if (entry.kind === 'TABLE DATA') return withRows.has(entry.dumpId);
    // Views are there, but computed from tables without rows they would prove nothing; and nothing may act on its own.
    if (/^(MATERIALIZED VIEW DATA|BLOBS?( METADATA)?|EVENT TRIGGER|PUBLICATION.*|SUBSCRIPTION.*)$/.test(entry.kind))
      return false;
    if (/^(LARGE OBJECTS?|EVENT TRIGGER|PUBLICATION|SUBSCRIPTION) /.test(entry.tag)) return false;
    if (entry.kind === 'FK CONSTRAINT' && names.has(key(entry.namespace, tableOfConstraint(entry))))
      return !pointsOut(entry);
    return true;
  });
  return new Set(wanted.map(({ dumpId }) => dumpId));
}

/** The tag of a constraint is the table's name, a space, and its own. */
function tableOfConstraint({ tag, definition }: DumpEntry): string {
  const constraint = /ADD CONSTRAINT ("(?:[^"]|"")*"|\S+) /.exec(definition)?.[1] ?? '';
  const name = constraint.startsWith('"') ? constraint.slice(1, -1).replaceAll('""', '"') : constraint;
  return tag.slice(0, -(name.length + 1));
}

export interface SequenceValue {
  /** In the dump's encoding, one byte a character, as everywhere here. */
  readonly schema: string;
  readonly name: string;
  readonly last: string;
  readonly used: boolean;
}

/** Where each sequence stood. */
export function sequenceValues(entries: readonly DumpEntry[]): SequenceValue[] {
  return entries.flatMap(({ kind, namespace, tag, definition }) => {
    const value = kind === 'SEQUENCE SET' ? /, (-?\d+), (true|false)\);\s*$/.exec(definition) : null;
    return value === null
      ? []
      : [{ schema: namespace, name: tag, last: value[1] as string, used: value[2] === 'true' }];
  });
}

function key(namespace: string, name: string): string {
  return showTable(namespace, name);
}

/** `orders`, `public.orders`, `"odd schema"."odd ""name"""` → the key of that table. */
function keyOf(name: string): string {
  const parts = name.match(/"(?:[^"]|"")*"|[^".]+/g) ?? [];
  const plain = parts.map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part));
  const [first = '', second] = plain;
  return second === undefined ? key('public', first) : key(first, second);
}
