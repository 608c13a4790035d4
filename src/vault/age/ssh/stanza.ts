import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { type Identity, type Recipient, Stanza } from 'age-encryption';
import { parseSshPublicKey, type SshPublicKey, sshPublicLine } from './public-key.ts';

const ED25519_LABEL = 'age-encryption.org/v1/ssh-ed25519';
const RSA_LABEL = Buffer.from('age-encryption.org/v1/ssh-rsa');
const FILE_KEY_SIZE = 16;
const KEY_SIZE = 32;
const TAG_SIZE = 16;
const FIELD = 2n ** 255n - 19n;
/** What DER puts before the 32 bytes of an X25519 key. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');
/** The point that X25519 multiplies to make a public key. */
const BASE_POINT = Buffer.concat([Buffer.of(9), Buffer.alloc(31)]);

/** age's recipient for an SSH public key: https://github.com/C2SP/C2SP/blob/main/age.md. Throws when `line` is none. */
export function sshRecipient(line: string): Recipient {
  const key = parseSshPublicKey(line);
  const tag = tagOf(key.wire);
  if (key.type === 'ssh-rsa') {
    const options = {
      key: key.key,
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: 'sha256',
      oaepLabel: RSA_LABEL,
    };
    return { wrapFileKey: (fileKey) => [new Stanza(['ssh-rsa', tag], publicEncrypt(options, fileKey))] };
  }
  const theirs = montgomeryOf(key.point);
  return {
    wrapFileKey(fileKey) {
      const secret = randomBytes(KEY_SIZE);
      const share = x25519(secret, BASE_POINT);
      const wrapping = wrappingKey(x25519(tweakOf(key), x25519(secret, theirs)), share, theirs);
      const cipher = createCipheriv('chacha20-poly1305', wrapping, Buffer.alloc(12), { authTagLength: TAG_SIZE });
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
      return [new Stanza(['ssh-ed25519', tag, unpadded(share)], body)];
    },
  };
}

/** age's identity for an SSH private key, Ed25519 or RSA. A stanza for it that is malformed makes its methods throw. */
export function sshIdentity(privateKey: KeyObject): Identity {
  const key = parseSshPublicKey(sshPublicLine(createPublicKey(privateKey)));
  const tag = tagOf(key.wire);
  const open = key.type === 'ssh-rsa' ? rsaOpener(privateKey) : ed25519Opener(privateKey, key);
  return {
    unwrapFileKey(stanzas) {
      for (const { args, body } of stanzas) {
        if (args[0] !== key.type) continue;
        if (args.length !== (key.type === 'ssh-rsa' ? 2 : 3)) throw new Error(`a ${key.type} stanza is malformed`);
        // Four bytes of a hash: another key may have the same, so failing to open it proves nothing yet.
        if (args[1] !== tag) continue;
        const fileKey = open(args, Buffer.from(body));
        if (fileKey !== null) return fileKey;
      }
      return null;
    },
  };
}

type Opener = (args: readonly string[], body: Buffer) => Uint8Array | null;

function rsaOpener(key: KeyObject): Opener {
  const options = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256', oaepLabel: RSA_LABEL };
  return (_, body) => {
    try {
      const fileKey = privateDecrypt(options, body);
      return fileKey.length === FILE_KEY_SIZE ? Uint8Array.from(fileKey) : null;
    } catch {
      return null;
    }
  };
}

function ed25519Opener(privateKey: KeyObject, key: SshPublicKey & { type: 'ssh-ed25519' }): Opener {
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-KEY_SIZE);
  const secret = createHash('sha512').update(seed).digest().subarray(0, KEY_SIZE);
  const ours = x25519(secret, BASE_POINT);
  return (args, body) => {
    const share = Buffer.from(args[2] ?? '', 'base64');
    if (share.length !== KEY_SIZE || unpadded(share) !== args[2]) throw new Error('a share is malformed');
    if (body.length !== FILE_KEY_SIZE + TAG_SIZE) throw new Error('a wrapped file key is malformed');
    const wrapping = wrappingKey(x25519(tweakOf(key), x25519(secret, share)), share, ours);
    const decipher = createDecipheriv('chacha20-poly1305', wrapping, Buffer.alloc(12), { authTagLength: TAG_SIZE });
    decipher.setAuthTag(body.subarray(FILE_KEY_SIZE));
    const fileKey = Uint8Array.from(decipher.update(body.subarray(0, FILE_KEY_SIZE)));
    try {
      decipher.final();
      return fileKey;
    } catch {
      return null;
    }
  };
}

/** Makes the stanza useless for a key that merely shares the Diffie-Hellman secret. */
function tweakOf(key: SshPublicKey): Buffer {
  return Buffer.from(hkdfSync('sha256', Buffer.alloc(0), key.wire, ED25519_LABEL, KEY_SIZE));
}

function wrappingKey(shared: Buffer, share: Buffer, recipient: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', shared, Buffer.concat([share, recipient]), ED25519_LABEL, KEY_SIZE));
}

/** Throws for a point of small order, whose product says nothing. */
function x25519(scalar: Uint8Array, point: Uint8Array): Buffer {
  const privateKey = createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, scalar]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, point]), format: 'der', type: 'spki' });
  return diffieHellman({ privateKey, publicKey });
}

/** The Ed25519 public key as the X25519 one of the same secret: u = (1 + y) / (1 − y), RFC 7748 §4.1. */
function montgomeryOf(point: Buffer): Buffer {
  const littleEndian = Buffer.from(point).reverse();
  littleEndian[0]! &= 0x7f;
  const y = BigInt(`0x${littleEndian.toString('hex')}`) % FIELD;
  const u = ((1n + y) * inverse(FIELD + 1n - y)) % FIELD;
  return Buffer.from(u.toString(16).padStart(2 * KEY_SIZE, '0'), 'hex').reverse();
}

/** By Fermat: a^(p − 2). Public numbers only, so its time may tell what it will. */
function inverse(number: bigint): bigint {
  let result = 1n;
  let power = number % FIELD;
  for (let exponent = FIELD - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * power) % FIELD;
    power = (power * power) % FIELD;
  }
  return result;
}

function tagOf(key: Buffer): string {
  return unpadded(createHash('sha256').update(key).digest().subarray(0, 4));
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
