const MAGIC = 0xfd2fb528;
/** More than this would cost a reader too much memory. */
const MAX_WINDOW_BYTES = 8 * 1024 * 1024;
const BLOCK_HEADER_BYTES = 3;

/**
 * What keeps `bytes` from being exactly one zstd frame as a vault has them: with a checksum, without a dictionary, with a window that a
 * reader need not fear. Undefined when nothing does. Only lengths are looked at, not the contents of blocks (RFC 8878, 3.1.1).
 */
export function frameProblem(bytes: Uint8Array): string | undefined {
  const end = frameEnd(bytes, 0);
  if (typeof end === 'string') return end;
  return end === bytes.length ? undefined : 'something stands behind it';
}

/** Where each of one or more frames ends, one behind the other, until something else begins; or what is wrong with them. */
export function frameEnds(bytes: Uint8Array): number[] | string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ends: number[] = [];
  let at = 0;
  do {
    const end = frameEnd(bytes, at);
    if (typeof end === 'string') return end;
    ends.push(end);
    at = end;
  } while (at + 4 <= view.length && view.readUInt32LE(at) === MAGIC);
  return ends;
}

/** Where the frame that begins at `start` ends, or what is wrong with it. */
function frameEnd(bytes: Uint8Array, start: number): number | string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const has = (at: number, many: number) => at + many <= view.length;
  if (!has(start, 5) || view.readUInt32LE(start) !== MAGIC) return 'it is no frame of zstd';
  const descriptor = view[start + 4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) return 'it has a bit that is reserved';
  if ((descriptor & 0x04) === 0) return 'it has no checksum';
  if ((descriptor & 0x03) !== 0) return 'it needs a dictionary';
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingle ? 1 : 0) : 1 << sizeFlag;
  let at = start + 5;
  if (!has(at, (isSingle ? 0 : 1) + sizeBytes)) return cutShort;
  const window = isSingle ? contentSize(view, at, sizeBytes) : windowSize(view[at]!);
  if (window > MAX_WINDOW_BYTES) return `it wants a window of ${window} bytes`;
  at += (isSingle ? 0 : 1) + sizeBytes;
  for (let last = false; !last; ) {
    if (!has(at, BLOCK_HEADER_BYTES)) return cutShort;
    const block = view.readUIntLE(at, 3);
    last = (block & 1) === 1;
    const isRepeated = ((block >> 1) & 3) === 1;
    at += BLOCK_HEADER_BYTES + (isRepeated ? 1 : block >> 3);
  }
  return has(at, 4) ? at + 4 : cutShort;
}

const cutShort = 'it is cut short';

function contentSize(view: Buffer, at: number, sizeBytes: number): number {
  if (sizeBytes === 8) return Number(view.readBigUInt64LE(at));
  return view.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
