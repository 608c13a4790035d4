import { createHash, createHmac } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import type { RandomBytes } from '../../src/core/clock.ts';
import type { StoredEntry } from '../../src/core/entry.ts';
import type { Expectations } from '../../src/core/expectations.ts';
import { printsOf } from '../../src/core/recipient-print.ts';
import { startRun } from '../../src/core/run.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { openMemory } from '../../src/destinations/memory/destination.ts';
import { newHeader } from '../../src/vault/age/header.ts';
import { sealAll } from '../../src/vault/age/stream.ts';
import { type NewEpoch, newEpoch } from '../../src/vault/epochs/epoch.ts';
import { encodeEntry } from '../../src/vault/format/entries.ts';
import { unescapeBytes } from '../../src/vault/format/escape.ts';
import { encodeGrant } from '../../src/vault/format/grant.ts';
import { encodeIndexDelta, type IndexedPack } from '../../src/vault/format/index-delta.ts';
import {
  epochKeyKey,
  grantKey,
  indexKey,
  manifestKey,
  packKey,
  RESCUE_KEY,
  VAULT_KEY,
} from '../../src/vault/format/keys.ts';
import { type BodyExtent, type Extent, encodeManifest } from '../../src/vault/format/manifest.ts';
import { MAX_LISTED_PACKS } from '../../src/vault/format/pack-list.ts';
import { publicSizes, recordBytes, recordKey, type SnapshotRecord, signRecord } from '../../src/vault/format/record.ts';
import { newSigningKey, publicKeyOf, type SigningKey, writerId } from '../../src/vault/format/signing.ts';
import { encodeToc, type Frame, paddingFrame, paddingSize } from '../../src/vault/format/toc.ts';
import { encodeVaultFile } from '../../src/vault/format/vault-file.ts';
import { copiesTo } from '../../src/vault/write/copies.ts';
import { type LogPiece, openLogWriter } from '../../src/vault/write/logs.ts';
import { type ListObject, listOf, type SizedPack } from './lists.ts';

/** The plainest writer that keeps to docs/vault-format.md: everything in memory, fixed chunks, no threads. For tests. */
export interface VaultBuilder {
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly signingKey: SigningKey;
  /** Commits one restore point. Entries must be in the order of `comparePaths`. */
  commit(point: NewPoint): Promise<SnapshotRecord>;
  /** Stores pieces of a log, and their cover, by the function of the product. */
  log(of: LogOf, pieces: readonly LogPiece[]): Promise<void>;
  /** What is stored from now on is sealed to an epoch of these recipients. */
  rotate(recipients: readonly string[]): void;
}

export interface LogOf {
  readonly system?: string;
  readonly dataset: string;
  readonly timeline: string;
  readonly time: string;
  /** Whoever else signs it. */
  readonly by?: string;
}

export interface NewPoint {
  readonly system?: string;
  readonly dataset: string;
  readonly kind: string;
  readonly time: string;
  readonly entries: readonly NewEntry[];
  readonly facts?: Record<string, unknown>;
  readonly expectations?: Expectations;
  readonly position?: SnapshotRecord['position'];
  /** It stays until 2036 when absent. */
  readonly retention?: SnapshotRecord['retention'];
  /** The prune generation that it has seen; none when absent. */
  readonly generation?: number;
  /** Changes the list of entries after it was made: what a hostile writer would do. */
  readonly amendBody?: (body: string) => string;
  readonly amendManifest?: (manifest: string) => string;
}

type Stored<Type> = Extract<StoredEntry, { type: Type }>;
/** A file is given as its parts: bytes, or a number of zeros that become a hole. */
export type NewEntry =
  | Exclude<StoredEntry, { type: 'file' }>
  | (Omit<Stored<'file'>, 'sizeBytes' | 'sha256'> & { readonly parts: ReadonlyArray<Uint8Array | number> });

export interface BuilderOptions {
  readonly recipients: readonly string[];
  readonly random: RandomBytes;
  readonly chunkSize: number;
  readonly frameSize: number;
  /** Raw bytes after which a pack is full. */
  readonly packSize: number;
  readonly rescue?: Uint8Array;
  /** Packs in a list; as many as there may be when absent. */
  readonly listPacks?: number;
}

interface Chunk {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** A piece of content before its pack has a name: a chunk's id, or a hole. */
type Piece = { readonly id: string; readonly length: number } | { readonly id: null; readonly length: number };

export function buildVault(options: BuilderOptions): VaultBuilder {
  const { random } = options;
  const objects = new Map<string, Uint8Array>();
  const places = new Map<string, Extent>();
  const chunkKey = random(32);
  const signingKey = newSigningKey();
  const { privateKey } = signingKey;
  const vault = newUlid(Date.UTC(2026, 0, 1), random);
  let previous: string | null = null;
  let sequence = 0;

  objects.set(VAULT_KEY, encodeVaultFile({ format: 1, vault, created: '2026-01-01T00:00:00.000Z' }));
  if (options.rescue) objects.set(RESCUE_KEY, options.rescue);

  /** By pack and manifest, the epoch that it is sealed to. */
  const sealedTo = new Map<string, NewEpoch>();
  let { recipients } = options;
  let epochs = 0;
  let current: NewEpoch | undefined;

  /** Begins one for the recipients of now. */
  async function begin(time: string): Promise<NewEpoch> {
    const made = newEpoch(recipients);
    const { epoch, speaker, keyObject } = made;
    const id = newUlid(Date.parse(time), random);
    const key = [hex(keyObject), keyObject.length] as const;
    const begins = { speaker, number: ++epochs };
    objects.set(epochKeyKey(epoch, key[0]), keyObject);
    const grant = { vault, id, time, epoch, key, recipients: printsOf(recipients), begins };
    objects.set(grantKey(epoch, id), encodeGrant(grant, privateKey));
    return made;
  }

  async function sealPlain(plain: Uint8Array): Promise<Uint8Array> {
    const { header, fileKey } = newHeader([current!.recipient]);
    return sealAll(header, fileKey, random(16), plain);
  }

  function seal(plain: Uint8Array): Promise<Uint8Array> {
    return sealPlain(zstdCompressSync(plain, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }));
  }

  function cut(parts: ReadonlyArray<Uint8Array | number>, into: Map<string, Chunk>): Piece[] {
    return parts.flatMap((part): Piece[] => {
      if (typeof part === 'number') return part === 0 ? [] : [{ id: null, length: part }];
      const pieces: Piece[] = [];
      for (let at = 0; at < part.length; at += options.chunkSize) {
        const bytes = part.subarray(at, at + options.chunkSize);
        const digest = createHash('sha256').update(bytes).digest();
        const id = createHmac('sha256', chunkKey).update(digest).digest('hex').slice(0, 40);
        if (!places.has(id)) into.set(id, { id, bytes });
        pieces.push({ id, length: bytes.length });
      }
      return pieces;
    });
  }

  /** Writes the new chunks into packs and notes where each is. */
  async function flush(chunks: readonly Chunk[], kind: IndexedPack['kind']): Promise<IndexedPack[]> {
    const packs: IndexedPack[] = [];
    for (const group of groups(chunks, options.packSize)) {
      const { plain, toc } = packPlain(group, options.frameSize);
      const file = await sealPlain(plain);
      const id = createHash('sha256').update(file).digest('hex');
      objects.set(packKey(id), file);
      sealedTo.set(id, current!);
      packs.push({ id, sizeBytes: file.length, kind, toc });
      let offset = 0;
      for (const chunk of group) {
        places.set(chunk.id, { pack: id, offset, length: chunk.bytes.length });
        offset += chunk.bytes.length;
      }
    }
    return packs;
  }

  const locate = (pieces: readonly Piece[]) =>
    merged(pieces.map(({ id, length }) => (id === null ? { pack: null, offset: 0, length } : places.get(id)!)));

  async function storeContents(point: NewPoint) {
    const fresh = new Map<string, Chunk>();
    const files = point.entries.map((entry) => (entry.type === 'file' ? cut(entry.parts, fresh) : []));
    const packs = await flush([...fresh.values()], 'data');
    const extents = files.map(locate);
    const stored = point.entries.map(storedEntry);
    const lines = stored.map((entry, at) => encodeEntry(entry, extents[at] ?? [])).join('');
    const bytes = Buffer.from(point.amendBody?.(lines) ?? lines, 'latin1');
    const bodyChunks = new Map<string, Chunk>();
    const pieces = cut([bytes], bodyChunks);
    packs.push(...(await flush([...bodyChunks.values()], 'meta')));
    const body = { sizeBytes: bytes.length, sha256: hex(bytes), extents: begun(locate(pieces), bytes) };
    const named = new Set([...extents.flat(), ...body.extents].flatMap(({ pack }) => pack ?? []));
    // In the order in which they were stored.
    const used = [...objects.keys()].flatMap((key) => [...named].filter((id) => packKey(id) === key));
    const sizes = {
      logical: stored.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.sizeBytes : 0), 0),
      added: [...fresh.values()].reduce((sum, chunk) => sum + chunk.bytes.length, 0),
      stored: packs.reduce((sum, pack) => sum + pack.sizeBytes, 0),
      entries: stored.length,
    };
    return { packs, body, sizes, used };
  }

  async function storeIndex(packs: readonly IndexedPack[], timeMs: number): Promise<void> {
    if (packs.length === 0) return;
    const key = indexKey(writerId(publicKeyOf(privateKey)), newUlid(timeMs, random));
    const delta = encodeIndexDelta({ vault, packs, epoch: current!.epoch }, privateKey);
    objects.set(key, await seal(delta));
  }

  const keysOfEpoch = ({ epoch, keyObject }: NewEpoch): SnapshotRecord['keys'] => [
    [epoch, hex(keyObject), keyObject.length],
  ];

  return {
    objects,
    signingKey,
    async log({ system = 'example', dataset, timeline, time, by = privateKey }, pieces) {
      current ??= await begin(time);
      const { epoch, recipient } = current;
      const store = openMemory({ name: 'memory' });
      for (const [key, bytes] of objects) await store.put(key, bytes);
      const clock = { now: () => Date.parse(time), elapsed: () => 0 };
      const writer = await openLogWriter({
        ...{ vault, system, dataset, timeline, signingKey: by, clock, random },
        epochs: { current: { epoch, recipient }, keysOf: () => keysOfEpoch(current!) },
        copies: copiesTo([store], startRun({ clock })),
      });
      await writer.append(pieces);
      for await (const { key } of store.list('')) if (!objects.has(key)) objects.set(key, await store.get(key));
    },
    rotate(to) {
      recipients = to;
      current = undefined;
    },
    async commit(point) {
      current ??= await begin(point.time);
      const { packs, body, sizes, used } = await storeContents(point);
      const { system = 'example', dataset, kind, time, facts = {}, expectations, position, generation = 0 } = point;
      const { retention = { class: 'daily', until: '2036-01-01T00:00:00.000Z' } } = point;
      const id = newUlid(Date.parse(time), random);
      await storeIndex(packs, Date.parse(time));
      const described = {
        ...{ vault, system, dataset, kind, id, time, previous, writer: publicKeyOf(privateKey) },
        chunkKey,
        sizes,
        body,
        facts,
        ...(expectations && { expectations }),
        problems: [],
      };
      const sized = used.map((pack) => [pack, objects.get(packKey(pack))!.length] as const);
      const lists = inLists(sized, options.listPacks ?? MAX_LISTED_PACKS);
      for (const list of lists) objects.set(list.key, list.bytes);
      const text = Buffer.from(encodeManifest(described)).toString();
      const manifest = await seal(Buffer.from(point.amendManifest?.(text) ?? text));
      objects.set(manifestKey(hex(manifest)), manifest);
      const record = signRecord(
        {
          format: 1,
          vault,
          system,
          dataset,
          kind,
          id,
          time,
          committed: time,
          tool: 'lifeboat 0.1.0',
          versions: {},
          sizes: publicSizes(sizes),
          lists: lists.map(({ name }) => name),
          manifest: [hex(manifest), manifest.length],
          keys: keysOf([current, ...used.map((pack) => sealedTo.get(pack)!)]),
          problems: {},
          retention,
          generation,
          ...(position && { position }),
          previous,
          sequence: ++sequence,
        },
        privateKey,
      );
      const bytes = recordBytes(record);
      previous = hex(bytes);
      objects.set(recordKey(record), bytes);
      return record;
    },
  };
}

function keysOf(epochs: readonly NewEpoch[]): SnapshotRecord['keys'] {
  const sorted = [...new Set(epochs)].sort((a, b) => (a.epoch < b.epoch ? -1 : 1));
  return sorted.map(({ epoch, keyObject }) => [epoch, hex(keyObject), keyObject.length] as const);
}

/** The plaintext of a pack: frames, padding, table of contents. */
export function packPlain(chunks: readonly Chunk[], frameSize: number) {
  const parts: Uint8Array[] = [];
  const frames: Frame[] = [];
  for (const group of groups(chunks, frameSize)) {
    const raw = Buffer.concat(group.map((chunk) => chunk.bytes));
    const frame = zstdCompressSync(raw, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
    parts.push(frame);
    frames.push({ compressedLength: frame.length, rawLength: raw.length, chunkCount: group.length });
  }
  const ids = Buffer.from(chunks.map((chunk) => chunk.id).join(''), 'hex');
  const toc = { frames, chunks: { ids, lengths: Uint32Array.from(chunks, (chunk) => chunk.bytes.length) } };
  const tail = encodeToc(toc);
  const padding = paddingSize(parts.reduce((sum, part) => sum + part.length, tail.length));
  if (padding > 0) parts.push(paddingFrame(padding));
  return { plain: Buffer.concat([...parts, tail]), toc };
}

/** Writes `objects` into `folder`, as a local destination holds them. */
export function writeObjects(objects: ReadonlyMap<string, Uint8Array>, folder: string): void {
  for (const [key, bytes] of objects) {
    mkdirSync(dirname(join(folder, key)), { recursive: true });
    writeFileSync(join(folder, key), bytes);
  }
}

function storedEntry(entry: NewEntry): StoredEntry {
  if (entry.type !== 'file') return entry;
  const { parts, ...rest } = entry;
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for (const part of parts) {
    const bytes = typeof part === 'number' ? Buffer.alloc(part) : part;
    hash.update(bytes);
    sizeBytes += bytes.length;
  }
  return { ...rest, sizeBytes, sha256: hash.digest('hex') };
}

/** Neighbours in one pack, and neighbouring holes, become one extent. */
function merged(extents: readonly Extent[]): Extent[] {
  const result: Extent[] = [];
  for (const extent of extents) {
    const last = result.at(-1);
    const adjoins =
      last && last.pack === extent.pack && (extent.pack === null || last.offset + last.length === extent.offset);
    if (adjoins) result[result.length - 1] = { ...last, length: last.length + extent.length };
    else result.push(extent);
  }
  return result;
}

/** With the first entry that begins in each. */
function begun(extents: readonly Extent[], body: Buffer): BodyExtent[] {
  const text = body.toString('latin1');
  let start = 0;
  return extents.map(({ pack, offset, length }) => {
    const begins = /(?<=^|\n)[^+x\n]\t([^\t\n]+)\t/g;
    begins.lastIndex = start;
    const found = begins.exec(text);
    const at = (found?.index ?? start + length) - start;
    start += length;
    const piece = { pack: pack!, offset, length };
    return at < length ? { ...piece, first: { at, path: unescapeBytes(found![1]!) ?? found![1]! } } : piece;
  });
}

function groups(chunks: readonly Chunk[], sizeBytes: number): Chunk[][] {
  const result: Chunk[][] = [];
  let held = sizeBytes;
  for (const chunk of chunks) {
    if (held >= sizeBytes) {
      result.push([]);
      held = 0;
    }
    result.at(-1)!.push(chunk);
    held += chunk.bytes.length;
  }
  return result;
}

function hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function inLists(packs: readonly SizedPack[], count: number): ListObject[] {
  const lists: ListObject[] = [];
  for (let at = 0; at < packs.length; at += count) lists.push(listOf(packs.slice(at, at + count)));
  return lists;
}
