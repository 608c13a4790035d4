import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import { identityInvalid, recipientInvalid } from './errors.ts';
import { identityOf, pointOf, recipientOfSecret, secretOf } from './secret-bytes.ts';
import { parseSshPublicKey, sshPublicLine } from './ssh/public-key.ts';
import { sshIdentity, sshRecipient } from './ssh/stanza.ts';
import type { Identity, Recipient } from './stanza.ts';
import { X25519_KEY_SIZE, x25519Identity, x25519Recipient } from './x25519.ts';

export interface KeyPair {
  /** `AGE-SECRET-KEY-1…`: opens everything encrypted to `recipient`. A secret. */
  readonly identity: string;
  /** `age1…`: public, but not stored in the vault. */
  readonly recipient: string;
}

export function generateIdentity(): KeyPair {
  const secret = randomBytes(X25519_KEY_SIZE);
  return { identity: identityOf(secret), recipient: recipientOfSecret(secret) };
}

/**
 * Identities are texts: `AGE-SECRET-KEY-1…`, or the private key of an SSH pair in PKCS#8 PEM without a passphrase.
 * @throws `identity-invalid`
 */
export function recipientOf(identity: string): string {
  if (isSshIdentity(identity)) return sshPublicLine(createPublicKey(keyOfIdentity(identity)));
  return recipientOfSecret(checkedSecret(identity));
}

/** Who opens what is encrypted to `recipientOf` it. @throws `identity-invalid` */
export function identityFor(text: string): Identity {
  return isSshIdentity(text) ? sshIdentity(keyOfIdentity(text)) : x25519Identity(checkedSecret(text));
}

export function isSshIdentity(identity: string): boolean {
  return identity.startsWith('-----BEGIN PRIVATE KEY-----');
}

/** An SSH key as an identity's text. */
export function sshIdentityText(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }) as string;
}

/** The key of what `sshIdentityText` made. */
export function keyOfIdentity(identity: string): KeyObject {
  try {
    return createPrivateKey(identity);
  } catch {
    // The cause is dropped: it may quote the secret.
    throw identityInvalid({ why: 'the key is damaged' });
  }
}

/** Whether `text` is a recipient that a vault takes: X25519 (lower case, sound checksum), or an SSH key. */
export function isRecipient(text: string): boolean {
  return text.startsWith('ssh-') ? sshProblem(text) === undefined : pointOf(text) !== undefined;
}

/** Public keys only: read once a thread, not once a pack. */
const known = new Map<string, Recipient>();

/** Whom a header is for. @throws `recipient-invalid` */
export function recipientFor(text: string): Recipient {
  let recipient = known.get(text);
  if (recipient === undefined) {
    if (!isRecipient(text)) throw refused(text);
    recipient = text.startsWith('ssh-') ? sshRecipient(text) : x25519Recipient(pointOf(text)!);
    known.set(text, recipient);
  }
  return recipient;
}

/** The `recipient-invalid` that says why `text` is refused. Quotes it only where it cannot be a secret. */
export function refused(text: string): Error {
  const recipient = /^(age1|ssh-|ecdsa-|sk-)/.test(text) ? text.slice(0, 80) : 'The text given';
  return recipientInvalid({ recipient, why: refusal(text) });
}

function refusal(text: string): string {
  if (/^AGE-(SECRET-KEY|PLUGIN)-/i.test(text)) return 'it is an identity, which must stay secret';
  if (/^age1(pq|tag|tagpq)1/.test(text)) return 'post-quantum and tag recipients are not supported in format 1';
  if (/^age1[a-z0-9]+1/.test(text) && text.length > 62) {
    return 'keys on a device (age plugins) are not supported: a backup must open without the plugin';
  }
  if (/^(ssh|ecdsa|sk)-/.test(text)) return sshProblem(text) ?? 'it is damaged';
  return 'it is not an X25519 recipient (age1 and 58 characters), or was mistyped';
}

function sshProblem(text: string): string | undefined {
  try {
    parseSshPublicKey(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The identities in an identity file, as `age -i` reads it: one a line; blank lines and `# comments` are passed over. */
export function parseIdentityFile(text: string): string[] {
  const identities: string[] = [];
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    checkedSecret(line, index + 1);
    identities.push(line);
  });
  if (identities.length === 0) throw identityInvalid({ why: 'it holds none' });
  return identities;
}

function checkedSecret(identity: string, line?: number): Uint8Array {
  const where = line === undefined ? {} : { line };
  if (!/^AGE-SECRET-KEY-1/.test(identity)) throw identityInvalid({ ...where, why: refusedIdentity(identity) });
  try {
    return secretOf(identity);
  } catch {
    throw identityInvalid({ ...where, why: 'the key is mistyped or cut short' });
  }
}

function refusedIdentity(line: string): string {
  if (line.startsWith('age-encryption.org/') || line.startsWith('-----BEGIN AGE')) {
    return 'it is an age file inside another';
  }
  if (line.startsWith('AGE-SECRET-KEY-PQ-') || line.startsWith('AGE-PLUGIN-')) {
    return 'post-quantum and plugin identities are not supported; AGE-SECRET-KEY-1… and SSH keys are';
  }
  return 'it does not start with AGE-SECRET-KEY-1';
}
