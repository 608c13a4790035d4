import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { newUlid } from '../../core/ulid.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { encodeRecord, recordKey, type UnsignedRecord } from '../format/record.ts';
import { newSigningKey } from '../format/signing.ts';
import { recordReader } from './records.ts';

const vault = newUlid(0, randomBytes);
const sha = (digit: string) => digit.repeat(64);
const time = '2026-03-01T00:00:00.000Z';

const unsigned: UnsignedRecord = {
  format: 1,
  vault,
  system: 'shop',
  dataset: 'db',
  kind: 'postgres',
  id: newUlid(Date.parse(time), randomBytes),
  time,
  committed: time,
  tool: 'test',
  versions: {},
  sizes: { logical: 1, added: 1, stored: 1, entries: 1 },
  packs: [[sha('a'), 1]],
  manifest: [sha('b'), 1],
  problems: {},
  retention: { class: 'standard' },
  generation: 0,
  previous: null,
  sequence: 1,
};

test('two places with two records under one name: suspect, and the place that keeps versions is believed', async () => {
  const { privateKey } = newSigningKey();
  const key = recordKey(unsigned);
  const disk = openMemory({ name: 'disk' });
  const bucket = openMemory({ name: 'bucket', versions: {} });
  await disk.put(key, encodeRecord({ ...unsigned, packs: [] }, privateKey));
  await bucket.put(key, encodeRecord(unsigned, privateKey));
  const { found, suspect } = await recordReader(vault, [disk, bucket], () => {})();
  expect(found.map(({ record, destinations }) => [record.packs, destinations])).toEqual([[unsigned.packs, ['bucket']]]);
  expect(suspect).toEqual([{ key, why: 'disk holds another record under this name than bucket' }]);
});
