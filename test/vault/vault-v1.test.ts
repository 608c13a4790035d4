import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/core/canonical-json.ts';
import { parseIdentityFile } from '../../src/vault/age/identity.ts';
import { openSmall } from '../../src/vault/age/small-objects.ts';
import { openAll } from '../../src/vault/age/stream.ts';
import { openEpochKey } from '../../src/vault/epochs/epoch.ts';
import { epochsOf } from '../../src/vault/epochs/grants.ts';
import { coverBytes, decodeCover, spanOf } from '../../src/vault/format/cover.ts';
import { decodeEndorsement, endorsementBytes } from '../../src/vault/format/endorsement.ts';
import { encodeEntry, type LocatedEntry } from '../../src/vault/format/entries.ts';
import { newEntryReader } from '../../src/vault/format/entry-lines.ts';
import { escapeBytes } from '../../src/vault/format/escape.ts';
import { decodeGeneration, generationBytes } from '../../src/vault/format/generation.ts';
import { decodeGrant, grantBytes } from '../../src/vault/format/grant.ts';
import { decodeIndexDelta } from '../../src/vault/format/index-delta.ts';
import { listKey, logKey, manifestKey, packKey, parseKey } from '../../src/vault/format/keys.ts';
import { verifyLedger } from '../../src/vault/format/ledger.ts';
import { decodeManifest, type Extent, encodeManifest } from '../../src/vault/format/manifest.ts';
import { decodeRecord, recordBytes, recordKey, type SnapshotRecord } from '../../src/vault/format/record.ts';
import { isSoundRescue } from '../../src/vault/format/rescue-script.ts';
import { writerId } from '../../src/vault/format/signing.ts';
import { decodeToc, encodeToc, findToc, paddingFrame } from '../../src/vault/format/toc.ts';
import { decodeVaultFile, encodeVaultFile } from '../../src/vault/format/vault-file.ts';
import { listedAt } from '../support/lists.ts';
import { temporaryFolder } from '../support/temp.ts';

// A vault that was written once with format 1. Whoever has one like it must be able to read it for ever, so this fixture never
// changes: when a test here fails, the code is wrong.
const FIXTURE = join(import.meta.dirname, '../fixtures/vault-v1');
const VAULT = join(FIXTURE, 'vault');

const keys = readdirSync(VAULT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(VAULT.length + 1));
const parsed = keys.map((key) => ({ key, is: parseKey(key), bytes: new Uint8Array(readFileSync(join(VAULT, key))) }));
const ofType = (type: string) => parsed.filter(({ is }) => is?.type === type);
const identitiesIn = (file: string) => parseIdentityFile(readFileSync(join(FIXTURE, file), 'utf8'));
const epochKeys = ofType('epoch-key').map(({ is, bytes }) => ({
  epoch: is?.type === 'epoch-key' ? is.epoch : '',
  bytes,
}));
const opened = await Promise.all(
  epochKeys.map(({ epoch, bytes }) => openEpochKey(bytes, epoch, identitiesIn('identity.txt')).catch(() => [])),
);
/** Of the two epochs, each from the object that is for this identity. */
const identities = opened.flat();
const records = ofType('snapshot').map(({ bytes }) => decodeRecord(bytes));

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('a vault of format 1, written long ago', () => {
  test('holds nothing but objects that are still known', () => {
    expect(parsed.filter(({ is }) => is === undefined)).toEqual([]);
    const counts = Object.groupBy(parsed, ({ is }) => is!.type);
    expect(Object.fromEntries(Object.entries(counts).map(([type, list]) => [type, list.length]))).toEqual({
      vault: 1,
      rescue: 1,
      pack: 15,
      list: 9,
      index: 4,
      manifest: 4,
      snapshot: 4,
      generation: 1,
      ledger: 5,
      endorsement: 1,
      'epoch-key': 3,
      grant: 3,
      log: 4,
      cover: 3,
    });
  });

  test('keeps every plaintext object byte for byte through reading and writing', () => {
    const { vault } = decodeVaultFile(ofType('vault')[0]!.bytes);
    expect(encodeVaultFile(decodeVaultFile(ofType('vault')[0]!.bytes))).toEqualBytes(ofType('vault')[0]!.bytes);
    for (const { bytes, key } of ofType('snapshot')) {
      const record = decodeRecord(bytes);
      expect(recordBytes(record)).toEqualBytes(bytes);
      expect(recordKey(record)).toBe(key);
      expect(record.vault).toBe(vault);
    }
    const byTime = records.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const chain = byTime.map((record) => sha256(recordBytes(record)));
    expect(byTime.map(({ previous }) => previous)).toEqual([null, ...chain.slice(0, -1)]);
    const { bytes } = ofType('generation')[0]!;
    expect(generationBytes(decodeGeneration(bytes))).toEqualBytes(bytes);
    for (const { bytes, key } of ofType('endorsement')) {
      expect(endorsementBytes(decodeEndorsement(bytes, key))).toEqualBytes(bytes);
    }
    for (const { bytes, key } of ofType('grant')) expect(grantBytes(decodeGrant(bytes, key))).toEqualBytes(bytes);
    for (const { bytes, key } of ofType('cover')) expect(coverBytes(decodeCover(bytes, key))).toEqualBytes(bytes);
    expect(verifyLedger(ofType('ledger'), { vault })).toMatchObject({
      ...{ ok: true, entries: 5 },
      under: [{ writer: records[0]!.writer, through: 3, gone: 2 }],
    });
    expect(isSoundRescue(ofType('rescue')[0]!.bytes)).toBe(true);
  });

  test('holds two epochs, one of which was opened to a recipient that came later', async () => {
    const epochs = epochsOf(
      ofType('grant').map(({ bytes, key }) => decodeGrant(bytes, key)),
      (writer) => writer === records[0]!.writer,
    );
    expect(
      epochs
        .values()
        .map(({ number, grants }) => [number, grants.length])
        .toArray()
        .sort(),
    ).toEqual([
      [1, 2],
      [2, 1],
    ]);
    expect(identities).toHaveLength(2);
    const others = await Promise.all(
      epochKeys.map(({ epoch, bytes }) => openEpochKey(bytes, epoch, identitiesIn('added.txt')).catch(() => [])),
    );
    expect(others.flat().sort()).toEqual(identities.toSorted());
  });

  test('keeps every pack and index delta byte for byte, beneath the encryption', async () => {
    const tocs = new Map<string, Uint8Array>();
    for (const { bytes, is, key } of ofType('pack')) {
      const id = is?.type === 'pack' ? is.id : '';
      expect([sha256(bytes), packKey(id)]).toEqual([id, key]);
      const plain = await openAll(bytes, identities);
      const { toc: found } = findToc(plain);
      const toc = decodeToc(found!);
      expect(encodeToc(toc)).toEqualBytes(found!);
      tocs.set(id, found!);
      const framesEnd = toc.frames.reduce((sum, frame) => sum + frame.compressedLength, 0);
      const between = plain.subarray(framesEnd, plain.length - found!.length);
      if (between.length > 0) expect(paddingFrame(between.length)).toEqualBytes(between);
    }
    for (const { bytes, is } of ofType('index')) {
      const plain = zstdDecompressSync(await openAll(bytes, identities));
      const delta = decodeIndexDelta(plain);
      expect(is).toMatchObject({ writer: writerId(delta.writer) });
      expect([delta.vault, delta.writer]).toEqual([records[0]!.vault, records[0]!.writer]);
      for (const pack of delta.packs) expect(encodeToc(pack.toc)).toEqualBytes(tocs.get(pack.id)!);
    }
  });

  test('gives back its logs, every piece that a cover names, which go on from one another', async () => {
    const covers = ofType('cover').map(({ bytes, key }) => decodeCover(bytes, key));
    const [first, second, other] = covers.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(first).toMatchObject({ previous: null, after: null, sequence: 1, first: '0000000001000000' });
    expect(second).toMatchObject({ previous: sha256(coverBytes(first!)), after: first!.last, sequence: 2 });
    expect(other).toMatchObject({ previous: null, timeline: '7450000000000000001-2', first: second!.last });
    const position = records.find(({ kind }) => kind === 'postgres')?.position;
    expect(position).toMatchObject({ timeline: first!.timeline, log: '0000000001000028' });
    for (const cover of covers) {
      for (const [start, end, id, sizeBytes] of cover.pieces) {
        const bytes = readFileSync(join(VAULT, logKey(spanOf(cover, start, end), id)));
        expect([sha256(bytes), bytes.length]).toEqual([id, sizeBytes]);
        expect(Buffer.from(await openSmall(bytes, identities)).toString()).toMatch(new RegExp(`^wal ${start} wal`));
      }
    }
  });

  test('gives back every entry of every restore point, byte for byte', async () => {
    const lines: string[] = [];
    for (const record of records.toSorted((a, b) => (a.id < b.id ? -1 : 1))) lines.push(...(await treeOf(record)));
    expect(`${lines.join('\n')}\n`).toBe(readFileSync(join(FIXTURE, 'tree.txt'), 'latin1'));
  });

  test.for([
    ['the rescue.sh that lies in it', join(VAULT, 'rescue.sh')],
    ["today's rescue.sh", join(import.meta.dirname, '../../rescue/rescue.sh')],
  ])('is restored by %s', async ([, script]) => {
    const folder = await temporaryFolder();
    for (const [at, record] of records.entries()) {
      const args = [
        'restore',
        VAULT,
        join(FIXTURE, at === 0 ? 'added.txt' : 'identity.txt'),
        `${record.system}/${record.dataset}@${record.id}`,
        join(folder, record.id),
      ];
      const run = spawnSync('bash', [script!, ...args], { encoding: 'utf8' });
      expect(run.stdout).toMatch(/\b([1-9]\d*) of \1 files match/);
      expect(run.status).toBe(0);
    }
  });
});

async function treeOf(record: SnapshotRecord): Promise<string[]> {
  const [id] = record.manifest;
  const object = readFileSync(join(VAULT, manifestKey(id)));
  expect(sha256(object)).toBe(id);
  const text = zstdDecompressSync(await openAll(object, identities));
  const manifest = decodeManifest(text);
  expect(encodeManifest(manifest)).toEqualBytes(text);
  for (const [listed, packs] of record.lists) {
    const bytes = readFileSync(join(VAULT, listKey(listed)));
    expect([sha256(bytes), bytes.length]).toEqual([listed, 16 + 36 * packs]);
  }
  const raw = new Map<string, Buffer>();
  for (const [pack] of listedAt(VAULT, record)) {
    raw.set(pack, rawOf(await openAll(readFileSync(join(VAULT, packKey(pack))), identities)));
  }
  const read = (extents: readonly Extent[]) =>
    Buffer.concat(
      extents.map(({ pack, offset, length }) =>
        pack === null ? Buffer.alloc(length) : raw.get(pack)!.subarray(offset, offset + length),
      ),
    );
  const body = read(manifest.body.extents);
  expect([body.length, sha256(body)]).toEqual([manifest.body.sizeBytes, manifest.body.sha256]);
  const reader = newEntryReader();
  const entries = [...reader.push(body), ...reader.end()];
  expect(Buffer.from(entries.map(({ entry, extents }) => encodeEntry(entry, extents)).join(''))).toEqualBytes(body);
  return entries.map((located) => treeLine(record, located, read));
}

function treeLine(record: SnapshotRecord, { entry, extents }: LocatedEntry, read: (list: readonly Extent[]) => Buffer) {
  const target = 'target' in entry ? escapeBytes(entry.target) : '-';
  const hash = entry.type === 'file' ? sha256(read(extents)) : '-';
  if (entry.type === 'file') expect(hash).toBe(entry.sha256);
  const { type, path, mode, uid, gid, mtimeNs } = entry;
  return [record.id, type, escapeBytes(path), mode.toString(8), uid, gid, mtimeNs, hash, target].join('\t');
}

/** What a pack decompresses to, frame by frame. */
function rawOf(plain: Uint8Array): Buffer {
  let at = 0;
  const frames = decodeToc(findToc(plain).toc!).frames.map(({ compressedLength, rawLength }) => {
    const raw = zstdDecompressSync(plain.subarray(at, at + compressedLength));
    expect(raw.length).toBe(rawLength);
    at += compressedLength;
    return raw;
  });
  return Buffer.concat(frames);
}

expect.extend({
  toEqualBytes: (received: Uint8Array, wanted: Uint8Array) => ({
    pass: Buffer.compare(received, wanted) === 0,
    message: () =>
      `the bytes differ:\n${Buffer.from(received).toString('latin1')}\n${Buffer.from(wanted).toString('latin1')}`,
  }),
});

declare module 'vitest' {
  interface Matchers<T> {
    toEqualBytes(wanted: Uint8Array): T;
  }
}

test('docs/vault-format.md shows a manifest of this very vault', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/vault-format.md'), 'utf8');
  const [shown = ''] = page.match(/lifeboat-manifest\t1\n[^`]*/) ?? [];
  const { id } = decodeManifest(Buffer.from(shown));
  const record = records.find((one) => one.id === id)!;
  const object = readFileSync(join(VAULT, manifestKey(record.manifest[0])));
  expect(zstdDecompressSync(await openAll(object, identities)).toString()).toBe(shown);
});

// Canonical JSON is part of the format too: what was signed then must be what is signed now.
test('canonical JSON of a stored record is what is stored', () => {
  for (const record of records)
    expect(ofType('snapshot').some(({ bytes }) => Buffer.from(bytes).toString() === `${canonicalJson(record)}\n`)).toBe(
      true,
    );
});
