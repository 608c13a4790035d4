import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { knowing } from '../../../test/support/keys.ts';
import { later } from '../../../test/support/later.ts';
import { unsignedRecord } from '../../../test/support/records.ts';
import { newUlid } from '../../core/ulid.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { encodeRecord, recordKey } from '../format/record.ts';
import { newSigningKey } from '../format/signing.ts';
import { recordReader } from './records.ts';

const vault = newUlid(0, randomBytes);
const time = '2026-03-01T00:00:00.000Z';

const unsigned = unsignedRecord(vault, Date.parse(time), {
  lists: [['a'.repeat(64), 1, 1]],
});

test('two places with two records under one name: suspect, and the place that keeps versions is believed', async () => {
  const { privateKey } = newSigningKey();
  const key = recordKey(unsigned);
  const disk = openMemory({ name: 'disk' });
  const bucket = openMemory({ name: 'bucket', versions: {} });
  await disk.put(key, encodeRecord({ ...unsigned, lists: [] }, privateKey));
  await bucket.put(key, encodeRecord(unsigned, privateKey));
  const { found, suspect } = await recordReader(vault, [disk, bucket], () => {})();
  expect(found.map(({ record, destinations }) => [record.lists, destinations])).toEqual([[unsigned.lists, ['bucket']]]);
  expect(suspect).toEqual([{ key, why: 'disk holds another record under this name than bucket' }]);
});

test('a stranger’s later version hides nothing that a known writer stored for later programs', async () => {
  const [own, stranger] = [newSigningKey(), newSigningKey()];
  const bucket = openMemory({ name: 'bucket', versions: { overwrites: true } });
  const key = recordKey(unsigned);
  await bucket.put(key, later('record', { ...unsigned, requires: [], format: 2 }, own.privateKey));
  await bucket.put(key, encodeRecord(unsigned, stranger.privateKey));
  const read = recordReader(vault, [bucket], () => {});
  const { suspect } = await read({ writers: knowing([own.publicKey], ['harbor']) });
  expect(suspect).toMatchObject([{ key, newer: true }]);
  // Where its writer is nobody, it stops nobody.
  const { found, suspect: none } = await read({ writers: knowing([newSigningKey().publicKey], ['harbor']) });
  expect([found.length, none]).toEqual([1, []]);
});

test('what strangers signed for later programs is no suspect, and what nobody can read is junk', async () => {
  const disk = openMemory({ name: 'disk' });
  const keys = [1, 2].map((at) => recordKey({ ...unsigned, id: newUlid(Date.parse(time) + at, randomBytes) }));
  await disk.put(keys[0]!, later('record', { ...unsigned, format: 2 }, newSigningKey().privateKey));
  await disk.put(keys[1]!, Buffer.from('x'));
  const { suspect, strange } = await recordReader(vault, [disk], () => {})({ writers: new Map() });
  expect(strange).toEqual([keys[0]]);
  expect(suspect).toMatchObject([{ key: keys[1], isJunk: true }]);
});

test('house-10: a long history is not read to its end once a person asks to stop', async () => {
  const { privateKey } = newSigningKey();
  const disk = openMemory({ name: 'disk' });
  for (let at = 0; at < 100; at++) {
    const one = { ...unsigned, id: newUlid(at, randomBytes) };
    await disk.put(recordKey(one), encodeRecord(one, privateKey));
  }
  const stop = new AbortController();
  let gets = 0;
  const counted: typeof disk = {
    ...disk,
    get(...asked) {
      if (++gets === 20) stop.abort(new Error('enough'));
      return disk.get(...asked);
    },
  };
  const told: string[] = [];
  const read = recordReader(vault, [counted], ({ key }) => void told.push(key), { signal: stop.signal });
  await expect(read()).rejects.toThrow('enough');
  // Those that were read side by side with the last.
  expect(gets).toBeLessThan(40);
  expect(told).toEqual([]);
});
