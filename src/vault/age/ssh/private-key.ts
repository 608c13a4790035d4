import { createDecipheriv, createPrivateKey, type KeyObject } from 'node:crypto';
import { bcryptKey } from './bcrypt.ts';
import { type WireReader, wireReader } from './wire.ts';

/** Asked only where a key is protected. */
export type AskPassphrase = () => Promise<string>;

const MAGIC = 'openssh-key-v1\0';
/** What DER puts before the 32 bytes of an Ed25519 key. */
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
/** Key and IV bytes of the ciphers that ssh-keygen has used. */
const CIPHERS: Readonly<Record<string, { readonly name: string; readonly key: number }>> = Object.fromEntries(
  [128, 192, 256].flatMap((bits) =>
    ['ctr', 'cbc'].map((mode) => [`aes${bits}-${mode}`, { name: `aes-${bits}-${mode}`, key: bits / 8 }]),
  ),
);
const IV_SIZE = 16;
/** ssh-keygen uses 16 to 24; far more would take minutes. */
const MAX_ROUNDS = 4096;

/** Thrown where the passphrase was asked for and does not fit. */
export class WrongPassphrase extends Error {}

/**
 * The private key in a PEM text as ssh-keygen and openssl write it. Throws an Error that says what is wrong and quotes nothing,
 * `WrongPassphrase`, or what `ask` throws.
 */
export async function readPrivateKey(pem: string, ask: AskPassphrase): Promise<KeyObject> {
  const key = pem.includes('BEGIN OPENSSH PRIVATE KEY') ? await readOpenSsh(pem, ask) : await readPem(pem, ask);
  if (key.asymmetricKeyType === 'ed25519' || key.asymmetricKeyType === 'rsa') return key;
  throw new Error('of SSH keys only Ed25519 and RSA can be used');
}

async function readPem(pem: string, ask: AskPassphrase): Promise<KeyObject> {
  const isProtected = /BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(pem);
  const passphrase = isProtected ? await ask() : undefined;
  try {
    return createPrivateKey({ key: pem, format: 'pem', ...(passphrase !== undefined && { passphrase }) });
  } catch {
    // The cause is dropped: it may quote the key.
    if (isProtected) throw new WrongPassphrase('the passphrase does not fit');
    throw new Error('the key is damaged or of an unknown kind');
  }
}

/** PROTOCOL.key of OpenSSH. */
async function readOpenSsh(pem: string, ask: AskPassphrase): Promise<KeyObject> {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\sA-Za-z0-9+/=]*)-----END OPENSSH PRIVATE KEY-----/.exec(pem)?.[1];
  const bytes = Buffer.from(body?.replace(/\s/g, '') ?? '', 'base64');
  if (bytes.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) throw new Error('the key is damaged');
  try {
    const outer = wireReader(bytes.subarray(MAGIC.length));
    const [cipher, kdf, options] = [outer.bytes().toString('latin1'), outer.bytes().toString('latin1'), outer.bytes()];
    if (outer.uint32() !== 1) throw new Error('it holds more than one key');
    outer.bytes();
    const sealed = outer.bytes();
    const isProtected = cipher !== 'none';
    const plain = isProtected ? await unseal(sealed, cipher, kdf, wireReader(options), ask) : sealed;
    const inner = wireReader(plain);
    // The same random number twice shows that the passphrase was right.
    const [first, second] = [inner.uint32(), inner.uint32()];
    if (first !== second) {
      throw isProtected ? new WrongPassphrase('the passphrase does not fit') : new Error('the key is damaged');
    }
    return keyOf(inner);
  } catch (error) {
    if (error instanceof RangeError) throw new Error('the key is damaged or cut short');
    throw error;
  }
}

async function unseal(
  sealed: Buffer,
  cipher: string,
  kdf: string,
  options: WireReader,
  ask: AskPassphrase,
): Promise<Buffer> {
  const known = CIPHERS[cipher];
  if (known === undefined || kdf !== 'bcrypt') {
    throw new Error(
      `its protection (${cipher.slice(0, 40)}) is not known here; ssh-keygen -p -Z aes256-ctr changes it`,
    );
  }
  const [salt, rounds] = [options.bytes(), options.uint32()];
  if (rounds < 1 || rounds > MAX_ROUNDS || sealed.length % IV_SIZE !== 0) throw new Error('the key is damaged');
  const derived = bcryptKey(await ask(), salt, rounds, known.key + IV_SIZE);
  const decipher = createDecipheriv(known.name, derived.subarray(0, known.key), derived.subarray(known.key));
  decipher.setAutoPadding(false);
  return Buffer.concat([decipher.update(sealed), decipher.final()]);
}

function keyOf(inner: WireReader): KeyObject {
  const type = inner.bytes().toString('latin1');
  if (type === 'ssh-ed25519') {
    inner.bytes();
    const seed = inner.bytes().subarray(0, 32);
    if (seed.length !== 32) throw new RangeError();
    return createPrivateKey({ key: Buffer.concat([ED25519_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  }
  if (type !== 'ssh-rsa') throw new Error('of SSH keys only Ed25519 and RSA can be used');
  const [n, e, d, qi, p, q] = [1, 2, 3, 4, 5, 6].map(() => inner.bytes()) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const text = (number: Buffer) => stripped(number).toString('base64url');
  const jwk = { kty: 'RSA', n: text(n), e: text(e), d: text(d), p: text(p), q: text(q), qi: text(qi) };
  try {
    return createPrivateKey({ key: { ...jwk, dp: exponent(d, p), dq: exponent(d, q) }, format: 'jwk' });
  } catch {
    throw new Error('the key is damaged');
  }
}

/** d mod (p − 1), which OpenSSH leaves out and JWK asks for. */
function exponent(d: Buffer, prime: Buffer): string {
  const number = BigInt(`0x${d.toString('hex')}`) % (BigInt(`0x${prime.toString('hex')}`) - 1n);
  const hex = number.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
}

function stripped(number: Buffer): Buffer {
  return number[0] === 0 ? number.subarray(1) : number;
}
