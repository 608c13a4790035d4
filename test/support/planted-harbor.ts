import { join } from 'node:path';
import type { DestinationHealth, RunRecord } from '../../src/catalog/catalog.ts';
import { takeStatus } from '../../src/operations/status/take-status.ts';
import { openSystem } from '../../src/operations/system.ts';
import { configured } from './configured.ts';
import { plantVault } from './plant-vault.ts';

export const now = Date.UTC(2026, 10, 20, 10, 16);

/** Two datasets, two destinations; the clock stands still. */
export async function harbor(more = '') {
  const { folder, config } = await configured(
    `destinations: { one: { type: local, path: one }, two: { type: local, path: two } }
datasets:
  app-db: { type: sqlite, path: app.db, rpo: 15m, rto: 10m }
  uploads: { type: files, path: uploads, rpo: 1h, rto: 10m, retention: { last: 1, hourly: 0, daily: 2, weekly: 0, monthly: 0 } }
${more}`,
  );
  // Each command opens its own.
  const open = () => openSystem(config, { clock: { now: () => now, elapsed: () => 0 } });
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  return {
    folder,
    config,
    system: open(),
    one,
    two,
    vault: plantVault('harbor', [one, two]),
    status: (runs: readonly RunRecord[] = [], health: readonly DestinationHealth[] = []) =>
      takeStatus(open(), {
        runs: () => [...runs],
        rotation: () => ({ sound: 2, damaged: [], parts: 7 }),
        destinations: () => [...health],
      }),
  };
}
