import { createCipheriv, createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import type { ChunkProfile } from '../../core/entry.ts';
import { chunkId, digest } from './chunk-id.ts';
import { chunker } from './chunker.ts';
import { chunkSizes } from './profiles.ts';

const key = Buffer.alloc(32, 1);
const profiles = Object.keys(chunkSizes) as ChunkProfile[];

function noise(sizeBytes: number, seed: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

/** Where the chunks of `bytes` end. */
function cuts(bytes: Uint8Array, profile: ChunkProfile, chunkKey: Uint8Array = key): number[] {
  const { cut } = chunker(chunkSizes[profile], chunkKey);
  const ends: number[] = [];
  while ((ends.at(-1) ?? 0) < bytes.length) ends.push(cut(bytes, ends.at(-1) ?? 0, bytes.length));
  return ends;
}

function ids(bytes: Uint8Array, profile: ChunkProfile): string[] {
  const ends = cuts(bytes, profile);
  return ends.map((end, index) => chunkId(key, digest(bytes.subarray(ends[index - 1] ?? 0, end))).toString('hex'));
}

describe.for(profiles)('chunks of the profile %s', (profile) => {
  const { minBytes, averageBytes, maxBytes } = chunkSizes[profile];

  test('cover the content, in order, within the bounds', () => {
    fc.assert(
      fc.property(fc.nat(5 * maxBytes), fc.nat(1000), (sizeBytes, seed) => {
        const ends = cuts(noise(sizeBytes, seed), profile);
        expect(ends.at(-1) ?? 0).toBe(sizeBytes);
        const lengths = ends.map((end, index) => end - (ends[index - 1] ?? 0));
        for (const length of lengths.slice(0, -1)) expect(length).toBeGreaterThanOrEqual(minBytes);
        for (const length of lengths) expect(length > 0 && length <= maxBytes).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test('are the same whatever pieces the content comes in', () => {
    const bytes = noise(4 * maxBytes + 12_345, 5);
    const { cut } = chunker(chunkSizes[profile], key);
    const ends: number[] = [];
    // As a worker does: it asks only when it has the most that a chunk can be, or the content's end.
    for (let at = 0; at < bytes.length; at = ends.at(-1)!) {
      ends.push(cut(bytes, at, Math.min(bytes.length, at + maxBytes + 777)));
    }
    expect(ends).toEqual(cuts(bytes, profile));
  });

  test('are about as long as they shall be', () => {
    const sizeBytes = 40 * averageBytes;
    const count = cuts(noise(sizeBytes, 9), profile).length;
    expect(count).toBeGreaterThan(20);
    expect(count).toBeLessThan(70);
  });
});

describe.for(['database', 'files', 'bulk'] as const)('an insertion in content of the profile %s', (profile) => {
  test('changes the chunks around it and no others', () => {
    const bytes = noise(60 * chunkSizes[profile].averageBytes, 3);
    const before = new Set(ids(bytes, profile));
    for (const at of [0, 1000, bytes.length >> 1, bytes.length]) {
      const longer = Buffer.concat([bytes.subarray(0, at), Buffer.from('inserted'), bytes.subarray(at)]);
      const fresh = ids(longer, profile).filter((id) => !before.has(id));
      expect(fresh.length).toBeGreaterThan(0);
      expect(fresh.length).toBeLessThan(6);
    }
  });
});

test('one key always cuts and names alike, another one otherwise', () => {
  const bytes = noise(8 << 20, 4);
  expect(cuts(bytes, 'files')).toEqual(cuts(bytes, 'files', Buffer.alloc(32, 1)));
  expect(cuts(bytes, 'files')).not.toEqual(cuts(bytes, 'files', Buffer.alloc(32, 2)));
  expect(chunkId(key, digest(bytes))).toEqual(chunkId(key, digest(bytes)));
  expect(chunkId(key, digest(bytes))).not.toEqual(chunkId(Buffer.alloc(32, 2), digest(bytes)));
});

test('content without any cut is cut at the most that a chunk may be', () => {
  expect(cuts(Buffer.alloc(3 << 20), 'files').every((end) => end % chunkSizes.files.maxBytes === 0)).toBe(true);
});

/** From the first version that stored anything: with other cuts every vault would be sent anew. */
test.for([
  ['database', '52ce8f0992971483'],
  ['files', 'bf4d670f897318e3'],
  ['bulk', '4ca42890aad1adad'],
] as const)('content of the profile %s is cut where it always was', ([profile, expected]) => {
  const ends = cuts(noise(24 << 20, 11), profile);
  expect(createHash('sha256').update(ends.join()).digest('hex').slice(0, 16)).toBe(expected);
});
