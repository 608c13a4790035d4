import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newUlid } from '../../core/ulid.ts';
import { createIdSet } from '../id-set.ts';
import { createIds } from '../ids.ts';
import { createHeldPacks } from '../prune/held.ts';
import { countedPacks, readPacks } from './counted-packs.ts';
import {
  decodeCounted,
  decodeRecord,
  encodeRecord,
  recordBytes,
  recordHash,
  type SnapshotRecord,
  type UnsignedRecord,
} from './record.ts';
import { newSigningKey } from './signing.ts';

const { privateKey } = newSigningKey();
const time = '2026-03-01T00:00:00.000Z';
const id = (digit: number) => digit.toString(16).repeat(64);

function encoded(packs: SnapshotRecord['packs'], more: Partial<UnsignedRecord> = {}): Uint8Array {
  const ulid = newUlid(Date.parse(time), randomBytes);
  const unsigned: UnsignedRecord = {
    format: 1,
    vault: ulid,
    system: 'shop',
    dataset: 'db',
    kind: 'postgres',
    id: ulid,
    time,
    committed: time,
    tool: 'a ]] "packs":[["',
    versions: { 'a"packs': '"packs":[' },
    sizes: { logical: 1, added: 1, stored: 1, entries: 1 },
    packs,
    manifest: [id(0), 1],
    problems: {},
    retention: { class: 'standard' },
    generation: 0,
    previous: null,
    sequence: 1,
  };
  return encodeRecord({ ...unsigned, ...more }, privateKey);
}

const somePacks = fc
  .uniqueArray(fc.integer({ min: 1, max: 15 }), { minLength: 1 })
  .chain((ids) =>
    fc.tuple(
      fc.constant(ids.sort((a, b) => a - b)),
      fc.array(fc.maxSafeNat(), { minLength: ids.length, maxLength: ids.length }),
    ),
  )
  .map(([ids, sizes]) => ids.map((one, at) => [id(one), sizes[at]!] as const));

test('a record says the same however it is read, also where another gave a pack another size', () => {
  const ids = createIds();
  fc.assert(
    fc.property(somePacks, (packs) => {
      const bytes = encoded(packs);
      const counted = decodeCounted(bytes, ids);
      expect(countedPacks(counted)?.numbers.length).toBe(packs.length);
      expect(counted).toEqual(decodeRecord(bytes));
      expect(Buffer.from(recordBytes(counted))).toEqual(Buffer.from(bytes));
      expect(recordHash(counted)).toBe(recordHash({ ...counted }));
    }),
  );
});

test('what is damaged is refused with the same words, at every byte', () => {
  const bytes = encoded([
    [id(1), 70],
    [id(2), 0],
  ]);
  const outcome = (read: () => SnapshotRecord) => {
    try {
      return read();
    } catch (error) {
      return String(error);
    }
  };
  for (const at of bytes.keys()) {
    for (const byte of Buffer.from('0a"],[')) {
      const other = Uint8Array.from(bytes);
      other[at] = byte;
      const counted = outcome(() => decodeCounted(other, createIds()));
      expect(counted).toEqual(outcome(() => decodeRecord(other)));
      if (Buffer.compare(other, bytes) !== 0) expect(counted).toBeTypeOf('string');
    }
  }
});

test('only a sorted list of ids and canonical sizes is one, whoever signed it', () => {
  const [one, two] = [`["${id(1)}",7]`, `["${id(2)}",10]`];
  const read = (text: string) => readPacks(Buffer.from(text), createIds())?.numbers.length;
  expect([read(''), read(one), read(`${one},${two}`)]).toEqual([0, 1, 2]);
  const wrong = [
    `${two},${one}`,
    `${one},${one}`,
    `${one}${two}`,
    `${one},`,
    `,${one}`,
    one.replace('7', '07'),
    one.replace('7', '-7'),
    one.replace('7', '7.0'),
    one.replace('7', ''),
    one.replace('7', '9007199254740993'),
    one.replace('1', 'A'),
    one.replace('1', ''),
    one.slice(0, -1),
    ` ${one}`,
  ];
  expect(wrong.map(read)).toEqual(wrong.map(() => undefined));
});

test('a place holds all of a record only with the sizes that it says, counted together or not', () => {
  const ids = createIds();
  const bytes = encoded([
    [id(1), 70],
    [id(2), 0],
  ]);
  const held = createHeldPacks(ids);
  held.add(id(1), { sizeBytes: 70, modifiedMs: 1 });
  const records = [decodeCounted(bytes, ids), decodeCounted(bytes, createIds()), decodeRecord(bytes)];
  const needed = createIdSet(ids, [id(1)]);
  for (const record of records) {
    expect(held.hasAllOf(record)).toBe(false);
    expect([...needed.packsBeyond(record)]).toEqual([[id(2), 0]]);
  }
  held.add(id(2), { sizeBytes: 1, modifiedMs: 1 });
  for (const record of records) expect(held.hasAllOf(record)).toBe(false);
  held.add(id(2), { sizeBytes: 0, modifiedMs: 2 });
  for (const record of records) expect(held.hasAllOf(record)).toBe(true);
  expect([...held]).toEqual([
    [id(1), { sizeBytes: 70, modifiedMs: 1 }],
    [id(2), { sizeBytes: 0, modifiedMs: 2 }],
  ]);
});
