import {
  constants,
  createHash,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import {
  derivedKey,
  FILE_KEY_SIZE,
  type Identity,
  openFileKey,
  type Recipient,
  sealFileKey,
  unpadded,
} from '../stanza.ts';
import { multiply, publicOf, shareOf, X25519_KEY_SIZE } from '../x25519.ts';
import { parseSshPublicKey, type SshPublicKey, sshPublicLine } from './public-key.ts';

const ED25519_LABEL = 'age-encryption.org/v1/ssh-ed25519';
const RSA_LABEL = Buffer.from('age-encryption.org/v1/ssh-rsa');
const FIELD = 2n ** 255n - 19n;

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
    return { wrap: (fileKey) => ({ args: ['ssh-rsa', tag], body: publicEncrypt(options, fileKey) }) };
  }
  const theirs = montgomeryOf(key.point);
  return {
    wrap(fileKey) {
      const secret = randomBytes(X25519_KEY_SIZE);
      const share = publicOf(secret);
      const wrapping = wrappingKey(multiply(tweakOf(key), multiply(secret, theirs)), share, theirs);
      return { args: ['ssh-ed25519', tag, unpadded(share)], body: sealFileKey(fileKey, wrapping) };
    },
  };
}

/** age's identity for an SSH private key, Ed25519 or RSA. A stanza for it that is malformed makes its methods throw. */
export function sshIdentity(privateKey: KeyObject): Identity {
  const key = parseSshPublicKey(sshPublicLine(createPublicKey(privateKey)));
  const tag = tagOf(key.wire);
  const open = key.type === 'ssh-rsa' ? rsaOpener(privateKey) : ed25519Opener(privateKey, key);
  return {
    unwrap(stanzas) {
      for (const { args, body } of stanzas) {
        if (args[0] !== key.type) continue;
        if (args.length !== (key.type === 'ssh-rsa' ? 2 : 3)) throw new Error(`a ${key.type} stanza is malformed`);
        // Four bytes of a hash: another key may have the same, so failing to open it proves nothing yet.
        if (args[1] !== tag) continue;
        const fileKey = open(args, body);
        if (fileKey !== null) return fileKey;
      }
      return null;
    },
  };
}

type Opener = (args: readonly string[], body: Uint8Array) => Uint8Array | null;

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
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-X25519_KEY_SIZE);
  const secret = createHash('sha512').update(seed).digest().subarray(0, X25519_KEY_SIZE);
  const ours = publicOf(secret);
  return (args, body) => {
    const share = shareOf(args[2]);
    return openFileKey(body, wrappingKey(multiply(tweakOf(key), multiply(secret, share)), share, ours));
  };
}

/** Makes the stanza useless for a key that merely shares the Diffie-Hellman secret. */
function tweakOf(key: SshPublicKey): Uint8Array {
  return derivedKey(new Uint8Array(0), key.wire, ED25519_LABEL);
}

function wrappingKey(shared: Uint8Array, share: Uint8Array, recipient: Uint8Array): Uint8Array {
  return derivedKey(shared, Buffer.concat([share, recipient]), ED25519_LABEL);
}

/** The Ed25519 public key as the X25519 one of the same secret: u = (1 + y) / (1 − y), RFC 7748 §4.1. */
function montgomeryOf(point: Buffer): Buffer {
  const littleEndian = Buffer.from(point).reverse();
  littleEndian[0]! &= 0x7f;
  const y = BigInt(`0x${littleEndian.toString('hex')}`) % FIELD;
  const u = ((1n + y) * inverse(FIELD + 1n - y)) % FIELD;
  return Buffer.from(u.toString(16).padStart(2 * X25519_KEY_SIZE, '0'), 'hex').reverse();
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
