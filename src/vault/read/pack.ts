import { openAll } from '../age/stream.ts';
import { contentDamaged } from '../errors.ts';
import { decodeToc, findToc, gapProblem, MAX_TOC_SIZE, type Toc } from '../format/toc.ts';
import { frameProblem } from '../format/zstd-frame.ts';
import { release } from '../release.ts';
import { decompress } from '../zstd.ts';

/** Frames hold about 1 MiB, or one chunk of up to 4 MiB; no writer makes larger ones. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/** A decrypted pack: raw bytes by their offset in the decompressed pack. */
export interface OpenedPack {
  readonly toc: Toc;
  readonly rawBytes: number;
  /** The raw bytes `[offset, offset + length)`, in pieces. */
  read(offset: number, length: number): Generator<Uint8Array>;
  /** Gives the memory back. */
  close(): void;
}

export interface OpenPackOptions {
  /** Each piece is used up before the next is asked for, so its memory can be given back then. */
  readonly usedAtOnce?: boolean;
}

/** `object`: the whole pack as stored. Errors: those of age, `toc-damaged`, `frame-damaged`. */
export async function openPackObject(
  object: Uint8Array,
  identities: readonly string[],
  { usedAtOnce = false }: OpenPackOptions = {},
): Promise<OpenedPack> {
  const plain = await openAll(object, identities);
  const found = findToc(plain.subarray(Math.max(0, plain.length - MAX_TOC_SIZE)));
  if (found.toc === undefined) throw contentDamaged({ what: 'A pack', why: 'its table of contents is cut short' });
  const toc = decodeToc(found.toc);
  const framesBytes = toc.frames.reduce((sum, frame) => sum + frame.compressedLength, 0);
  const tocStart = plain.length - found.tocLength;
  const odd = framesBytes > tocStart ? 'its frames do not fit' : gapProblem(plain.subarray(framesBytes, tocStart));
  if (odd !== undefined) throw contentDamaged({ what: 'A pack', why: odd });
  return { toc, ...frameReader(plain, toc, usedAtOnce) };
}

function frameReader(plain: Uint8Array, toc: Toc, usedAtOnce: boolean): Omit<OpenedPack, 'toc'> {
  const rawStarts: number[] = [];
  const storedStarts: number[] = [];
  let rawBytes = 0;
  let stored = 0;
  for (const frame of toc.frames) {
    rawStarts.push(rawBytes);
    storedStarts.push(stored);
    rawBytes += frame.rawLength;
    stored += frame.compressedLength;
  }
  let last: { number: number; raw: Uint8Array } | undefined;

  function raw(number: number): Uint8Array {
    if (last?.number === number) return last.raw;
    const frame = toc.frames[number]!;
    if (frame.rawLength > MAX_FRAME_BYTES)
      throw contentDamaged({ what: 'A frame', why: `it claims ${frame.rawLength} bytes` });
    if (usedAtOnce && last !== undefined) release(last.raw);
    last = undefined;
    const start = storedStarts[number]!;
    const stored = plain.subarray(start, start + frame.compressedLength);
    const odd = frameProblem(stored);
    if (odd !== undefined) throw contentDamaged({ what: 'A frame', why: odd });
    const bytes = decompress(stored, frame.rawLength);
    if (bytes.length !== frame.rawLength)
      throw contentDamaged({ what: 'A frame', why: 'its length is not the recorded one' });
    last = { number, raw: bytes };
    return bytes;
  }

  return {
    rawBytes,
    close() {
      if (usedAtOnce && last !== undefined) release(last.raw);
      release(plain);
    },
    *read(offset, length) {
      if (offset + length > rawBytes)
        throw contentDamaged({ what: 'A pack', why: 'it is shorter than its restore point says' });
      let number = lastStartAtOrBefore(rawStarts, offset);
      for (let at = offset; at < offset + length; number++) {
        const bytes = raw(number);
        const from = at - rawStarts[number]!;
        const to = Math.min(bytes.length, offset + length - rawStarts[number]!);
        yield bytes.subarray(from, to);
        at += to - from;
      }
    },
  };
}

function lastStartAtOrBefore(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
