import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';

/** What DER puts before the 32 bytes of an Ed25519 key. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const KEY_SIZE = 32;
const SIGNATURE_SIZE = 64;

export interface SigningKey {
  /** Base64 of the 32-byte seed (RFC 8032). A secret, but it reads no data. */
  readonly privateKey: string;
  /** Base64 of the 32-byte public key. */
  readonly publicKey: string;
}

export function newSigningKey(): SigningKey {
  const pair = generateKeyPairSync('ed25519');
  const seed = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PRIVATE_PREFIX.length);
  return { privateKey: seed.toString('base64'), publicKey: rawPublicKey(pair.publicKey).toString('base64') };
}

/** The public half of `privateKey`. */
export function publicKeyOf(privateKey: string): string {
  return rawPublicKey(createPublicKey(importPrivate(privateKey))).toString('base64');
}

/** Base64 of the 64-byte Ed25519 signature. */
export function sign(bytes: Uint8Array, privateKey: string): string {
  return signBytes(null, bytes, importPrivate(privateKey)).toString('base64');
}

/** Whether `signature` over `bytes` was made with the private half of `publicKey`. False, never an error, for any texts. */
export function verify(bytes: Uint8Array, signature: string, publicKey: string): boolean {
  const key = fromBase64(publicKey, KEY_SIZE);
  const signed = fromBase64(signature, SIGNATURE_SIZE);
  if (key === undefined || signed === undefined) return false;
  try {
    return verifyBytes(null, bytes, importedOnce(publicKey, key), signed);
  } catch {
    return false; // not a point on the curve
  }
}

/** A writer's name in object keys: the first 16 bytes, in hex, of the SHA-256 of its public key. */
export function writerId(publicKey: string): string {
  const key = fromBase64(publicKey, KEY_SIZE);
  if (key === undefined) throw new TypeError('not an Ed25519 public key in base64');
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

/** Whether `text` is the one base64 text of `sizeBytes` bytes. */
export function isBase64(text: string, sizeBytes: number): boolean {
  return fromBase64(text, sizeBytes) !== undefined;
}

function fromBase64(text: string, sizeBytes: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === sizeBytes && bytes.toString('base64') === text ? bytes : undefined;
}

function importPrivate(privateKey: string): KeyObject {
  const seed = fromBase64(privateKey, KEY_SIZE);
  if (seed === undefined) throw new TypeError('not an Ed25519 private key in base64');
  return createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

/** A vault has a few writers. Strangers can sign with any number of keys. */
const mostImported = 64;
/** By public key. To import one takes half as long as to check a signature, and a writer signs thousands of objects. */
const imported = new Map<string, KeyObject>();

function importedOnce(publicKey: string, bytes: Uint8Array): KeyObject {
  const known = imported.get(publicKey);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, bytes]), format: 'der', type: 'spki' });
  // Whoever crowds the others out makes nothing wrong, only slower.
  if (imported.size >= mostImported) imported.delete(imported.keys().next().value!);
  imported.set(publicKey, key);
  return key;
}

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX.length);
}
