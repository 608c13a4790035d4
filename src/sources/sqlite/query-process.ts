/**
 * Runs one query on a SQLite file and prints the rows: a line with the columns' names, then lines with up to 500 rows each.
 * A process of its own, so that a query without end can be ended. Never imported.
 */
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';

type Cell = string | null;

const [file = ''] = process.argv.slice(2);
const query = await text(process.stdin);
try {
  const database = new DatabaseSync(file, { readOnly: true });
  const statement = database.prepare(query);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  await print(statement.columns().map(({ name }) => name));
  let rows: Cell[][] = [];
  for (const row of statement.iterate() as Iterable<unknown>) {
    rows.push((row as unknown[]).map(cellOf));
    if (rows.length < 500) continue;
    await print(rows);
    rows = [];
  }
  if (rows.length > 0) await print(rows);
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}

/** Waits while the reader is slower than we are, so that rows never pile up. */
async function print(line: unknown): Promise<void> {
  if (process.stdout.write(`${JSON.stringify(line)}\n`)) return;
  await new Promise((resolve) => process.stdout.once('drain', resolve));
}
