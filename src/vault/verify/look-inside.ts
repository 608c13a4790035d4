import { createHash, type KeyObject } from 'node:crypto';
import { sentenceOf } from '../../core/errors.ts';
import { countOf } from '../../core/size.ts';
import { noIdentityFits } from '../age/errors.ts';
import { CHUNK_ID_BYTES, chunkId, digest } from '../chunking/chunk-id.ts';
import { type Toc, tocBodySize, writeTocBody } from '../format/toc.ts';
import { type OpenedPack, openPackObject } from '../read/pack.ts';

/** What opening an object told whose bytes are the ones that its name promises. */
export interface Inside {
  /** No identity that was given opens it. */
  readonly closed?: true;
  /** Why it is not what a sound writer stores: no copy of it can be better. */
  readonly wrong?: string;
  /** Of a pack: `tableHash` of its table of contents. */
  readonly table?: string;
}

/**
 * Decrypts a pack and decompresses all of it: age's tags, zstd's checksums, the lengths in the table of contents and the id of every
 * chunk must fit. Errors: `no-identity-fits`.
 * @param chunkKeys of all writers; none: ids are not looked at
 */
export async function lookInside(
  object: Uint8Array,
  identities: readonly string[],
  chunkKeys: readonly KeyObject[],
): Promise<Inside> {
  let pack: OpenedPack;
  try {
    pack = await openPackObject(object, identities, { usedAtOnce: true });
  } catch (error) {
    if (noIdentityFits.is(error)) throw error;
    return { wrong: sentenceOf(error) };
  }
  try {
    const odd = oddChunks(pack, chunkKeys);
    const chunks = countOf(pack.toc.chunks.lengths.length, 'chunk');
    const wrong = `${odd} of its ${chunks} ${odd === 1 ? 'is' : 'are'} not what the id says`;
    return { table: tableHash(pack.toc), ...(odd > 0 && { wrong }) };
  } catch (error) {
    return { wrong: sentenceOf(error) };
  } finally {
    pack.close();
  }
}

/** How many chunks have an id that no key makes of their bytes. */
function oddChunks(pack: OpenedPack, chunkKeys: readonly KeyObject[]): number {
  const { frames, chunks } = pack.toc;
  // All chunks of a pack are one writer's: the key that fitted last is tried first.
  let keys = [...chunkKeys];
  let [chunk, odd, frame] = [0, 0, 0];
  for (const raw of pack.read(0, pack.rawBytes)) {
    for (let [left, at] = [frames[frame++]!.chunkCount, 0]; left > 0; left--, chunk++) {
      const length = chunks.lengths[chunk]!;
      const id = chunks.ids.subarray(chunk * CHUNK_ID_BYTES, (chunk + 1) * CHUNK_ID_BYTES);
      const hash = digest(raw.subarray(at, at + length));
      at += length;
      if (keys.length === 0) continue;
      const fitting = keys.find((key) => Buffer.compare(chunkId(key, hash), id) === 0);
      if (fitting === undefined) odd++;
      else if (fitting !== keys[0]) keys = [fitting, ...keys.filter((key) => key !== fitting)];
    }
  }
  return odd;
}

/** SHA-256 (hex) of a table of contents as packs and index deltas have it. */
export function tableHash(toc: Toc): string {
  const bytes = Buffer.alloc(tocBodySize(toc));
  writeTocBody(toc, bytes, 0);
  return createHash('sha256').update(bytes).digest('hex');
}
