import type { AskedCopy, QueryOptions, Rows } from '../engine.ts';
import { queryTooSlow } from '../errors.ts';
import { connect } from './connection.ts';
import { parseUrl } from './url.ts';

export async function* queryMysql(copy: AskedCopy, query: string, options: QueryOptions): AsyncGenerator<Rows> {
  const { timeoutMs, signal } = options;
  const address = parseUrl(copy.asked ?? copy.outside);
  await using session = await connect(address, { signal });
  await session.run('START TRANSACTION READ ONLY');
  let isLate = false;
  // The server counts the time also while the reader works, so it is counted here.
  const end = async () => {
    isLate = true;
    await using other = await connect(address, { signal, database: '' });
    await other.run(`KILL ${session.id}`);
  };
  let leftMs = timeoutMs;
  const rows = session.texts(query.trim().replace(/;+\s*$/, ''))[Symbol.asyncIterator]();
  try {
    for (;;) {
      const asked = performance.now();
      const timer = setTimeout(() => void end().catch(() => {}), Math.max(0, leftMs));
      const next = await rows.next().finally(() => clearTimeout(timer));
      leftMs -= performance.now() - asked;
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (isLate) throw queryTooSlow({ dataset: copy.dataset, timeoutMs }, { cause: error });
    throw error;
  } finally {
    await rows.return?.();
  }
}
