import pg from 'pg';
import type { Database, Query } from './database.ts';

// Counts and sums of cents: far below 2^53.
const bigintOid = 20;
const dayOid = 1082;
const timeOid = 1184;

export async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 4,
    connectionTimeoutMillis: 10_000,
    types: {
      getTypeParser: (oid: number) => {
        if (oid === bigintOid) return Number;
        if (oid === dayOid) return (text: string) => text;
        if (oid === timeOid) return (text: string) => new Date(text).toISOString();
        return pg.types.getTypeParser(oid, 'text');
      },
    },
  });
  // An idle connection that the server closes is replaced by the next query, which reports what is wrong.
  pool.on('error', () => {});

  const queryOn =
    (client: pg.Pool | pg.PoolClient): Query =>
    async <Row>(sql: string, values: readonly (string | number | null)[] = []) =>
      (await client.query(sql, [...values])).rows as Row[];

  return {
    engine: 'postgres',
    query: queryOn(pool),
    async transaction(work) {
      const client = await pool.connect();
      try {
        await client.query('begin');
        const result = await work(queryOn(client));
        await client.query('commit');
        client.release();
        return result;
      } catch (error) {
        const broken = await client.query('rollback').then(
          () => false,
          () => true,
        );
        client.release(broken);
        throw error;
      }
    },
    close: () => pool.end(),
  };
}
