import { randomBytes } from 'node:crypto';
import { constants, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { newHeader } from '../age/header.ts';
import { generateIdentity } from '../age/identity.ts';
import { sealAll } from '../age/stream.ts';
import { encodeToc, paddingFrame } from '../format/toc.ts';
import { openPackObject } from './pack.ts';

const raw = Buffer.from('what a pack holds. '.repeat(20_000));
const compressed = (params: Record<number, number> = {}) =>
  zstdCompressSync(raw, { params: { [constants.ZSTD_c_checksumFlag]: 1, ...params } });
const tocOf = (frame: Uint8Array) =>
  encodeToc({
    frames: [{ compressedLength: frame.length, rawLength: raw.length, chunkCount: 1 }],
    chunks: { ids: randomBytes(20), lengths: Uint32Array.of(raw.length) },
  });

/** What reading a pack of this plaintext gives: its raw bytes, or why not. */
async function read(...parts: readonly Uint8Array[]): Promise<string> {
  const { identity, recipient } = generateIdentity();
  const { header, fileKey } = newHeader([recipient]);
  try {
    const pack = await openPackObject(sealAll(header, fileKey, randomBytes(16), Buffer.concat(parts)), [identity]);
    return Buffer.compare(Buffer.concat([...pack.read(0, pack.rawBytes)]), raw) === 0 ? 'right' : 'wrong';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('a pack that docs/vault-format.md does not allow is refused, although zstd reads it', () => {
  const frame = compressed();
  const dirty = Buffer.from(paddingFrame(20));
  dirty[19] = 1;
  const unsummed = compressed({ [constants.ZSTD_c_checksumFlag]: 0 });
  // A size that is known makes its own window; streaming does not know it.
  const wide = zstdCompressSync(randomBytes(9 * 1024 * 1024), {
    params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_windowLog]: 24 },
  });
  const both = Buffer.concat([frame, frame]);
  test.for([
    ['as it should be', [frame, tocOf(frame)], 'right'],
    ['padded', [frame, paddingFrame(30), tocOf(frame)], 'right'],
    ['padding that is not zero', [frame, dirty, tocOf(frame)], 'no padding'],
    ['two paddings', [frame, paddingFrame(8), paddingFrame(8), tocOf(frame)], 'no padding'],
    ['another frame in the gap', [frame, frame, tocOf(frame)], 'no padding'],
    ['two frames for one', [both, tocOf(both)], 'something stands behind it'],
    ['a frame without a checksum', [unsummed, tocOf(unsummed)], 'no checksum'],
    ['a window of 16 MiB', [wide, tocOf(wide)], 'it wants a window of'],
    ['frames that reach into the table', [frame.subarray(0, -9), tocOf(frame)], 'do not fit'],
  ] as const)('%s', async ([, parts, what]) => {
    expect(await read(...parts)).toContain(what);
  });
});
