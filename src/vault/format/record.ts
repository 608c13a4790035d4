import { z } from 'zod';
import { sha256Hex } from '../hash.ts';
import { recordDamaged, recordForged } from './errors.ts';
import { maxEpochKeyBytes } from './grant.ts';
import { historyOf, isKind, type ParsedKey, parseKey, snapshotKey } from './keys.ts';
import { type ListName, MAX_LISTED_PACKS } from './pack-list.ts';
import {
  algorithm,
  count,
  jsonBytes,
  name,
  position,
  publicKey,
  readSigned,
  requires,
  sha256,
  signature,
  signedBytes,
  time,
  timeline,
  ulid,
} from './signed-json.ts';
import { publicKeyOf, sign } from './signing.ts';
import { padme } from './toc.ts';

/**
 * The snapshot record: the signed, plaintext commit of one restore point, and all that status, lock extension and pruning
 * need. It holds no file or table name. docs/vault-format.md specifies it.
 */
export interface SnapshotRecord {
  /** Of the signature. */
  readonly algorithm: 'ed25519';
  readonly format: 1;
  /** What a program must know that reads this restore point, or deletes anything in its vault. */
  readonly requires: readonly string[];
  readonly vault: string;
  readonly system: string;
  readonly dataset: string;
  /** `files`, `sqlite`, `postgres` … */
  readonly kind: string;
  /** ULID of this restore point; the last part of its key. */
  readonly id: string;
  /** When the capture's consistent moment was, UTC, ISO 8601 with milliseconds. */
  readonly time: string;
  /** When the record was written. */
  readonly committed: string;
  readonly tool: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Everyone who reads the store reads them: rounded up. The manifest has the exact ones. */
  readonly sizes: {
    /** Bytes that a restore writes. */
    readonly logical: number;
    /** Raw bytes that were new to the vault. */
    readonly added: number;
    /** Bytes of new objects, as stored. */
    readonly stored: number;
    readonly entries: number;
  };
  /** Every pack that a restore needs is in one of these lists (`format/pack-list.ts`). */
  readonly lists: readonly ListName[];
  /** `[id, size in bytes]` of the manifest object. */
  readonly manifest: readonly [string, number];
  /** What holds the keys of the epochs that these are sealed to, sorted: `[epoch, id, size in bytes]`. */
  readonly keys: ReadonlyArray<readonly [string, string, number]>;
  /** Engine position (LSN, GTID …), where the engine has one. `timeline` and `log` say from where on it needs the log. */
  readonly position?: Readonly<Record<string, string>>;
  /** What was not captured or changed while it was read: counts by code, no names. */
  readonly problems: Readonly<Record<string, number>>;
  readonly retention: { readonly class: string; readonly until?: string };
  /** The prune generation that the writer had seen. */
  readonly generation: number;
  /** SHA-256 (hex) of this writer's previous record as stored, over all datasets; null for its first. */
  readonly previous: string | null;
  /** 1 for the writer's first record, then one more than that of the one before. */
  readonly sequence: number;
  /** The writer's Ed25519 public key, base64. */
  readonly writer: string;
  /** Ed25519 over the canonical JSON of everything above, base64. */
  readonly signature: string;
}

/** Text that a person chose or an engine printed. Bounded, because everyone who can list the vault reads it. */
const text = z.string().max(1000);
const size = count.min(1);
const rounded = count.refine((amount) => padme(amount) === amount);
/** Enough for 16 million packs, and records stay small. */
const mostLists = 16_384;
const listName = z.tuple([sha256, size.max(MAX_LISTED_PACKS), size]);
/** Of the objects that hold the keys of epochs. */
export const epochKeys = z.array(z.tuple([sha256, sha256, size.max(maxEpochKeyBytes)])).refine(isSortedByEpoch);
const enginePosition = z.record(text, text).refine(({ timeline: of, log }) => {
  return (of === undefined && log === undefined) || (timeline.safeParse(of).success && position.safeParse(log).success);
});

const shape = z.looseObject({
  algorithm,
  format: z.literal(1),
  requires,
  vault: ulid,
  system: name,
  dataset: name,
  kind: z.string().refine(isKind),
  id: ulid,
  time,
  committed: time,
  tool: text,
  versions: z.record(text, text),
  sizes: z.looseObject({ logical: rounded, added: rounded, stored: rounded, entries: rounded }),
  lists: z.array(listName).max(mostLists).refine(namesEachOnce),
  manifest: z.tuple([sha256, size]),
  keys: epochKeys,
  position: enginePosition.exactOptional(),
  problems: z.record(text, count.min(1)),
  retention: z.looseObject({ class: text, until: time.exactOptional() }),
  generation: count,
  previous: sha256.nullable(),
  sequence: count.min(1),
  writer: publicKey,
  signature,
});
const reading = { kind: 'record', shape, damaged: recordDamaged, forged: recordForged } as const;

function namesEachOnce(lists: readonly ListName[]): boolean {
  return new Set(lists.map(([id]) => id)).size === lists.length;
}

function isSortedByEpoch(keys: ReadonlyArray<readonly [string, string, number]>): boolean {
  const names = keys.map(([epoch, id]) => `${epoch}/${id}`);
  return names.every((name, at) => at === 0 || names[at - 1]! < name);
}

/** As a record says them: exact ones would tell whoever can add a file and look at the store whether it was there before. */
export function publicSizes({ logical, added, stored, entries }: SnapshotRecord['sizes']): SnapshotRecord['sizes'] {
  return { logical: padme(logical), added: padme(added), stored: padme(stored), entries: padme(entries) };
}

export type UnsignedRecord = Omit<SnapshotRecord, 'algorithm' | 'requires' | 'writer' | 'signature'>;

/** Adds the writer's public key and the signature, and that nothing later is needed. Throws `record-damaged` for a record that no reader would take. */
export function signRecord(unsigned: UnsignedRecord, privateKey: string): SnapshotRecord {
  const whole = { requires: [], ...unsigned, algorithm: 'ed25519', writer: publicKeyOf(privateKey) } as const;
  const record = { ...whole, signature: sign(signedBytes('record', whole), privateKey) };
  return decodeRecord(recordBytes(record));
}

/** The bytes as stored, one line. */
export function recordBytes(record: SnapshotRecord): Uint8Array {
  return jsonBytes(record);
}

/** Signs and encodes at once. */
export function encodeRecord(unsigned: UnsignedRecord, privateKey: string): Uint8Array {
  return recordBytes(signRecord(unsigned, privateKey));
}

/** Names of lists, by id, that records have in common, each held once: ten thousand records name the same few lists over and over. */
export type SharedNames = Map<string, ListName>;

function sharedIn(shared: SharedNames, name: ListName): ListName {
  const [id, packs, sizeBytes] = name;
  const known = shared.get(id);
  if (known === undefined) shared.set(id, name);
  return known?.[1] === packs && known[2] === sizeBytes ? known : name;
}

/**
 * Errors: `record-damaged` (shape, or not the canonical bytes), `record-forged` (signature), `format-newer`. Whether the writer is one that
 * the vault's owner trusts, and whether the record lies under its own key, is for the caller to judge.
 * @param shared for who holds many of them
 */
export function decodeRecord(bytes: Uint8Array, shared: SharedNames = new Map()): SnapshotRecord {
  const read = readSigned(bytes, reading) as SnapshotRecord;
  if ((read.previous === null) !== (read.sequence === 1)) throw recordDamaged({ field: 'sequence' });
  return held(read, bytes, shared);
}

function held(read: SnapshotRecord, bytes: Uint8Array, shared: SharedNames): SnapshotRecord {
  const record = { ...read, lists: read.lists.map((name) => sharedIn(shared, name)) };
  hashes.set(record, sha256Hex(bytes));
  return record;
}

/** The same, of this vault and under its own key. @throws also where it belongs elsewhere: only the sentence is used */
export function decodeRecordAt(vault: string, key: string, bytes: Uint8Array, shared?: SharedNames): SnapshotRecord {
  const record = decodeRecord(bytes, shared);
  if (record.vault !== vault || recordKey(record) !== key) throw new Error('it belongs elsewhere');
  return record;
}

/** A record that was decoded before, of this very text. */
export function recordAgain(bytes: Uint8Array, shared: SharedNames): SnapshotRecord {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  return held(JSON.parse(text) as SnapshotRecord, bytes, shared);
}

const hashes = new WeakMap<SnapshotRecord, string>();

/** SHA-256 (hex) of a record as stored: the next record of its writer names it. Records that were read know it. */
export function recordHash(record: SnapshotRecord): string {
  return hashes.get(record) ?? sha256Hex(recordBytes(record));
}

/** `snapshots/<system>/<dataset>/<time>-<id>.json` */
export function recordKey(record: Pick<SnapshotRecord, 'system' | 'dataset' | 'time' | 'id'>): string {
  return snapshotKey(record.system, record.dataset, record.time, record.id);
}

/** System, dataset, time (ISO 8601) and id that a record's key names; undefined when it is no such key. */
export function parseRecordKey(key: string): Extract<ParsedKey, { type: 'snapshot' }> | undefined {
  const parsed = parseKey(key);
  return parsed?.type === 'snapshot' ? parsed : undefined;
}

/** From where on a restore point needs the log of its dataset. */
export interface LogBase {
  readonly system: string;
  readonly dataset: string;
  readonly history: string;
  readonly log: string;
}

/** Undefined for one that needs none. */
export function baseOf({
  system,
  dataset,
  position: at,
}: Pick<SnapshotRecord, 'system' | 'dataset' | 'position'>): LogBase | undefined {
  const history = historyOf(at?.timeline ?? '');
  return history === undefined || at?.log === undefined ? undefined : { system, dataset, history, log: at.log };
}
