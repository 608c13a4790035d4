import { appendFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

// A program of its own: commits one numbered pair of rows after the other, as fast as it can, and after each commit writes
// the number outside of the database. Arguments: the database, the log. Ends when it is killed.
const [path, log] = process.argv.slice(2) as [string, string];
const database = new DatabaseSync(path, { timeout: 60_000 });
const next = database.prepare('SELECT coalesce(max(id), 0) + 1 AS id FROM debit');
const debit = database.prepare('INSERT INTO debit VALUES (?, ?, randomblob(?))');
const credit = database.prepare('INSERT INTO credit VALUES (?, ?)');
const scatter = database.prepare(
  'UPDATE debit SET filler = randomblob(length(filler)) WHERE id = abs(random()) % ? + 1',
);
let id = Number(next.get()?.id);
for (;;) {
  database.exec('BEGIN IMMEDIATE');
  debit.run(id, id * 3, (id % 7) * 300);
  scatter.run(id);
  credit.run(id, -id * 3);
  database.exec('COMMIT');
  appendFileSync(log, `${id}\n`);
  id++;
}
