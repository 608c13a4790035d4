import { randomBytes } from 'node:crypto';
import { newHeader } from './age/header.ts';
import { NONCE_SIZE, openAll, sealAll } from './age/stream.ts';
import { contentDamaged } from './errors.ts';
import { gapProblem, paddingFrame, paddingSize } from './format/toc.ts';
import { framesEnd } from './format/zstd-frame.ts';
import { compress, decompress } from './zstd.ts';

/** Index deltas and manifests grow with the data; past this something is wrong. */
const MAX_SMALL_OBJECT_BYTES = 512 * 1024 * 1024;

/** zstd, padded, then age: what index deltas and manifests are stored as. Their sizes would tell how many chunks were new. */
export async function sealSmall(plain: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  const { header, fileKey } = await newHeader(recipients);
  return sealAll(header, fileKey, randomBytes(NONCE_SIZE), padded(compress(plain)));
}

export async function openSmall(object: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  const bytes = await openAll(object, identities);
  const end = framesEnd(bytes);
  if (typeof end === 'string') throw contentDamaged({ what: 'A frame', why: end });
  const odd = gapProblem(bytes.subarray(end));
  if (odd !== undefined) throw contentDamaged({ what: 'A frame', why: odd });
  return decompress(bytes.subarray(0, end), MAX_SMALL_OBJECT_BYTES);
}

function padded(frame: Uint8Array): Uint8Array {
  const gap = paddingSize(frame.length);
  return gap === 0 ? frame : Buffer.concat([frame, paddingFrame(gap)]);
}
