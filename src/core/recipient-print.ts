import { createHash } from 'node:crypto';

const PRINT_SIZE = 16;

/**
 * A recipient's fingerprint, 32 lower-case hex digits: names it where the recipient itself must not stand. The comment of an
 * SSH key does not count.
 */
export function printOf(recipient: string): string {
  return createHash('sha256')
    .update(plainRecipient(recipient))
    .digest('hex')
    .slice(0, PRINT_SIZE * 2);
}

/** `ssh-ed25519 AAAA… me@host` → `ssh-ed25519 AAAA…`; any other recipient as it is. */
export function plainRecipient(recipient: string): string {
  const text = recipient.trim();
  return /^ssh-\S+\s/.test(text) ? text.split(/\s+/).slice(0, 2).join(' ') : text;
}

/** The prints of all of `recipients`, sorted, each once. */
export function printsOf(recipients: readonly string[]): string[] {
  return [...new Set(recipients.map(printOf))].sort();
}

/** Enough of a recipient to know it by in a line of text: `age1rr56a65c…`, `ssh-ed25519 …bU0YAk`. */
export function shortRecipient(recipient: string): string {
  const [type = '', key] = plainRecipient(recipient).split(' ');
  return key === undefined ? `${type.slice(0, 12)}…` : `${type} …${key.replace(/=+$/, '').slice(-6)}`;
}
