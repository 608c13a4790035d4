import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RunRecord } from '../../catalog/catalog.ts';
import { writerKeys } from '../../vault/writer-keys.ts';
import { reach } from '../reach.ts';
import type { OpenSystem } from '../system.ts';
import { assess } from './assess.ts';
import { type Proofs, readProofs } from './proofs.ts';
import type { SystemStatus } from './status.ts';

const nothingProved: Proofs = { byDataset: new Map(), doubtful: [] };

/** Looks at the vault's records and ledger, needs no key, changes nothing. `runs`: the catalog's, newest first. */
export async function takeStatus(open: OpenSystem, runs: readonly RunRecord[]): Promise<SystemStatus> {
  const system = open.config;
  const nowMs = open.clock.now();
  const { destinations, vault, troubles } = await reach(open);
  const { points, suspect } = vault ? await vault.restorePoints() : { points: [], suspect: [] };
  // One vault may serve several systems.
  const own = points.filter((point) => point.record.system === system.name);
  const writers = new Set(own.map((point) => point.record.writer));
  // A host that only drills signs evidence, but no restore point.
  const here = vault && (await publicKeyHere(open, vault.id));
  if (here !== undefined) writers.add(here);
  const names = Object.keys(system.datasets);
  const proofs = vault ? await readProofs(vault, system.name, names, writers) : nothingProved;
  return assess(system, { nowMs, points: own, suspect, proofs, troubles, reachable: destinations, runs });
}

/** The key that this host signs with, when it has one for this vault. */
async function publicKeyHere(system: OpenSystem, vault: string): Promise<string | undefined> {
  const file = join(system.config.stateDir, 'writer.json');
  if (!existsSync(file)) return undefined;
  try {
    return (await writerKeys(file, vault, system.random)).publicKey;
  } catch {
    // Keys that cannot be read, or another vault's, vouch for nothing. Writing says what is wrong with them.
    return undefined;
  }
}
