import { randomBytes } from 'node:crypto';
import { newHeader } from './age/header.ts';
import { NONCE_SIZE, openAll, sealAll } from './age/stream.ts';
import { contentDamaged } from './errors.ts';
import { framesProblem } from './format/zstd-frame.ts';
import { compress, decompress } from './zstd.ts';

/** Index deltas and manifests grow with the data; past this something is wrong. */
const MAX_SMALL_OBJECT_BYTES = 512 * 1024 * 1024;

/** zstd, then age: what index deltas and manifests are stored as. */
export async function sealSmall(plain: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  const { header, fileKey } = await newHeader(recipients);
  return sealAll(header, fileKey, randomBytes(NONCE_SIZE), compress(plain));
}

export async function openSmall(object: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  const frames = await openAll(object, identities);
  const odd = framesProblem(frames);
  if (odd !== undefined) throw contentDamaged({ what: 'A frame', why: odd });
  return decompress(frames, MAX_SMALL_OBJECT_BYTES);
}
