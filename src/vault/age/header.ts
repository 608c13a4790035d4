import { Decrypter, Encrypter, type Identity, type Recipient } from 'age-encryption';
import { headerDamaged, noIdentityFits } from './errors.ts';
import { isRecipient, isSshIdentity, keyOfIdentity, refused } from './identity.ts';
import { plainRecipient } from './recipient-print.ts';
import { sshIdentity, sshRecipient } from './ssh/stanza.ts';

/** No header of ours comes near: about 100 bytes a recipient, for a long RSA key up to 3000. */
export const MAX_HEADER_SIZE = 65_536;

const INTRO = 'age-encryption.org/v1\n';
/** What age's encrypter adds behind the header for an empty payload: nonce and tag. */
const EMPTY_PAYLOAD_SIZE = 16 + 16;

export interface NewHeader {
  /** Ends with the newline of its MAC line; the payload's nonce follows it. */
  readonly header: Uint8Array;
  /** 16 bytes. Whoever has them reads the object. */
  readonly fileKey: Uint8Array;
}

/** A fresh file key, wrapped for every one of `recipients` (age1…, ssh-ed25519 …, ssh-rsa …). One header serves exactly one object. */
export async function newHeader(recipients: readonly string[]): Promise<NewHeader> {
  if (recipients.length === 0) throw new TypeError('an age header needs a recipient');
  let seen: Uint8Array | undefined;
  const encrypter = new Encrypter();
  // A recipient of ours, which adds nothing to the header, is how the library lets us see the file key.
  encrypter.addRecipient({
    wrapFileKey(fileKey) {
      seen = Uint8Array.from(fileKey);
      return [];
    },
  });
  for (const recipient of new Set(recipients.map(plainRecipient))) encrypter.addRecipient(recipientFor(recipient));
  // As a stream: of bytes the library gathers the answer in a Response, for which Node loads its whole HTTP client.
  const pieces = await Array.fromAsync(await encrypter.encrypt(new ReadableStream({ start: (it) => it.close() })));
  const file = Buffer.concat(pieces);
  if (seen === undefined) throw new Error('the age library did not hand out the file key');
  return { header: file.subarray(0, file.length - EMPTY_PAYLOAD_SIZE), fileKey: seen };
}

/** Public keys only: read once a thread, not once a pack. */
const known = new Map<string, string | Recipient>();

function recipientFor(text: string): string | Recipient {
  let recipient = known.get(text);
  if (recipient === undefined) {
    if (!isRecipient(text)) throw refused(text);
    recipient = text.startsWith('ssh-') ? sshRecipient(text) : text;
    known.set(text, recipient);
  }
  return recipient;
}

export interface OpenedHeader {
  readonly fileKey: Uint8Array;
  /** Where the payload's nonce begins. */
  readonly headerSize: number;
}

/**
 * Reads the header at the beginning of an age file: `bytes` must reach past it, more does not matter. Errors:
 * `header-damaged`, `no-identity-fits`, `identity-invalid`.
 */
export async function openHeader(bytes: Uint8Array, identities: readonly string[]): Promise<OpenedHeader> {
  const readable = identities.map((text) => (isSshIdentity(text) ? sshIdentity(keyOfIdentity(text)) : text));
  return openHeaderWith(bytes, readable);
}

/** The same with identities of the age library's own kind. */
export async function openHeaderWith(
  bytes: Uint8Array,
  identities: ReadonlyArray<string | Identity>,
): Promise<OpenedHeader> {
  const headerSize = findHeaderSize(bytes);
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  let noneFits = false;
  // Asked last, so being asked means that no real identity fitted.
  decrypter.addIdentity({
    unwrapFileKey() {
      noneFits = true;
      return null;
    },
  });
  try {
    return { fileKey: await decrypter.decryptHeader(bytes.slice(0, headerSize)), headerSize };
  } catch (cause) {
    if (noneFits) throw noIdentityFits({ identities: identities.length });
    throw headerDamaged({ why: 'its stanzas or its MAC are wrong' }, { cause });
  }
}

/** The size of the header at the start of `bytes`, without reading its stanzas. */
export function findHeaderSize(bytes: Uint8Array): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_HEADER_SIZE));
  if (!text.subarray(0, INTRO.length).equals(Buffer.from(INTRO))) throw headerDamaged({ why: 'it is not an age file' });
  const mac = text.indexOf('\n--- ', INTRO.length - 1);
  const end = mac < 0 ? -1 : text.indexOf('\n', mac + 1);
  if (end >= 0) return end + 1;
  const why = bytes.length >= MAX_HEADER_SIZE ? `it is longer than ${MAX_HEADER_SIZE} bytes` : 'it ends too early';
  throw headerDamaged({ why });
}
