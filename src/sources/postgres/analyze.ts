import type { Problem, Run } from '../../core/run.ts';
import { connect } from './connection.ts';
import { attempt, setPath } from './make-again.ts';
import type { ServerAddress } from './url.ts';

/** A database without statistics answers, but slowly: nobody should find that out after a disaster. */
export async function analyze(as: ServerAddress, path: string, run: Run): Promise<Problem[]> {
  return await run.step('analyze', async (run) => {
    await using session = await connect(as, run.signal);
    await setPath(session, path);
    if ((await attempt(session, 'ANALYZE')) === undefined) return [];
    // The first table that fails ended it for those behind it. One with a partition on another server asks that one.
    const tables = await session.query<{ name: string }>(
      `SELECT format('%I.%I', nspname, relname) AS name FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
       WHERE relkind IN ('r', 'm', 'p') AND c.oid >= 16384 AND nspname !~ '^pg_' ORDER BY 1`,
    );
    const failures: string[] = [];
    for (const { name } of tables) {
      const failure = await attempt(session, `ANALYZE ${name}`);
      if (failure !== undefined) failures.push(`${name}: ${failure}`);
    }
    if (failures.length === 0) return [];
    const more = failures.length > 3 ? `, and ${failures.length - 3} more` : '';
    const message = `Not all tables have statistics, so queries may be slow (${failures.slice(0, 3).join('; ')}${more}). Run ANALYZE when that is mended.`;
    return [{ code: 'not-analyzed', message }];
  });
}
