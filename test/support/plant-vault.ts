import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DrillEvidence } from '../../src/core/evidence.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { type AcceptBody, dataLost } from '../../src/ledger/acceptances.ts';
import { ledgerKey, VAULT_KEY } from '../../src/vault/format/keys.ts';
import { encodeLedgerEntry } from '../../src/vault/format/ledger.ts';
import { publicSizes, recordBytes, recordKey, type SnapshotRecord, signRecord } from '../../src/vault/format/record.ts';
import { newSigningKey, type SigningKey } from '../../src/vault/format/signing.ts';
import { encodeVaultFile } from '../../src/vault/format/vault-file.ts';
import { listsOf } from './lists.ts';

/** A vault of records and evidence only, whose times and sizes a test chooses: for what reads no contents. */
export interface PlantedVault {
  readonly id: string;
  /** What makes its restore points, and signs where a test names no other. */
  readonly keys: SigningKey;
  point(point: PlantedPoint): SnapshotRecord;
  drill(drill: PlantedDrill): void;
  accept(acceptance: PlantedAcceptance): void;
  pin(point: string, atMs: number): void;
}

export interface PlantedPoint {
  readonly dataset: string;
  readonly timeMs: number;
  /** By the clock of the destinations; `timeMs` when absent. */
  readonly storedMs?: number;
  /** Folders that hold it; all when absent. */
  readonly at?: readonly string[];
  readonly packs?: ReadonlyArray<readonly [string, number]>;
  readonly problems?: Record<string, number>;
  /** As `backup --keep --class` has it. */
  readonly retention?: { readonly class: string; readonly until: string };
  /** Bytes that a restore writes, and entries. */
  readonly sizes?: { readonly logical: number; readonly entries: number };
}

export interface PlantedDrill {
  readonly atMs: number;
  readonly verdict: 'proved' | 'failed' | 'inconclusive';
  readonly datasets: readonly string[];
  readonly rtoMs: number;
  readonly left?: readonly string[];
  /** Of which moment; the newest when absent. */
  readonly selection?: string;
  /** By dataset. */
  readonly points?: Readonly<Record<string, string>>;
  /** Recipients whose key opened it all. */
  readonly opened?: readonly string[];
  /** The private key that signs it. */
  readonly by?: string;
  /** By the clock of the destinations; now when absent. */
  readonly storedMs?: number;
}

export interface PlantedAcceptance {
  readonly dataset: string;
  readonly point: string;
  readonly atMs: number;
  readonly untilMs?: number;
  /** The private key that signs it. */
  readonly by?: string;
}

const usualRetention = { class: 'standard' };
const usualSizes = { logical: 5_000_000, entries: 3 };

export function plantVault(system: string, folders: readonly string[]): PlantedVault {
  const keys = newSigningKey();
  const { privateKey } = keys;
  const vault = newUlid(0, randomBytes);
  let previous: string | null = null;
  let sequence = 0;
  /** As if it had been stored then. */
  const put = (key: string, bytes: Uint8Array, at: readonly string[] = folders, storedMs = Date.now()) => {
    for (const folder of at) {
      const file = join(folder, key);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytes);
      utimesSync(file, storedMs / 1000, storedMs / 1000);
    }
  };
  const enter = (kind: 'drill' | 'accept' | 'pin', atMs: number, body: object, by = privateKey, storedMs?: number) => {
    const id = newUlid(atMs, randomBytes);
    const time = new Date(atMs).toISOString();
    const entry = { format: 1, vault, id, kind, time, previous: null, sequence: 1, sealed: null } as const;
    const record = { ...entry, body: body as Record<string, unknown> };
    put(ledgerKey(id), encodeLedgerEntry(record, by), folders, storedMs);
  };
  put(VAULT_KEY, encodeVaultFile({ format: 1, vault, created: '2026-01-01T00:00:00.000Z' }));
  return {
    id: vault,
    keys,
    point({
      dataset,
      timeMs,
      at,
      packs = [],
      problems = {},
      retention = usualRetention,
      storedMs = timeMs,
      sizes = usualSizes,
    }) {
      const time = new Date(timeMs).toISOString();
      const lists = listsOf(packs.map(([name, size]) => [sha256(name), size] as const));
      for (const list of lists) put(list.key, list.bytes, at, storedMs);
      const record = signRecord(
        {
          format: 1,
          vault,
          system,
          dataset,
          kind: 'files',
          id: newUlid(timeMs, randomBytes),
          time,
          committed: time,
          tool: 'lifeboat test',
          versions: {},
          sizes: publicSizes({ added: 1000, stored: 500, ...sizes }),
          lists: lists.map(({ name }) => name),
          manifest: [sha256(time + dataset + previous), 100],
          keys: [],
          problems,
          retention,
          generation: 0,
          previous,
          sequence: ++sequence,
        },
        privateKey,
      );
      const bytes = recordBytes(record);
      previous = createHash('sha256').update(bytes).digest('hex');
      put(recordKey(record), bytes, at, storedMs);
      return record;
    },
    drill({ by, storedMs, ...drill }) {
      enter('drill', drill.atMs, evidenceOf(system, drill), by, storedMs);
    },
    pin(point, atMs) {
      enter('pin', atMs, { action: 'pin', point, reason: 'planted' });
    },
    accept({ dataset, point, atMs, untilMs, by }) {
      const until = untilMs === undefined ? null : new Date(untilMs).toISOString();
      const now = { bytes: 0, entries: 1 };
      const said = { dataset, point, reason: 'planted', until, before: null, now };
      const body: AcceptBody = { action: 'accept', system, code: dataLost, ...said };
      enter('accept', atMs, body, by);
    },
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export interface ToldDrill
  extends Pick<PlantedDrill, 'verdict' | 'datasets' | 'rtoMs' | 'points' | 'opened' | 'selection'> {
  readonly id: string;
  readonly started: string;
  readonly left: readonly string[];
}

/** What the entry of a drill says that was at that moment. */
export function evidenceOf(
  system: string,
  { atMs, left = [], ...told }: Omit<PlantedDrill, 'by' | 'storedMs'>,
): DrillEvidence {
  return evidence(system, { ...told, left, id: newUlid(atMs, randomBytes), started: new Date(atMs).toISOString() });
}

/** What an entry says of a drill that never was. */
export function evidence(
  system: string,
  { id, started, verdict, datasets, rtoMs, left, points = {}, opened, selection = 'newest' }: ToldDrill,
): DrillEvidence {
  return {
    drill: {
      id,
      system,
      environment: 'production',
      started,
      ended: started,
      trigger: 'manual',
      tool: 'lifeboat test',
      configurationFingerprint: sha256('c'),
      planFingerprint: sha256('p'),
    },
    scope: {
      datasets: datasets.map((dataset) => ({
        dataset,
        kind: 'files',
        restorePoint: points[dataset] ?? null,
        time: null,
        manifestSha256: null,
        logicalBytes: 0,
        destinations: [],
        passedOver: null,
      })),
      left: left.map((dataset) => ({ dataset, reason: 'not chosen for this drill' })),
      selection,
    },
    ...(opened && { identity: { kind: 'daily', opened } }),
    place: { isolation: 'none', networkIsolated: true, filesIsolated: true, tried: [], limits: [], versions: {} },
    objectives: datasets.map((dataset) => ({
      dataset,
      rpoMs: 0,
      rpoMeasuredMs: 0,
      rpoFrom: 'restore-point',
      rtoMs: 0,
      rtoMeasuredMs: rtoMs,
    })),
    phases: [],
    rtoMs,
    checks: datasets.map((dataset) => ({
      id: `${dataset}/expectations`,
      kind: 'expectations',
      dataset,
      verdict: verdict === 'proved' ? 'pass' : 'fail',
      looked: 1,
      emptyIsRight: false,
      reason: null,
      elapsedMs: 1,
    })),
    steps: [],
    outcome: { verdict, reasons: 0 },
    cleanUp: { removed: true, elapsedMs: 1 },
    controls: [],
  };
}
