import { createHash } from 'node:crypto';
import type { Expectations, TableExpectation } from '../../core/expectations.ts';
import { withinRoom } from '../../core/sample.ts';
import { rowChecksum, textChecksum } from '../row-checksum.ts';
import { columnChecksum } from './column-checksum.ts';
import { type Connection, quoteName, showTable } from './connection.ts';
import { DumpBroken, type DumpReader, dumpReader } from './dump-reader.ts';
import { columnsOf, type DumpEntry, type DumpHeader } from './dump-toc.ts';
import { startRowSample } from './row-sample.ts';

/** A checksum per table over COPY's text of its rows (`row-checksum.ts`), taken from the dump itself as it passes by. */
const algorithm = 'postgres-rowtext-1';

/** A table, partition or foreign table as the catalog lists it. */
export interface Relation {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** `r` table or partition, `p` partitioned table, `f` foreign table. */
  readonly kind: 'r' | 'p' | 'f';
  /** Made by an extension, which brings its rows itself unless it marked them as the user's. */
  readonly ofExtension: boolean;
  /** Inherits columns, not as a partition: a restore may give them another order. */
  readonly inherits: boolean;
  readonly unlogged: boolean;
  /** A query on it makes the planner run what its indexes or statistics call, as whoever asks. */
  readonly evaluates: boolean;
  /** A column whose text is short, and made by PostgreSQL itself. */
  readonly shortColumn: string | null;
  /** Columns of its primary key, or of an index as good, as pg_dump spells them. */
  readonly key: readonly string[] | null;
}

export async function listRelations(connection: Connection): Promise<Relation[]> {
  return connection.query<Relation>(`
    SELECT c.oid::text, nspname AS schema, relname AS name, relkind AS kind,
      EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') AS "ofExtension",
      EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
        WHERE i.inhrelid = c.oid AND p.relkind <> 'p') AS inherits,
      relpersistence = 'u' AS unlogged,
      EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND (indexprs IS NOT NULL OR indpred IS NOT NULL))
        OR EXISTS (SELECT FROM pg_statistic_ext s WHERE stxrelid = c.oid AND to_jsonb(s)->>'stxexprs' IS NOT NULL) AS evaluates,
      (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        AND atttypid < 16384 ORDER BY attlen < 0, attlen, attnum LIMIT 1) AS "shortColumn",
      (SELECT array_to_json(array_agg(quote_ident(attname) ORDER BY k.at)) FROM (
          SELECT indkey FROM pg_index JOIN pg_class x ON x.oid = indexrelid
          WHERE indrelid = c.oid AND indisunique AND indpred IS NULL AND indexprs IS NULL
          ORDER BY indisprimary DESC, x.relname LIMIT 1) i,
        unnest(string_to_array(i.indkey::text, ' ')::int[]) WITH ORDINALITY AS k (number, at)
        JOIN pg_attribute ON attrelid = c.oid AND attnum = k.number) AS key
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'f') AND relpersistence <> 't' AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    ORDER BY 2, 3`);
}

/**
 * Counts the rows of every table, in the session's snapshot. Reads the table itself: an index that lacks rows must not lead the
 * count astray, and a plain scan runs beside the dump's own, which has the pages in memory. Where a query would run functions
 * that others wrote, rows are copied out and counted, as pg_dump does: COPY plans nothing.
 */
export async function countRows(
  connection: Connection,
  relations: readonly Relation[],
  onCounted: (done: number) => void,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const plain = ['enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan'].map(
    (name) => `SET LOCAL ${name} = off`,
  );
  await connection.query([...plain, 'SET LOCAL max_parallel_workers_per_gather = 0'].join(';'));
  const tables = relations.filter(({ kind, ofExtension }) => kind === 'r' && !ofExtension);
  const queried = tables.filter(({ evaluates }) => !evaluates);
  // Many small tables: one round trip for a batch of them.
  const batchSize = 50;
  for (let at = 0; at < queried.length; at += batchSize) {
    const batch = queried.slice(at, at + batchSize);
    const selects = batch.map(
      (table) => `SELECT '${table.oid}' AS oid, count(*)::text AS rows FROM ONLY ${nameOf(table)}`,
    );
    const counted = await lettingGo(connection, () =>
      connection.query<{ oid: string; rows: string }>(selects.join(' UNION ALL ')),
    );
    for (const { oid, rows } of counted) counts.set(oid, Number(rows));
    onCounted(counts.size);
  }
  for (const table of tables.filter(({ evaluates }) => evaluates)) {
    const column = table.shortColumn === null ? '' : `(${quoteName(table.shortColumn)})`;
    const copied = () => connection.countCopied(`COPY ${nameOf(table)} ${column} TO STDOUT`);
    counts.set(table.oid, await lettingGo(connection, copied));
    onCounted(counts.size);
  }
  return counts;
}

/** A query holds every index of its tables until its transaction ends: of thousands of tables the server has no room for that. */
async function lettingGo<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  await connection.query('SAVEPOINT counting');
  const result = await work();
  await connection.query('ROLLBACK TO counting; RELEASE counting');
  return result;
}

function nameOf({ schema, name }: Relation): string {
  return `${quoteName(schema)}.${quoteName(name)}`;
}

/** What a dump holds, read from it as it passes by. */
export interface DumpContents {
  readonly reader: DumpReader;
  readonly entries: readonly DumpEntry[];
  /** Undefined until it was read. */
  readonly header: DumpHeader | undefined;
  /** By the table's number in the source's catalog. */
  readonly tables: ReadonlyMap<string, Pick<TableExpectation, 'rows' | 'checksum' | 'sample'>>;
  /** Sequences, materialised views, large objects, and which schema objects there are. */
  others(): TableExpectation[];
}

export function readDump(relations: readonly Relation[]): DumpContents {
  const inheriting = new Set(relations.filter(({ inherits }) => inherits).map(({ oid }) => oid));
  const keys = new Map(relations.map(({ oid, key }) => [oid, (key ?? []).map(spelled)]));
  let entries: readonly DumpEntry[] = [];
  let header: DumpHeader | undefined;
  const tables = new Map<string, Pick<TableExpectation, 'rows' | 'checksum' | 'sample'>>();
  const largeObjects: string[] = [];
  let largeObjectCount = 0;
  const reader = dumpReader({
    toc: (first, all) => {
      [header, entries] = [first, all];
    },
    table: (entry) => {
      const columns = columnsOf(entry.copy);
      // Inherited columns come back in another order, and nothing else of such a table is compared in an order.
      const isOrdered = !inheriting.has(entry.oid);
      const rows = isOrdered ? rowChecksum(columns) : columnChecksum(columns);
      const sample = isOrdered ? startRowSample(columns, keys.get(entry.oid) ?? [], decode) : undefined;
      return {
        add(bytes, view, start, end) {
          rows.add(bytes, view, start, end);
          sample?.add(bytes, start, end);
        },
        close() {
          if (!rows.whole) throw new DumpBroken(`the rows of ${entry.tag} end too soon`);
          const sampled = rows.rows > 0 && sample?.sample();
          tables.set(entry.oid, { rows: rows.rows, checksum: rows.checksum(), ...(sampled && { sample: sampled }) });
          if (++untrimmed === 1000) trim();
        },
      };
    },
    largeObject: (oid) => {
      const hash = createHash('sha256');
      return {
        add: (bytes, _view, start, end) => void hash.update(bytes.subarray(start, end)),
        close() {
          largeObjectCount++;
          largeObjects.push(`${oid} ${hash.digest('base64')}`);
          // Millions of them must not fill the memory.
          if (largeObjects.length === 4096) foldLargeObjects();
        },
      };
    },
  });
  const folded: string[] = [];
  // Thousands of tables must not fill the memory either.
  let untrimmed = 0;
  const trim = () => {
    untrimmed = 0;
    const names = [...tables.keys()];
    for (const [at, kept] of withinRoom([...tables.values()]).entries()) tables.set(names[at]!, kept);
  };
  const foldLargeObjects = () => folded.push(textChecksum(largeObjects.splice(0)));

  return {
    reader,
    get entries() {
      return entries;
    },
    get header() {
      return header;
    },
    tables,
    others() {
      foldLargeObjects();
      return [
        ...entries.flatMap(derivedExpectation),
        { table: 'large objects', rows: largeObjectCount, checksum: sumOf(folded) },
        ...schemaExpectations(entries),
      ];
    },
  };
}

/** Adds checksums up, lane by lane. */
function sumOf(checksums: readonly string[]): string {
  let [a, b] = [0, 0];
  for (const checksum of checksums) {
    a = (a + Number.parseInt(checksum.slice(0, 8), 16)) >>> 0;
    b = (b + Number.parseInt(checksum.slice(8), 16)) >>> 0;
  }
  return a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0');
}

/**
 * A sequence has a value and no rows. Of a materialised view only whether it was filled can be demanded: a restore computes it
 * anew, from today's definition of its query, while the source's may be older than the tables it was made from.
 */
function derivedExpectation(entry: DumpEntry): TableExpectation[] {
  const name = showTable(decode(entry.namespace), decode(entry.tag));
  if (entry.kind === 'SEQUENCE SET') {
    const value = /, (-?\d+), (true|false)\);\s*$/.exec(entry.definition);
    return [
      { table: `sequence ${name}`, rows: 1, checksum: `${value?.[1]} ${value?.[2] === 'true' ? 'used' : 'next'}` },
    ];
  }
  if (entry.kind === 'MATERIALIZED VIEW DATA') {
    return [{ table: `materialized view ${name}`, rows: 1, checksum: 'filled' }];
  }
  return [];
}

export const schemaPrefix = 'schema: ';

/** Kinds that every PostgreSQL version lists in the same way. */
export const comparedKinds = [
  ...['SCHEMA', 'EXTENSION', 'TYPE', 'DOMAIN', 'FUNCTION', 'PROCEDURE', 'AGGREGATE', 'OPERATOR', 'OPERATOR CLASS'],
  ...['OPERATOR FAMILY', 'COLLATION', 'CONVERSION', 'CAST', 'TEXT SEARCH CONFIGURATION', 'TEXT SEARCH DICTIONARY'],
  ...['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'SEQUENCE', 'DEFAULT', 'INDEX', 'CONSTRAINT'],
  ...['CHECK CONSTRAINT', 'FK CONSTRAINT', 'TRIGGER', 'EVENT TRIGGER', 'RULE', 'POLICY', 'ROW SECURITY', 'STATISTICS'],
  ...['SERVER', 'USER MAPPING', 'PUBLICATION', 'COMMENT', 'DEFAULT ACL', 'ACL'],
];

/** Which objects there are, and whose: one line per kind. Their definitions are spelled differently by other versions. */
function schemaExpectations(entries: readonly DumpEntry[]): TableExpectation[] {
  const names = new Map<string, string[]>();
  for (const { kind, namespace, tag, owner } of entries) {
    // The database's own rights and comment are under its name, and a drill's copy has another.
    if (!comparedKinds.includes(kind) || tag.startsWith('DATABASE ')) continue;
    const list = names.get(kind) ?? [];
    list.push(JSON.stringify([namespace, tag, tag === 'public' ? '' : owner]));
    names.set(kind, list);
  }
  return [...names]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, list]) => ({ table: schemaPrefix + kind, rows: list.length, checksum: textChecksum(list) }));
}

/** As names in the dump are read: byte by byte. Where the database's encoding is another, it is not found among them. */
function spelled(name: string): string {
  return Buffer.from(name, 'utf8').toString('latin1');
}

/** Names in the dump are bytes. Only for people: what is not UTF-8 stays as it is. */
function decode(name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(name, 'latin1'));
  } catch {
    return name;
  }
}

/** Joins what the catalog lists and what the dump holds. `excluded`: number of a table → why its rows are left out. */
export function expectationsOf(
  relations: readonly Relation[],
  contents: DumpContents,
  excluded: ReadonlyMap<string, string>,
  checksums: boolean,
): Expectations {
  const tables = relations.flatMap((relation): TableExpectation[] => {
    const table = showTable(relation.schema, relation.name);
    const reason = excluded.get(relation.oid);
    if (reason !== undefined && relation.kind === 'r')
      return [{ table, rows: 0, reason: `its rows are excluded: ${reason}` }];
    const found = contents.tables.get(relation.oid);
    if (found === undefined) return [];
    if (!checksums) return [{ table, rows: found.rows, reason: 'only rows are counted, as configured' }];
    return [{ table, ...found }];
  });
  return { algorithm, tables: [...withinRoom(tables), ...contents.others()] };
}
