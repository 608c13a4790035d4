import { createHash, createHmac } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { idOf } from './signed-objects.ts';
import { broken, checkSignature, isRising, isRound } from './strict-json.ts';

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Pack ids with their sizes. */
export function readList(bytes: Buffer): ReadonlyMap<string, number> {
  const rows = (bytes.length - 16) / 36;
  if (bytes.toString('latin1', 0, 8) !== 'LBpacks1' || !Number.isInteger(rows) || rows < 1 || rows > 4096) {
    broken('it is no list');
  }
  const found = Array.from({ length: rows }, (_, at) => {
    const from = 16 + 36 * at;
    return [bytes.toString('hex', from, from + 32), bytes.readUInt32LE(from + 32)] as const;
  });
  if (!isRising(found.map(([id]) => id))) broken('its packs are not in order');
  if (found.some(([, size]) => size < 1)) broken('a pack has no size');
  return new Map(found);
}

export interface Toc {
  readonly frames: ReadonlyArray<{ readonly packed: number; readonly raw: number; readonly chunks: number }>;
  readonly chunks: ReadonlyArray<{ readonly length: number; readonly id: string }>;
  readonly end: number;
}

const frameBytes = 16 * 1024 * 1024;
const chunkBytes = 4 * 1024 * 1024;

/** From "number of frames" to the last chunk id. */
function readToc(bytes: Buffer, at: number): Toc {
  const [frameCount, chunkCount] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
  if (frameCount < 1 || chunkCount < 1 || chunkCount > 65_536) broken('it has no table of that many chunks');
  const [lengthsAt, idsAt] = [at + 8 + 12 * frameCount, at + 8 + 12 * frameCount + 4 * chunkCount];
  const end = idsAt + 20 * chunkCount;
  if (end > bytes.length) broken('its table is cut off');
  const frames = Array.from({ length: frameCount }, (_, one) => {
    const from = at + 8 + 12 * one;
    return {
      packed: bytes.readUInt32LE(from),
      raw: bytes.readUInt32LE(from + 4),
      chunks: bytes.readUInt32LE(from + 8),
    };
  });
  const chunks = Array.from({ length: chunkCount }, (_, one) => ({
    length: bytes.readUInt32LE(lengthsAt + 4 * one),
    id: bytes.toString('hex', idsAt + 20 * one, idsAt + 20 * (one + 1)),
  }));
  if (chunks.some(({ length }) => length < 1 || length > chunkBytes)) broken('a chunk has an impossible length');
  let next = 0;
  for (const { packed, raw, chunks: held } of frames) {
    const own = chunks.slice(next, next + held);
    if (packed < 1 || held < 1 || raw > frameBytes) broken('a frame has an impossible length');
    if (own.reduce((sum, { length }) => sum + length, 0) !== raw) broken('a frame is not as long as its chunks');
    next += held;
  }
  if (next !== chunkCount) broken('frames hold another number of chunks');
  return { frames, chunks, end };
}

/** The length of the zstd frame that begins there. */
function frameLength(bytes: Buffer, at: number): number {
  if (bytes.readUInt32LE(at) !== 0xfd2fb528) broken('it is no zstd frame');
  const descriptor = bytes[at + 4]!;
  if ((descriptor & 0b11) !== 0) broken('a frame wants a dictionary');
  if ((descriptor & 0b100) === 0) broken('a frame has no checksum');
  const isSingle = (descriptor & 0b100000) !== 0;
  const sizeField = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  let next = at + 5;
  if (!isSingle) {
    const [exponent, mantissa] = [bytes[next]! >> 3, bytes[next]! & 0b111];
    if (2 ** (10 + exponent) * (1 + mantissa / 8) > 8 * 1024 * 1024) broken('a frame has too large a window');
    next++;
  }
  next += sizeField;
  for (let isLast = false; !isLast; ) {
    if (next + 3 > bytes.length) broken('a frame is cut off');
    const block = bytes.readUIntLE(next, 3);
    isLast = (block & 1) === 1;
    const type = (block >> 1) & 0b11;
    if (type === 3) broken('a block of no known kind');
    next += 3 + (type === 1 ? 1 : block >> 3);
  }
  if (next + 4 > bytes.length) broken('a frame is cut off');
  return next + 4 - at;
}

function decompressed(frame: Uint8Array, maxOutputLength: number): Buffer {
  try {
    return zstdDecompressSync(frame, { maxOutputLength });
  } catch {
    return broken('a frame cannot be decompressed');
  }
}

/** What one or more frames hold, and behind them nothing or one padding. */
export function readFrames(bytes: Buffer, maxBytes = 512 * 1024 * 1024): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at > 0 && (bytes.length - at < 4 || bytes.readUInt32LE(at) !== 0xfd2fb528)) {
      checkPadding(bytes, at, bytes.length);
      break;
    }
    const length = frameLength(bytes, at);
    parts.push(decompressed(bytes.subarray(at, at + length), maxBytes));
    at += length;
  }
  if (parts.length === 0) broken('it has no frame');
  return Buffer.concat(parts);
}

/** The plaintext of a pack. */
export function readPack(bytes: Buffer): { readonly raw: Buffer; readonly toc: Toc; readonly table: Buffer } {
  if (bytes.length < 40 || bytes.toString('latin1', bytes.length - 8) !== 'LifeboaT') broken('it is no pack');
  const [size, version] = [bytes.readUInt32LE(bytes.length - 16), bytes.readUInt32LE(bytes.length - 12)];
  const at = bytes.length - size;
  if (version !== 1 || at < 0 || bytes.readUInt32LE(at) !== 0x184d2a5c) broken('it has no table');
  if (bytes.readUInt32LE(at + 4) !== size - 8) broken('its table says two lengths');
  const toc = readToc(bytes, at + 8);
  if (toc.end !== bytes.length - 16) broken('something stands behind its table');
  let next = 0;
  const parts = toc.frames.map(({ packed, raw }) => {
    if (next + packed > at || frameLength(bytes, next) !== packed) broken('a frame is of another length');
    const part = decompressed(bytes.subarray(next, next + packed), raw);
    if (part.length !== raw) broken('a frame holds another length');
    next += packed;
    return part;
  });
  if (next !== at) checkPadding(bytes, next, at);
  return { raw: Buffer.concat(parts), toc, table: bytes.subarray(at + 8, toc.end) };
}

function checkPadding(bytes: Buffer, from: number, to: number): void {
  if (to - from < 8 || bytes.readUInt32LE(from) !== 0x184d2a5d)
    broken('something stands between its frames and its table');
  if (bytes.readUInt32LE(from + 4) !== to - from - 8) broken('its padding is of another length');
  if (bytes.subarray(from + 8, to).some((byte) => byte !== 0)) broken('its padding holds something');
  if (!isRound(bytes.length)) broken('its padding brings it to no round size');
}

export function checkChunkIds(raw: Buffer, toc: Toc, chunkKey: string): void {
  let at = 0;
  for (const { length, id } of toc.chunks) {
    const digest = createHash('sha256')
      .update(raw.subarray(at, at + length))
      .digest();
    const expected = createHmac('sha256', Buffer.from(chunkKey, 'hex')).update(digest).digest('hex').slice(0, 40);
    if (id !== expected) broken('a chunk is not the one that its id names');
    at += length;
  }
}

/** The plaintext of an index delta, once decompressed: its packs with their sizes and tables. */
export function readIndexDelta(bytes: Buffer, vault: string, writer: string) {
  if (bytes.toString('latin1', 0, 8) !== 'LBindex1') broken('it is no index delta');
  if (bytes.toString('latin1', 8, 34) !== vault) broken('it is of another vault');
  const count = bytes.readUInt32LE(34);
  const packs: { id: string; size: number; table: Buffer }[] = [];
  let at = 38;
  for (let one = 0; one < count; one++) {
    if (at + 49 > bytes.length) broken('it is cut off');
    if (bytes[at + 40]! > 1) broken('a pack is neither of data nor of lists');
    const { end } = readToc(bytes, at + 41);
    const size = bytes.readBigUInt64LE(at + 32);
    if (size < 1n || size > BigInt(Number.MAX_SAFE_INTEGER)) broken('a pack has an impossible size');
    packs.push({ id: bytes.toString('hex', at, at + 32), size: Number(size), table: bytes.subarray(at + 41, end) });
    at = end;
  }
  const epoch = bytes.toString('hex', at, at + 32);
  const signedTo = at + 32 + 8 + 32;
  if (bytes.toString('latin1', at + 32, at + 40) !== 'ed25519\0') broken('it is signed in another way');
  if (bytes.length !== signedTo + 64) broken('something stands behind it');
  const key = bytes.toString('base64', at + 40, signedTo);
  if (idOf(key) !== writer) broken('it lies under another writer');
  const signed = Buffer.concat([Buffer.from('lifeboat index\n'), bytes.subarray(0, signedTo)]);
  checkSignature(signed, bytes.toString('base64', signedTo), key);
  return { packs, epoch };
}
