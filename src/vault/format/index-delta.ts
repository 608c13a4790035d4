import { PRINT_SIZE } from '../age/recipient-print.ts';
import { indexDamaged } from './errors.ts';
import { isSha256 } from './keys.ts';
import { readTocBody, type Toc, tocBodySize, writeTocBody } from './toc.ts';

/** Which chunks the packs of one flush hold. Derived from the packs' own tables of contents, so losing it loses no data. */
export interface IndexDelta {
  readonly packs: readonly IndexedPack[];
  /**
   * Prints of the recipients that the packs are sealed to, sorted: an age header does not tell. Absent in deltas of older
   * versions: then nobody knows who opens them.
   */
  readonly sealedTo?: readonly string[];
}

export interface IndexedPack {
  /** Lower-case hex of the SHA-256 of the pack object. */
  readonly id: string;
  /** Of the pack object, as stored. */
  readonly sizeBytes: number;
  readonly kind: 'data' | 'meta';
  readonly toc: Toc;
}

const MAGIC = Buffer.from('LBindex1', 'latin1');
/** Begins the list of prints. */
const SEALED_MAGIC = Buffer.from('LBsealed', 'latin1');
const ID_SIZE = 32;
/** id, size as 64 bits, kind, then the body of its table of contents. */
const PACK_HEAD_SIZE = ID_SIZE + 8 + 1;
const KINDS = ['data', 'meta'] as const;

export function encodeIndexDelta(delta: IndexDelta): Uint8Array {
  const prints = delta.sealedTo;
  const sealedSize = prints === undefined ? 0 : SEALED_MAGIC.length + 4 + prints.length * PRINT_SIZE;
  const packsSize = delta.packs.reduce((sum, pack) => sum + PACK_HEAD_SIZE + tocBodySize(pack.toc), MAGIC.length + 4);
  const bytes = Buffer.alloc(packsSize + sealedSize);
  let at = MAGIC.copy(bytes);
  at = bytes.writeUInt32LE(delta.packs.length, at);
  for (const pack of delta.packs) {
    if (!isSha256(pack.id)) throw new TypeError('no pack id');
    at += bytes.write(pack.id, at, 'hex');
    at = bytes.writeBigUInt64LE(BigInt(pack.sizeBytes), at);
    at = bytes.writeUInt8(KINDS.indexOf(pack.kind), at);
    at = writeTocBody(pack.toc, bytes, at);
  }
  if (prints !== undefined) {
    at += SEALED_MAGIC.copy(bytes, at);
    at = bytes.writeUInt32LE(prints.length, at);
    for (const print of [...prints].sort()) at += bytes.write(print, at, PRINT_SIZE, 'hex');
  }
  return bytes;
}

/** Error: `index-damaged`. */
export function decodeIndexDelta(bytes: Uint8Array): IndexDelta {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = MAGIC.length + 4;
  if (buffer.length < at || !buffer.subarray(0, MAGIC.length).equals(MAGIC))
    throw indexDamaged({ field: 'its first bytes' });
  const count = buffer.readUInt32LE(MAGIC.length);
  const packs: IndexedPack[] = [];
  for (let number = 0; number < count; number++) {
    if (buffer.length - at < PACK_HEAD_SIZE) throw indexDamaged({ field: `pack ${number}` });
    const id = buffer.toString('hex', at, at + ID_SIZE);
    const sizeBytes = Number(buffer.readBigUInt64LE(at + ID_SIZE));
    const kind = KINDS[buffer[at + ID_SIZE + 8] ?? KINDS.length];
    if (!Number.isSafeInteger(sizeBytes)) throw indexDamaged({ field: `the size of pack ${number}` });
    if (kind === undefined) throw indexDamaged({ field: `the kind of pack ${number}` });
    const body = readTocBody(buffer, at + PACK_HEAD_SIZE, indexDamaged);
    packs.push({ id, sizeBytes, kind, toc: body.toc });
    at = body.next;
  }
  if (at === buffer.length) return { packs };
  return { packs, sealedTo: readPrints(buffer, at) };
}

function readPrints(buffer: Buffer, start: number): string[] {
  const first = start + SEALED_MAGIC.length + 4;
  if (buffer.length < first || !buffer.subarray(start, first - 4).equals(SEALED_MAGIC)) {
    throw indexDamaged({ field: 'its end' });
  }
  const count = buffer.readUInt32LE(first - 4);
  if (buffer.length - first !== count * PRINT_SIZE) throw indexDamaged({ field: 'its list of recipients' });
  const prints: string[] = [];
  for (let at = first; at < buffer.length; at += PRINT_SIZE) prints.push(buffer.toString('hex', at, at + PRINT_SIZE));
  if (prints.some((print, at) => at > 0 && print <= prints[at - 1]!)) {
    throw indexDamaged({ field: 'the order of its recipients' });
  }
  return prints;
}
