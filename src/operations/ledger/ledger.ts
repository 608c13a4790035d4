import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, RandomBytes } from '../../core/clock.ts';
import { sentenceOf } from '../../core/errors.ts';
import { newUlid } from '../../core/ulid.ts';
import type { Destination } from '../../destinations/destination.ts';
import { firstSound, type Trace, tracesUnder } from '../../destinations/first-version.ts';
import { ledgerDamaged } from '../../vault/format/errors.ts';
import { ledgerKey, parseKey } from '../../vault/format/keys.ts';
import {
  decodeLedgerEntry,
  encodeLedgerEntry,
  hashOfEntry,
  type LedgerObject,
  type LedgerRecord,
} from '../../vault/format/ledger.ts';
import { publicKeyOf } from '../../vault/format/signing.ts';
import { openSmall, sealSmall } from '../../vault/small-objects.ts';
import { ledgerBusy, ledgerUnwritten } from './errors.ts';

export interface LedgerParts {
  readonly vault: string;
  readonly destinations: readonly Destination[];
  /** age recipients of the vault: they can read the sealed part. */
  readonly recipients: readonly string[];
  /** The writer's Ed25519 key, base64. */
  readonly signingKey: string;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export interface Appended {
  readonly key: string;
  /** Destinations that do not hold it, and why. */
  readonly behind: ReadonlyArray<{ readonly destination: string; readonly why: string }>;
}

const lockSeconds = 60;

/**
 * Adds an entry after this writer's newest, to every destination. One that is down gets it no more: what it lacks is a gap
 * there, and none in the union of all. `details` are sealed to the vault's recipients.
 * @throws `ledger-busy`, `ledger-unwritten` when no destination took it
 */
export async function appendToLedger(
  parts: LedgerParts,
  kind: string,
  body: object,
  details: object,
): Promise<Appended> {
  const sealed = await sealSmall(Buffer.from(JSON.stringify(details)), parts.recipients);
  // Two processes that follow the same entry would look like a forged chain.
  using _ = await lock(parts.stateDir);
  const previous = await newestOf(parts);
  const nowMs = Math.max(parts.clock.now(), previous === undefined ? 0 : Date.parse(previous.record.time) + 1);
  const id = newUlid(nowMs, parts.random);
  const record = {
    format: 1,
    vault: parts.vault,
    id,
    kind,
    time: new Date(nowMs).toISOString(),
    previous: previous === undefined ? null : hashOfEntry(previous.bytes),
    body: body as Readonly<Record<string, unknown>>,
    sealed: Buffer.from(sealed).toString('base64'),
  } as const;
  const bytes = encodeLedgerEntry(record, parts.signingKey);
  const key = ledgerKey(id);
  const behind: { destination: string; why: string }[] = [];
  for (const destination of parts.destinations) {
    try {
      await destination.put(key, bytes);
    } catch (error) {
      behind.push({ destination: destination.name, why: sentenceOf(error) });
    }
  }
  if (behind.length === parts.destinations.length) {
    throw ledgerUnwritten({ why: behind.map(({ destination, why }) => `${destination}: ${why}`).join(' ') });
  }
  return { key, behind };
}

/** This writer's newest entry, over all destinations. */
async function newestOf(parts: LedgerParts): Promise<{ bytes: Uint8Array; record: LedgerRecord } | undefined> {
  const writer = publicKeyOf(parts.signingKey);
  for (const key of (await ledgerKeys(parts.destinations)).reverse()) {
    for await (const bytes of copiesOf(key, parts.destinations)) {
      const record = readable(bytes, key);
      if (record?.writer === writer) return { bytes, record };
    }
  }
  return undefined;
}

/** Every entry's key, oldest first, over all destinations that can be listed. */
async function ledgerKeys(destinations: readonly Destination[]): Promise<string[]> {
  const keys = new Set<string>();
  for (const destination of destinations) {
    try {
      for await (const { key } of destination.list('ledger/')) if (parseKey(key)?.type === 'ledger') keys.add(key);
    } catch {
      // Told where the entry is stored, or is not.
    }
  }
  return [...keys].sort();
}

async function* copiesOf(key: string, destinations: readonly Destination[]): AsyncGenerator<Uint8Array> {
  for (const destination of destinations) {
    const bytes = await destination.get(key).catch(() => undefined);
    if (bytes !== undefined) yield bytes;
  }
}

function readable(bytes: Uint8Array, key: string): LedgerRecord | undefined {
  try {
    return decodeLedgerEntry(bytes, key);
  } catch {
    return undefined;
  }
}

export interface LedgerContents {
  /** Oldest first. Of several copies the one that holds; a damaged one only when all are. */
  readonly objects: readonly LedgerObject[];
  /** What could not be read, one sentence each. */
  readonly troubles: readonly string[];
}

/** Where versions are kept, the first version of each entry, also of one that somebody hid or overwrote. */
export async function readLedger(destinations: readonly Destination[]): Promise<LedgerContents> {
  const troubles: string[] = [];
  const copies = new Map<string, { destination: Destination; trace: Trace }[]>();
  const silent = new Set<Destination>();
  for (const destination of destinations) {
    try {
      for await (const trace of tracesUnder(destination, 'ledger/')) {
        if (parseKey(trace.key)?.type !== 'ledger') continue;
        copies.set(trace.key, [...(copies.get(trace.key) ?? []), { destination, trace }]);
      }
    } catch (error) {
      silent.add(destination);
      troubles.push(`${destination.name}: ${sentenceOf(error)}`);
    }
  }
  const objects: LedgerObject[] = [];
  for (const [key, holders] of [...copies].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const destination of destinations) {
      const holds = silent.has(destination) || holders.some((holder) => holder.destination === destination);
      if (!holds) troubles.push(`${destination.name} lacks ${key}.`);
    }
    const bytes = await soundCopy(key, holders, troubles);
    if (bytes !== undefined) objects.push({ key, bytes });
  }
  return { objects, troubles };
}

async function soundCopy(
  key: string,
  holders: ReadonlyArray<{ readonly destination: Destination; readonly trace: Trace }>,
  troubles: string[],
): Promise<Uint8Array | undefined> {
  let sound: Uint8Array | undefined;
  let damaged: Uint8Array | undefined;
  for (const { destination, trace } of holders) {
    if (sound !== undefined && !trace.hidden) continue;
    try {
      const { bytes, spoiled } = await firstSound(destination, trace, (body) => {
        damaged ??= body;
        decodeLedgerEntry(body, key);
      });
      sound ??= bytes;
      if (spoiled !== undefined) troubles.push(`${key} in ${destination.name} was ${spoiled.kind}: ${spoiled.why}.`);
    } catch (error) {
      troubles.push(
        ledgerDamaged.is(error)
          ? `${destination.name} holds a damaged copy of ${key}.`
          : `${destination.name}: ${sentenceOf(error)}`,
      );
    }
  }
  return sound ?? damaged;
}

/** The sealed part of an entry; undefined when there is none. @throws what age says when no identity fits */
export async function openDetails(record: LedgerRecord, identities: readonly string[]): Promise<unknown> {
  if (record.sealed === null) return undefined;
  const plain = await openSmall(Buffer.from(record.sealed, 'base64'), identities);
  return JSON.parse(Buffer.from(plain).toString('utf8')) as unknown;
}

/** A SQLite lock: the kernel lets it go however its holder dies. */
async function lock(stateDir: string): Promise<Disposable> {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const deadline = performance.now() + lockSeconds * 1000;
  for (;;) {
    const database = new DatabaseSync(join(stateDir, 'ledger.lock'));
    try {
      database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
      return { [Symbol.dispose]: () => database.close() };
    } catch (error) {
      database.close();
      if (performance.now() > deadline) throw ledgerBusy({ seconds: lockSeconds }, { cause: error });
      await sleep(50);
    }
  }
}
