import { isUlid } from '../../core/ulid.ts';
import { indexDamaged } from './errors.ts';
import { isSha256 } from './keys.ts';
import { publicKeyOf, sign, verify } from './signing.ts';
import { readTocBody, type Toc, tocBodySize, writeTocBody } from './toc.ts';

/**
 * Which chunks the packs of one flush hold. Derived from the packs' own tables of contents, so losing it loses no data. Its
 * writer signs it: it decides what is not stored again.
 */
export interface IndexDelta {
  /** ULID. */
  readonly vault: string;
  readonly packs: readonly IndexedPack[];
  /** The epoch that the packs are sealed to: an age header does not tell. */
  readonly epoch: string;
  /** Ed25519 public key, base64. */
  readonly writer: string;
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
/** What a signature is made over begins with it, so that it stands for nothing else. */
const CONTEXT = Buffer.from('lifeboat index\n', 'latin1');
/** Of the signature; a zero byte fills it up to eight. */
const ALGORITHM = Buffer.from('ed25519\0', 'latin1');
const KEY_SIZE = 32;
const SIGNATURE_SIZE = 64;
const VAULT_SIZE = 26;
/** Before the packs. */
const HEAD_SIZE = MAGIC.length + VAULT_SIZE + 4;
const TAIL_SIZE = ALGORITHM.length + KEY_SIZE + SIGNATURE_SIZE;
const ID_SIZE = 32;
/** id, size as 64 bits, kind, then the body of its table of contents. */
const PACK_HEAD_SIZE = ID_SIZE + 8 + 1;
const KINDS = ['data', 'meta'] as const;

export function encodeIndexDelta(delta: Omit<IndexDelta, 'writer'>, privateKey: string): Uint8Array {
  if (!isSha256(delta.epoch)) throw new TypeError('no epoch');
  const packsSize = delta.packs.reduce((sum, pack) => sum + PACK_HEAD_SIZE + tocBodySize(pack.toc), 0);
  const bytes = Buffer.alloc(HEAD_SIZE + packsSize + ID_SIZE + TAIL_SIZE);
  let at = MAGIC.copy(bytes);
  at += bytes.write(delta.vault, at, VAULT_SIZE, 'latin1');
  at = bytes.writeUInt32LE(delta.packs.length, at);
  for (const pack of delta.packs) {
    if (!isSha256(pack.id)) throw new TypeError('no pack id');
    at += bytes.write(pack.id, at, 'hex');
    at = bytes.writeBigUInt64LE(BigInt(pack.sizeBytes), at);
    at = bytes.writeUInt8(KINDS.indexOf(pack.kind), at);
    at = writeTocBody(pack.toc, bytes, at);
  }
  at += bytes.write(delta.epoch, at, ID_SIZE, 'hex');
  at += ALGORITHM.copy(bytes, at);
  at += bytes.write(publicKeyOf(privateKey), at, KEY_SIZE, 'base64');
  bytes.write(sign(signedPart(bytes), privateKey), at, SIGNATURE_SIZE, 'base64');
  return bytes;
}

function signedPart(bytes: Buffer): Uint8Array {
  return Buffer.concat([CONTEXT, bytes.subarray(0, -SIGNATURE_SIZE)]);
}

/** Whether its writer is the one whose name it lies under, and its vault this one, is for the caller to judge. Error: `index-damaged`. */
export function decodeIndexDelta(bytes: Uint8Array): IndexDelta {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = HEAD_SIZE;
  if (buffer.length < at + ID_SIZE + TAIL_SIZE || !buffer.subarray(0, MAGIC.length).equals(MAGIC))
    throw indexDamaged({ field: 'its first bytes' });
  const vault = buffer.toString('latin1', MAGIC.length, MAGIC.length + VAULT_SIZE);
  if (!isUlid(vault)) throw indexDamaged({ field: 'its vault' });
  const writer = signerOf(buffer);
  const count = buffer.readUInt32LE(HEAD_SIZE - 4);
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
  if (buffer.length !== at + ID_SIZE + TAIL_SIZE) throw indexDamaged({ field: 'its end' });
  return { vault, packs, epoch: buffer.toString('hex', at, at + ID_SIZE), writer };
}

function signerOf(buffer: Buffer): string {
  const at = buffer.length - TAIL_SIZE;
  const keyAt = at + ALGORITHM.length;
  if (!buffer.subarray(at, keyAt).equals(ALGORITHM)) throw indexDamaged({ field: 'the name of its signature' });
  const writer = buffer.toString('base64', keyAt, keyAt + KEY_SIZE);
  const signature = buffer.toString('base64', keyAt + KEY_SIZE);
  if (!verify(signedPart(buffer), signature, writer)) throw indexDamaged({ field: 'its signature' });
  return writer;
}
