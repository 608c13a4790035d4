import type { Watch } from '../engine.ts';
import { connect } from './connection.ts';
import { parseUrl } from './url.ts';

/** By the sessions that the server counts. Ours are among them: each look is one. */
export async function watchServer(outside: string): Promise<Watch> {
  const before = await sessionsOf(outside);
  return async () => {
    const now = await sessionsOf(outside);
    return before === undefined || now === undefined ? undefined : now > before + 1;
  };
}

async function sessionsOf(outside: string): Promise<number | undefined> {
  try {
    await using session = await connect(parseUrl(outside), { signal: AbortSignal.timeout(15_000), database: '' });
    const [row] = await session.ask("SHOW GLOBAL STATUS LIKE 'Connections'");
    return Number(row?.Value);
  } catch {
    return undefined;
  }
}
