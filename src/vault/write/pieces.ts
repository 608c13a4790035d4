import { PIECE_BYTES } from './pool.ts';

/**
 * A stream in pieces of one size; the last is smaller and may be empty. Each is the taker's own.
 * @param take memory for the next one
 */
export async function* piecesOf(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  take: () => ArrayBuffer,
): AsyncGenerator<{ readonly bytes: ArrayBuffer; readonly last: boolean }> {
  let gathered = new Uint8Array(take());
  let filled = 0;
  for await (const bytes of source) {
    for (let taken = 0; taken < bytes.length; ) {
      const count = Math.min(bytes.length - taken, PIECE_BYTES - filled);
      gathered.set(bytes.subarray(taken, taken + count), filled);
      taken += count;
      filled += count;
      if (filled < PIECE_BYTES) continue;
      yield { bytes: gathered.buffer, last: false };
      gathered = new Uint8Array(take());
      filled = 0;
    }
  }
  yield { bytes: gathered.buffer.slice(0, filled), last: true };
}
