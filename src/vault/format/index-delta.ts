import { indexDamaged } from './errors.ts';
import { isSha256 } from './keys.ts';
import { readTocBody, type Toc, tocBodySize, writeTocBody } from './toc.ts';

/** Which chunks the packs of one flush hold. Derived from the packs' own tables of contents, so losing it loses no data. */
export interface IndexDelta {
  readonly packs: readonly IndexedPack[];
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
const ID_SIZE = 32;
/** id, size as 64 bits, kind, then the body of its table of contents. */
const PACK_HEAD_SIZE = ID_SIZE + 8 + 1;
const KINDS = ['data', 'meta'] as const;

export function encodeIndexDelta(delta: IndexDelta): Uint8Array {
  const size = delta.packs.reduce((sum, pack) => sum + PACK_HEAD_SIZE + tocBodySize(pack.toc), MAGIC.length + 4);
  const bytes = Buffer.alloc(size);
  let at = MAGIC.copy(bytes);
  at = bytes.writeUInt32LE(delta.packs.length, at);
  for (const pack of delta.packs) {
    if (!isSha256(pack.id)) throw new TypeError('no pack id');
    at += bytes.write(pack.id, at, 'hex');
    at = bytes.writeBigUInt64LE(BigInt(pack.sizeBytes), at);
    at = bytes.writeUInt8(KINDS.indexOf(pack.kind), at);
    at = writeTocBody(pack.toc, bytes, at);
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
  if (at !== buffer.length) throw indexDamaged({ field: 'its end' });
  return { packs };
}
