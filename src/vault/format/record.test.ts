import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { changed, expectHardy } from '../../../test/support/fuzz.ts';
import { canonicalJson } from '../../core/canonical-json.ts';
import { newUlid } from '../../core/ulid.ts';
import { decodeGeneration, generationBytes, signGeneration } from './generation.ts';
import {
  decodeRecord,
  encodeRecord,
  parseRecordKey,
  recordBytes,
  recordKey,
  signRecord,
  type UnsignedRecord,
} from './record.ts';
import { signedBytes } from './signed-json.ts';
import { newSigningKey, publicKeyOf, sign, verify, writerId } from './signing.ts';
import { decodeVaultFile, encodeVaultFile } from './vault-file.ts';

const vault = newUlid(1, randomBytes);
const { privateKey, publicKey } = newSigningKey();

const unsigned: UnsignedRecord = {
  format: 1,
  vault,
  system: 'harbor',
  dataset: 'app-db',
  kind: 'postgres',
  id: newUlid(2, randomBytes),
  time: '2026-11-21T00:10:14.123Z',
  committed: '2026-11-21T00:11:00.000Z',
  tool: 'lifeboat 0.1.0',
  versions: { server: '15.18', pg_dump: '15.18 (Débian)' },
  sizes: { logical: 10, added: 5, stored: 3, entries: 2 },
  lists: [
    ['f'.repeat(64), 4096, 2 ** 40],
    ['0'.repeat(64), 1, 100],
  ],
  manifest: ['ab'.repeat(32), 1_234],
  keys: [
    ['11'.repeat(32), '22'.repeat(32), 266],
    ['11'.repeat(32), '33'.repeat(32), 200],
    ['44'.repeat(32), '00'.repeat(32), 266],
  ],
  position: { lsn: '0/1949F70' },
  problems: { 'file-unreadable': 1 },
  retention: { class: 'daily', until: '2026-12-21T00:00:00.000Z' },
  generation: 0,
  previous: null,
  sequence: 1,
};

describe('a snapshot record', () => {
  test('is one line of canonical JSON that reads back and verifies', () => {
    const record = signRecord(unsigned, privateKey);
    const bytes = recordBytes(record);
    expect(decodeRecord(bytes)).toEqual(record);
    expect(Buffer.from(bytes).toString()).toBe(`${canonicalJson(record)}\n`);
    expect(Buffer.from(encodeRecord(unsigned, privateKey)).equals(bytes)).toBe(true);
    const { signature, ...rest } = record;
    expect(verify(Buffer.from(`lifeboat record\n${canonicalJson(rest)}`), signature, publicKey)).toBe(true);
    const { position: _, ...without } = unsigned;
    const plain = signRecord({ ...without, retention: { class: 'x' } }, privateKey);
    expect(decodeRecord(recordBytes(plain))).toEqual(plain);
  });

  test('changed in any way is damaged or forged, never accepted', () => {
    const bytes = recordBytes(signRecord(unsigned, privateKey));
    fc.assert(
      fc.property(changed(bytes), (other) => {
        fc.pre(Buffer.compare(other, bytes) !== 0);
        expect(() => decodeRecord(other)).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^record-(damaged|forged)$/) }),
        );
      }),
      { numRuns: 1500 },
    );
  });

  test('signed by another is forged; with another writer named, too', () => {
    const record = signRecord(unsigned, privateKey);
    const stranger = newSigningKey();
    const forged = expect.objectContaining({ code: 'record-forged' });
    const { signature: _, ...whole } = record;
    const signature = sign(signedBytes('record', whole), stranger.privateKey);
    expect(() => decodeRecord(recordBytes({ ...whole, signature }))).toThrow(forged);
    expect(() => decodeRecord(recordBytes({ ...record, writer: stranger.publicKey }))).toThrow(forged);
  });

  test('that says the same in other bytes is not the record: no spaces, repeated keys, other numbers or orders', () => {
    const text = Buffer.from(recordBytes(signRecord(unsigned, privateKey))).toString();
    const others = [
      text.trimEnd(),
      ` ${text}`,
      `\ufeff${text}`,
      text.replace('"format":1', '"format":1.0'),
      text.replace('"format":1', '"format":1,"format":1'),
      text.replace('"system"', '"extra":1,"system"'),
      text.replace('harbor', '\\u0068arbor'),
    ];
    for (const other of others) {
      expect(() => decodeRecord(Buffer.from(other))).toThrow(expect.objectContaining({ code: 'record-damaged' }));
    }
  });

  test('names the field that is wrong', () => {
    const cases: [Partial<Record<keyof UnsignedRecord, unknown>>, string][] = [
      [{ time: '2026-02-30T00:00:00.000Z' }, 'time'],
      [{ dataset: 'a/b' }, 'dataset'],
      [{ system: '../b' }, 'system'],
      [{ lists: [unsigned.lists[0], unsigned.lists[0]] }, 'lists'],
      [{ lists: [['f'.repeat(64), 4097, 1]] }, 'lists.0.1'],
      [{ lists: [['f'.repeat(64), 0, 1]] }, 'lists.0.1'],
      [{ lists: [['f'.repeat(64), 1]] }, 'lists.0'],
      [{ manifest: ['x', 1] }, 'manifest.0'],
      [{ sizes: { ...unsigned.sizes, added: -1 } }, 'sizes.added'],
      // 4.11: to the byte.
      [{ sizes: { ...unsigned.sizes, logical: 123_457 } }, 'sizes.logical'],
      [{ sizes: { ...unsigned.sizes, entries: 1001 } }, 'sizes.entries'],
      [{ previous: '' }, 'previous'],
      [{ sequence: 0 }, 'sequence'],
      [{ sequence: 2 }, 'sequence'],
      [{ previous: 'ab'.repeat(32) }, 'sequence'],
    ];
    for (const [change, field] of cases) {
      expect(() => signRecord({ ...unsigned, ...change } as UnsignedRecord, privateKey)).toThrow(
        expect.objectContaining({ code: 'record-damaged', message: `A snapshot record is damaged at ${field}.` }),
      );
    }
  });

  test('never crashes the decoder, however deep', () => {
    expectHardy(decodeRecord, recordBytes(signRecord(unsigned, privateKey)), ['record-damaged', 'record-forged']);
    for (const bytes of ['['.repeat(100_000), `{"format":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_001)}`]) {
      expect(() => decodeRecord(Buffer.from(bytes))).toThrow(expect.objectContaining({ code: 'record-damaged' }));
    }
  });

  test('lies under a key that a tired person can read, and that names it', () => {
    const record = signRecord(unsigned, privateKey);
    expect(recordKey(record)).toBe(`snapshots/harbor/app-db/20261121T001014.123Z-${record.id}.json`);
    expect(parseRecordKey(recordKey(record))).toMatchObject({
      system: 'harbor',
      dataset: 'app-db',
      time: record.time,
      id: record.id,
    });
    expect(parseRecordKey('snapshots/harbor/app-db/x.json')).toBeUndefined();
  });
});

describe('a prune generation', () => {
  const generation = signGeneration(
    { format: 1, vault, generation: 3, created: '2026-11-21T00:00:00.000Z', tombstones: ['ab'.repeat(32)], sparse: [] },
    privateKey,
  );

  test('reads back and verifies; changed, it is refused', () => {
    const bytes = generationBytes(generation);
    expect(decodeGeneration(bytes)).toEqual(generation);
    const other = newSigningKey().publicKey;
    expect(() => decodeGeneration(generationBytes({ ...generation, writer: other }))).toThrow(
      expect.objectContaining({ code: 'generation-forged' }),
    );
    expectHardy(decodeGeneration, bytes, ['generation-damaged', 'generation-forged']);
  });

  test('names nothing but ids, whoever signed it', () => {
    for (const wrong of ['AB'.repeat(32), 'ab', `${'ab'.repeat(31)}a\u00e9`]) {
      const odd = signGeneration({ ...generation, tombstones: ['0'.repeat(64), wrong] }, privateKey);
      expect(() => decodeGeneration(generationBytes(odd))).toThrow(
        expect.objectContaining({ code: 'generation-damaged' }),
      );
    }
  });

  test('with ids that are not sorted, or twice there, is damaged', () => {
    const [one, two] = ['ab'.repeat(32), 'cd'.repeat(32)];
    for (const sparse of [
      [two, one],
      [one, one],
    ]) {
      const odd = generationBytes(signGeneration({ ...generation, sparse }, privateKey));
      expect(() => decodeGeneration(odd)).toThrow(expect.objectContaining({ code: 'generation-damaged' }));
    }
  });

  test('and a record are never taken for each other, though one key may sign both', () => {
    expect(() => decodeRecord(generationBytes(generation))).toThrow(
      expect.objectContaining({ code: 'record-damaged' }),
    );
    const record = recordBytes(signRecord(unsigned, privateKey));
    expect(() => decodeGeneration(record)).toThrow(expect.objectContaining({ code: 'generation-damaged' }));
  });
});

describe('vault.json', () => {
  const file = { format: 1, vault, created: '2026-11-21T00:00:00.000Z' } as const;

  test('reads back; damage is typed, and a later format says that it is one', () => {
    expect(decodeVaultFile(encodeVaultFile(file))).toEqual(file);
    const later = Buffer.from(JSON.stringify({ ...file, format: 2, more: true }));
    expect(() => decodeVaultFile(later)).toThrow(expect.objectContaining({ code: 'format-newer' }));
    expectHardy(decodeVaultFile, encodeVaultFile(file), ['vault-file-damaged', 'format-newer']);
  });
});

describe('signing keys', () => {
  test('agree with RFC 8032, test 2', () => {
    const seed = Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex').toString(
      'base64',
    );
    const key = publicKeyOf(seed);
    expect(Buffer.from(key, 'base64').toString('hex')).toBe(
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    );
    const signature = sign(Uint8Array.of(0x72), seed);
    expect(Buffer.from(signature, 'base64').toString('hex')).toBe(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
    expect(verify(Uint8Array.of(0x72), signature, key)).toBe(true);
    expect(verify(Uint8Array.of(0x73), signature, key)).toBe(false);
  });

  test('that are none verify nothing, and throw nothing', () => {
    const good = sign(Uint8Array.of(1), privateKey);
    for (const text of ['', 'x', publicKey.slice(0, -1), `${publicKey}=`, publicKey.replace(/=$/, ''), good]) {
      expect(verify(Uint8Array.of(1), good, text)).toBe(false);
      expect(verify(Uint8Array.of(1), text.slice(1), publicKey)).toBe(false);
    }
    expect(() => sign(Uint8Array.of(1), 'x')).toThrow(TypeError);
    expect(writerId(publicKey)).toMatch(/^[0-9a-f]{32}$/);
    expect(() => writerId('x')).toThrow(TypeError);
  });
});
