import { createPublicKey, type KeyObject } from 'node:crypto';
import { mpint, wire, wireReader } from './wire.ts';

/** A public key as age takes it for a recipient. */
export type SshPublicKey =
  | { readonly type: 'ssh-ed25519'; readonly wire: Buffer; readonly point: Buffer }
  | { readonly type: 'ssh-rsa'; readonly wire: Buffer; readonly key: KeyObject };

/** As age: a shorter key does not protect anything. */
const MIN_RSA_BITS = 2048;
/** Longer ones only cost time, and their stanza would not fit its bound. */
const MAX_RSA_BITS = 16_384;

/** The key of a line `ssh-ed25519 AAAA…` or `ssh-rsa AAAA…`, comment or not. Throws an Error that says what is wrong. */
export function parseSshPublicKey(line: string): SshPublicKey {
  const [type = '', text = ''] = line.trim().split(/\s+/);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new Error('its key is mistyped or cut short');
  const reader = wireReader(bytes);
  try {
    if (reader.bytes().toString('latin1') !== type) throw new Error('it says one type and holds another');
    if (type === 'ssh-ed25519') return ed25519(reader.bytes(), bytes);
    if (type === 'ssh-rsa') return rsa(reader.bytes(), reader.bytes(), bytes);
  } catch (error) {
    if (error instanceof RangeError) throw new Error('its key is mistyped or cut short');
    throw error;
  }
  throw new Error('of SSH keys only ssh-ed25519 and ssh-rsa can be encrypted to');
}

function ed25519(point: Buffer, bytes: Buffer): SshPublicKey {
  if (point.length !== 32 || !wire(Buffer.from('ssh-ed25519'), point).equals(bytes)) {
    throw new Error('its key is mistyped or cut short');
  }
  return { type: 'ssh-ed25519', wire: bytes, point };
}

function rsa(e: Buffer, n: Buffer, bytes: Buffer): SshPublicKey {
  if (!rsaWire(e, n).equals(bytes)) throw new Error('its key is mistyped or cut short');
  const key = createPublicKey({ key: { kty: 'RSA', e: base64url(e), n: base64url(n) }, format: 'jwk' });
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < MIN_RSA_BITS) throw new Error(`an RSA key of ${bits} bits protects nothing; take one of at least 2048`);
  if (bits > MAX_RSA_BITS) throw new Error(`an RSA key of ${bits} bits is larger than any that is of use`);
  return { type: 'ssh-rsa', wire: bytes, key };
}

/** The line of a private key's public half. Throws for anything but Ed25519 and RSA. */
export function sshPublicLine(key: KeyObject): string {
  const jwk = key.export({ format: 'jwk' });
  const bytes =
    jwk.kty === 'RSA'
      ? rsaWire(Buffer.from(jwk.e ?? '', 'base64url'), Buffer.from(jwk.n ?? '', 'base64url'))
      : wire(Buffer.from('ssh-ed25519'), Buffer.from(jwk.x ?? '', 'base64url'));
  if (jwk.kty !== 'RSA' && jwk.crv !== 'Ed25519') throw new Error('only Ed25519 and RSA keys can be used');
  return `${jwk.kty === 'RSA' ? 'ssh-rsa' : 'ssh-ed25519'} ${bytes.toString('base64')}`;
}

function rsaWire(e: Buffer, n: Buffer): Buffer {
  return wire(Buffer.from('ssh-rsa'), mpint(e), mpint(n));
}

function base64url(number: Buffer): string {
  return number.toString('base64url');
}
