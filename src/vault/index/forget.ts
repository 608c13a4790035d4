import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lockWriter } from '../write/lock.ts';
import type { WriterKeys } from '../writer-keys.ts';
import { openIndexCache } from './cache.ts';

/**
 * Tells this host's writer that these packs are not where it believes, so that the next backup sends their chunks again from
 * the source. @throws `backup-running`
 */
export function forgetPacks(
  stateDir: string,
  keys: Pick<WriterKeys, 'vault' | 'writer'>,
  lost: ReadonlyArray<{ readonly destination: string; readonly pack: string }>,
): void {
  const file = join(stateDir, 'index.sqlite');
  if (lost.length === 0 || !existsSync(file)) return;
  using _lock = lockWriter(stateDir);
  const index = openIndexCache(file, `${keys.vault} ${keys.writer}`);
  try {
    for (const { destination, pack } of lost) index.forgetHolder(destination, pack);
  } finally {
    index.close();
  }
}
