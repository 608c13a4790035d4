import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newUlid } from '../../src/core/ulid.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { generationBytes, signGeneration } from '../../src/vault/format/generation.ts';
import { createIds } from '../../src/vault/format/ids.ts';
import { generationKey, ledgerKey } from '../../src/vault/format/keys.ts';
import { encodeLedgerEntry } from '../../src/vault/format/ledger.ts';
import { recordBytes, recordKey, type SnapshotRecord, signRecord } from '../../src/vault/format/record.ts';
import { sha256Hex } from '../../src/vault/hash.ts';
import { needsReader } from '../../src/vault/hold/needs.ts';
import type { RestorePoint } from '../../src/vault/vault.ts';

/** What is on a host's disk is the attacker's: its signing key too. */
export function stolenKey(stateDir: string): string {
  return (JSON.parse(readFileSync(join(stateDir, 'writer.json'), 'utf8')) as { signingKey: string }).signingKey;
}

interface Forgery {
  /** When it says that it was made. */
  readonly timeMs: number;
  /** The record that it claims to follow. */
  readonly after?: SnapshotRecord | null;
  readonly generation?: number;
  /** With the contents of `from`, or with none that exist. */
  readonly replay?: boolean;
  readonly untilMs?: number;
}

/** A record of the same dataset as `from`, signed with `key`. */
export function forgedRecord(from: SnapshotRecord, key: string, forgery: Forgery): SnapshotRecord {
  const { writer: _, signature: __, ...unsigned } = from;
  const { timeMs, after, generation = from.generation, replay = false, untilMs } = forgery;
  const time = new Date(timeMs).toISOString();
  const until = untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() };
  return signRecord(
    {
      ...unsigned,
      id: newUlid(timeMs, randomBytes),
      time,
      committed: time,
      generation,
      lists: replay ? unsigned.lists : [],
      manifest: replay ? unsigned.manifest : [sha256Hex(randomBytes(32)), 100],
      previous: after ? sha256Hex(recordBytes(after)) : null,
      sequence: (after?.sequence ?? 0) + 1,
      retention: { class: 'standard', ...until },
    },
    key,
  );
}

export async function plant(destination: Destination, record: SnapshotRecord): Promise<SnapshotRecord> {
  await destination.put(recordKey(record), recordBytes(record));
  return record;
}

/** Says that everything shall be deleted. */
export async function plantGeneration(
  destination: Destination,
  points: readonly RestorePoint[],
  number: number,
  key: string,
): Promise<void> {
  const ids = new Set<string>();
  for (const { needs } of await needsReader([destination], createIds(), () => {})(points)) {
    ids.add(needs.manifest[0]);
    for (const [id] of [...needs.lists, ...needs.packs]) ids.add(id);
  }
  const generation = signGeneration(
    {
      format: 1,
      vault: points[0]!.record.vault,
      generation: number,
      created: new Date(0).toISOString(),
      tombstones: [...ids].sort(),
      sparse: [],
    },
    key,
  );
  await destination.put(generationKey(number), generationBytes(generation));
}

/** One entry that begins a chain of its own. */
export async function plantEntry(
  destination: Destination,
  vault: string,
  kind: string,
  body: Record<string, unknown>,
  key: string,
  timeMs: number,
): Promise<void> {
  const id = newUlid(timeMs, randomBytes);
  const time = new Date(timeMs).toISOString();
  const entry = { format: 1, vault, id, kind, time, previous: null, sequence: 1, body, sealed: null } as const;
  await destination.put(ledgerKey(id), encodeLedgerEntry(entry, key));
}
