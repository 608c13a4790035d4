import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Database, Query } from './database.ts';

export function openSqlite(file: string): Database {
  mkdirSync(dirname(file), { recursive: true });
  const connection = new DatabaseSync(file, { timeout: 10_000, enableForeignKeyConstraints: true });
  connection.exec('pragma journal_mode = wal; pragma synchronous = normal');

  const query: Query = async <Row>(sql: string, values: readonly (string | number | null)[] = []) =>
    connection.prepare(sql.replace(/\$(\d+)/g, '?$1')).all(...values) as Row[];

  // One connection serves all requests, so a query from outside must not slip into a transaction that waits for something.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };

  return {
    engine: 'sqlite',
    query: (sql, values) => inTurn(() => query(sql, values)),
    transaction: (work) =>
      inTurn(async () => {
        connection.exec('begin immediate');
        try {
          const result = await work(query);
          connection.exec('commit');
          return result;
        } catch (error) {
          connection.exec('rollback');
          throw error;
        }
      }),
    async close() {
      await last;
      connection.close();
    },
  };
}
