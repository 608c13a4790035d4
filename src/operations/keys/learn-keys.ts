import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { printOf } from '../../core/recipient-print.ts';
import { writeStateFile } from '../../host/state-file.ts';
import { inState } from '../../host/state-names.ts';
import { openLedgerCache } from '../../ledger/cache.ts';
import { drillBodyOf } from '../../ledger/evidence-shape.ts';
import { newestEntries } from '../../ledger/read.ts';
import { standingOf } from '../../ledger/standing.ts';
import { isKnownWriter, mayProve, type VaultReader } from '../../vault/index.ts';
import { hearingOf } from '../hearing.ts';
import type { OpenSystem } from '../system.ts';

/** What is known of one recipient's key. Times are UTC, ISO 8601. */
export interface KeyFact {
  /** It is at least this old. */
  readonly since: string;
  /** The newest drill that this key, alone, opened everything for. */
  readonly proved?: { readonly at: string; readonly drill: string; readonly kind: 'daily' | 'escrow' };
}

const proof = z.strictObject({ at: z.string(), drill: z.string(), kind: z.enum(['daily', 'escrow']) });
const shape = z.strictObject({
  format: z.literal(1),
  vault: z.string(),
  /** When the newest ledger entry was written that was read and believed; empty before the first. */
  readTo: z.string(),
  keys: z.record(z.string(), z.strictObject({ since: z.string(), proved: proof.optional() })),
});
type Memory = z.infer<typeof shape>;

/** Older entries than so many that nobody here ever read are left alone. */
const mostRead = 200;

/**
 * What the ledger, key files beside the configuration and this host's own memory tell of the keys of the current recipients,
 * by their prints. Only what was added since the last time is read; entries of writers that are not believed do not count.
 */
export async function learnKeys(system: OpenSystem, vault: VaultReader): Promise<ReadonlyMap<string, KeyFact>> {
  const { config, clock } = system;
  const memory = readMemory(config.stateDir, vault.id);
  const known = new Map<string, KeyFact>();
  for (const [print, { since, proved }] of Object.entries(memory.keys)) {
    known.set(print, { since, ...(proved !== undefined && { proved }) });
  }
  const older = (print: string, since: string) => {
    const fact = known.get(print);
    if (fact === undefined || since < fact.since) known.set(print, { ...fact, since });
  };
  let readTo = memory.readTo;
  using cache = openLedgerCache(config.stateDir, { create: false });
  const hearing = await hearingOf(system, vault);
  const isOurs = (writer: string) =>
    isKnownWriter(hearing.trust, writer, config.name) || mayProve(hearing.trust, writer, config.name);
  const sinceMs = Date.parse(readTo) || 0;
  const options = { kinds: new Set(['drill', 'key']), most: mostRead, sinceMs, cache, isOurs };
  for await (const { record, storedMs } of newestEntries(vault.destinations, options)) {
    // Whoever dates one ahead would have all that comes before it never read.
    if (record === undefined || standingOf({ record, storedMs }, hearing) !== 'believed') continue;
    if (record.time > readTo) readTo = record.time;
    if (record.kind === 'key') {
      for (const print of textsOf(record.body.added)) older(print, record.time);
      continue;
    }
    const { identity, outcome, drill } = drillBodyOf(record.body) ?? {};
    if (outcome?.verdict !== 'proved' || identity === undefined || drill?.system !== config.name) continue;
    const at = drill.started;
    for (const print of identity.opened) {
      older(print, at);
      const fact = known.get(print)!;
      if (fact.proved === undefined || fact.proved.at < at) {
        known.set(print, { ...fact, proved: { at, drill: drill.id, kind: identity.kind } });
      }
    }
  }
  for (const recipient of config.vault.recipients) {
    // Whatever else is not known: it was there now.
    older(printOf(recipient), madeInFile(config.root, recipient) ?? new Date(clock.now()).toISOString());
  }
  remember(config.stateDir, { format: 1, vault: vault.id, readTo, keys: Object.fromEntries(known) });
  return known;
}

/** What `lifeboat init` and `age-keygen` write above a key that still lies beside the configuration. */
function madeInFile(root: string, recipient: string): string | undefined {
  for (const name of ['daily.txt', 'offline.txt']) {
    try {
      const text = readFileSync(join(root, 'lifeboat-keys', name), 'utf8');
      if (!text.includes(`# public key: ${recipient}`)) continue;
      const madeMs = Date.parse(/^# created: (\S+)$/m.exec(text)?.[1] ?? '');
      if (Number.isFinite(madeMs)) return new Date(madeMs).toISOString();
    } catch {
      // It was moved to where it belongs.
    }
  }
  return undefined;
}

function fileIn(stateDir: string): string {
  return inState(stateDir, 'keysSeen');
}

function readMemory(stateDir: string, vault: string): Memory {
  try {
    const memory = shape.parse(JSON.parse(readFileSync(fileIn(stateDir), 'utf8')));
    if (memory.vault === vault) return memory;
  } catch {
    // None yet, or damaged: the ledger is read anew.
  }
  return { format: 1, vault, readTo: '', keys: {} };
}

/** Asking how things stand makes no folders, and needs no right to write. */
function remember(stateDir: string, memory: Memory): void {
  if (!existsSync(stateDir)) return;
  try {
    writeStateFile(fileIn(stateDir), memory);
  } catch {
    // Another user's: read again next time.
  }
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
