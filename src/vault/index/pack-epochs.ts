import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { inState } from '../../host/state-names.ts';
import { packText, sealOf } from './cache.ts';

/** The epoch that a pack is sealed to; undefined where this host does not know. */
export type PackEpochs = (pack: string) => string | undefined;

/**
 * What this host's writer knows of its packs, read beside a backup that may be running. Age headers do not tell. Knows nothing where
 * this host never wrote.
 */
export function readPackEpochs(stateDir: string, vault: string, writer: string): PackEpochs {
  const file = inState(stateDir, 'index');
  const known = new Map<string, string>();
  if (!existsSync(file)) return () => undefined;
  try {
    using db = new DatabaseSync(file, { readOnly: true });
    const identity = db.prepare('SELECT value FROM facts WHERE name = ?').get('identity')?.value;
    if (identity !== `${vault} ${writer}`) return () => undefined;
    for (const row of db.prepare('SELECT * FROM packs').iterate()) {
      if (row.seal === sealOf(packText(row))) known.set(String(row.id), String(row.epoch));
    }
  } catch {
    // The index is a cache: without it nothing is known, and nothing is lost.
  }
  return (pack) => known.get(pack);
}
