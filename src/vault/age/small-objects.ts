import { randomBytes } from 'node:crypto';
import { contentDamaged } from '../errors.ts';
import { gapProblem, paddingFrame, paddingSize } from '../format/toc.ts';
import { frameEnds } from '../format/zstd-frame.ts';
import { compress, decompress } from '../zstd.ts';
import { newHeader } from './header.ts';
import { NONCE_SIZE, openAll, sealAll } from './stream.ts';

/** Index deltas and manifests grow with the data; past this something is wrong. */
const MAX_SMALL_OBJECT_BYTES = 512 * 1024 * 1024;

/** zstd, padded, then age: what index deltas and manifests are stored as. Their sizes would tell how many chunks were new. */
export function sealSmall(plain: Uint8Array, recipients: readonly string[]): Uint8Array {
  const { header, fileKey } = newHeader(recipients);
  return sealAll(header, fileKey, randomBytes(NONCE_SIZE), padded(compress(plain)));
}

export async function openSmall(object: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  const bytes = await openAll(object, identities);
  const ends = frameEnds(bytes);
  if (typeof ends === 'string') throw contentDamaged({ what: 'A frame', why: ends });
  const odd = gapProblem(bytes.subarray(ends.at(-1)));
  if (odd !== undefined) throw contentDamaged({ what: 'A frame', why: odd });
  // Node's own decompression stops behind the first frame without a word.
  let left = MAX_SMALL_OBJECT_BYTES;
  const parts = ends.map((end, at) => {
    const part = decompress(bytes.subarray(ends[at - 1] ?? 0, end), left);
    left -= part.length;
    return part;
  });
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

function padded(frame: Uint8Array): Uint8Array {
  const gap = paddingSize(frame.length);
  return gap === 0 ? frame : Buffer.concat([frame, paddingFrame(gap)]);
}
