import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** SQL of a saboteur on a copy of his own, in a thread: what the copy defines may take as long as it likes. */
export interface Strike {
  readonly path: string;
  readonly sql: readonly string[];
  /** `ask`: the rows of the only one; `try`: each is taken back, and the place of the first that changes something given. */
  readonly how: 'ask' | 'try' | 'do';
}

const { path, sql, how } = workerData as Strike;
using database = new DatabaseSync(path, { enableForeignKeyConstraints: false, defensive: false });
database.exec('PRAGMA trusted_schema = OFF; PRAGMA recursive_triggers = OFF');
parentPort?.postMessage(how === 'ask' ? database.prepare(sql[0]!).all() : how === 'try' ? firstThatYields() : act());

function firstThatYields(): number {
  return sql.findIndex((one) => {
    const pages = () => Object.values(database.prepare('SELECT total_changes()').get()!)[0];
    const before = pages();
    try {
      database.exec('BEGIN');
      database.exec(one);
      return pages() !== before || !/^(UPDATE|DELETE|INSERT)/.test(one);
    } catch {
      return false;
    } finally {
      if (database.isTransaction) database.exec('ROLLBACK');
    }
  });
}

function act(): true {
  for (const one of sql) database.exec(one);
  return true;
}
