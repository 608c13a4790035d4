import type { LeftOut } from '../../core/left-out.ts';
import type { Problem } from '../../core/run.ts';
import { type Connection, quoteName, showTable } from './connection.ts';
import type { Relation } from './expectations.ts';
import { type DatabaseFacts, excludedReason } from './facts.ts';
import type { PostgresOptions } from './postgres.ts';

type Rule = Pick<LeftOut, 'rule' | 'by' | 'reason'>;

const onStandby: Rule = {
  rule: 'unlogged tables',
  by: 'always',
  reason: 'it is unlogged, and a standby has no rows of such tables',
};
const foreign: Rule = { rule: 'foreign tables', by: 'always', reason: 'their rows live on another server' };

export interface Excluded {
  /** Number of a table → why. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Number of a table → which rule takes it. */
  readonly rules: ReadonlyMap<string, Rule>;
  /** Also those that take nothing. */
  readonly all: readonly Rule[];
  /** For pg_dump: each names exactly one table. */
  readonly patterns: readonly string[];
  readonly problems: readonly Problem[];
}

/** Finds the excluded tables, with their partitions. Only rows are left out: the table itself comes back, empty. */
export async function excludedRelations(
  connection: Connection,
  relations: readonly Relation[],
  exclude: PostgresOptions['exclude'],
  fromStandby: boolean,
): Promise<Excluded> {
  const rules = new Map<string, Rule>();
  const all: Rule[] = [];
  const problems: Problem[] = [];
  for (const { table, reason } of exclude) {
    const rule = { rule: table, by: 'exclude', reason } as const;
    all.push(rule);
    const parts = await connection.query<{ oid: string }>(
      `SELECT coalesce(relid::oid, top)::text AS oid FROM (SELECT to_regclass($1)::oid AS top) t
       LEFT JOIN LATERAL pg_partition_tree(top) ON true WHERE top IS NOT NULL`,
      [qualified(table)],
    );
    if (parts.length === 0) {
      const message = `The excluded table ${table} does not exist: nothing was left out for it.`;
      problems.push({ code: 'excluded-table-missing', message });
    }
    for (const { oid } of parts) rules.set(oid, rule);
  }
  const unlogged = fromStandby ? relations.filter(({ oid, unlogged }) => unlogged && !rules.has(oid)) : [];
  for (const { oid } of unlogged) rules.set(oid, onStandby);
  if (unlogged.length > 0) {
    all.push(onStandby);
    const tables = unlogged.map(({ schema, name }) => showTable(schema, name)).join(', ');
    problems.push({
      code: 'unlogged-on-standby',
      message: `A standby has no rows of unlogged tables: ${tables} come back empty.`,
    });
  }
  const chosen = relations.filter(({ oid }) => rules.has(oid));
  problems.push(...(await referencedExcluded(connection, [...rules.keys()])));
  const reasons = new Map([...rules].map(([oid, { reason }]) => [oid, reason]));
  // In quotes a pattern's special characters stand for themselves.
  const patterns = chosen.map(({ schema, name }) => `${quoteName(schema)}.${quoteName(name)}`);
  return { reasons, rules, all, problems, patterns };
}

/** Rows that refer to rows which are left out: a restore cannot demand of them what the source does. */
async function referencedExcluded(connection: Connection, excluded: readonly string[]): Promise<Problem[]> {
  const keys = await connection.query<{ from: string; to: string; name: string }>(
    `SELECT conrelid::regclass::text AS from, confrelid::regclass::text AS to, conname AS name FROM pg_constraint
     WHERE contype = 'f' AND conparentid = 0 AND confrelid = ANY($1::oid[]) AND conrelid <> ALL($1::oid[]) ORDER BY 1, 2, 3`,
    [excluded],
  );
  return keys.map(({ from, to, name }) => {
    const message = `${from} refers to rows of the excluded ${to}: a restore brings its key ${name} back as NOT VALID.`;
    return { code: 'excluded-table-referenced', message };
  });
}

/** The session's search path is empty of user schemas: a bare name means `public`. */
function qualified(table: string): string {
  return /^(?:"(?:[^"]|"")*"|[^".]+)$/.test(table) ? `public.${table}` : table;
}

export function notComparedOf(
  relations: readonly Relation[],
  excluded: ReadonlyMap<string, string>,
): DatabaseFacts['notCompared'] {
  return relations.flatMap(({ oid, schema, name, kind, ofExtension }) => {
    const table = showTable(schema, name);
    if (excluded.has(oid)) return [{ table, reason: `${excludedReason}${excluded.get(oid)}` }];
    if (kind === 'f') return [{ table, reason: 'a foreign table: its rows live on another server' }];
    if (ofExtension) return [{ table, reason: 'it belongs to an extension' }];
    return [];
  });
}

/** What each rule leaves out, as the server's statistics have it: counting it would cost what leaving it out saves. */
export async function leftOutOf(
  connection: Connection,
  relations: readonly Relation[],
  { rules, all }: Excluded,
): Promise<LeftOut[]> {
  const left = relations.filter(({ oid, kind }) => kind === 'r' && rules.has(oid)).map(({ oid }) => oid);
  const found = await connection.query<{ oid: string; bytes: string | null; rows: string | null }>(
    // As the planner does: with the pages that it has now. A table that nobody has looked at yet has only the count of what was written.
    `SELECT oid::text, pg_table_size(oid)::text AS bytes, round(CASE
         WHEN size = 0 THEN 0
         WHEN relpages > 0 THEN reltuples::float8 / relpages * (size / current_setting('block_size')::int)
         WHEN pg_stat_get_live_tuples(oid) > 0 THEN pg_stat_get_live_tuples(oid) END)::int8::text AS rows
     FROM pg_class, pg_relation_size(oid) AS size WHERE oid = ANY($1::oid[])`,
    [left],
  );
  const none = { files: 0, bytes: 0, folders: 0 };
  const sums = all.map((rule): LeftOut => {
    const of = found.filter(({ oid }) => rules.get(oid) === rule);
    const rows = of.every((one) => one.rows !== null) && of.reduce((sum, one) => sum + Number(one.rows), 0);
    const bytes = of.reduce((sum, one) => sum + Number(one.bytes), 0);
    return { ...rule, ...none, bytes, tables: of.length, ...(rows !== false && { rows }) };
  });
  const elsewhere = relations.filter(({ oid, kind, ofExtension }) => kind === 'f' && !ofExtension && !rules.has(oid));
  return elsewhere.length === 0 ? sums : [...sums, { ...foreign, ...none, tables: elsewhere.length }];
}
