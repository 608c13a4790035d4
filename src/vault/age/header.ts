import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { plainRecipient } from '../../core/recipient-print.ts';
import { headerDamaged, noIdentityFits } from './errors.ts';
import { identityFor, recipientFor } from './identity.ts';
import { bytesOfUnpadded, derivedKey, FILE_KEY_SIZE, type Identity, type Stanza, unpadded } from './stanza.ts';

/** No header of ours comes near: about 100 bytes a recipient, for a long RSA key up to 3000. */
export const MAX_HEADER_SIZE = 65_536;

const INTRO = 'age-encryption.org/v1\n';
/** A body is base64 in lines of this size; a shorter one, which may be empty, ends it. */
const LINE = 64;

export interface NewHeader {
  /** Ends with the newline of its MAC line; the payload's nonce follows it. */
  readonly header: Uint8Array;
  /** 16 bytes. Whoever has them reads the object. */
  readonly fileKey: Uint8Array;
}

/**
 * A fresh file key, wrapped for every one of `recipients` (age1…, ssh-ed25519 …, ssh-rsa …). One header serves exactly one object.
 * @throws `recipient-invalid`
 */
export function newHeader(recipients: readonly string[]): NewHeader {
  if (recipients.length === 0) throw new TypeError('an age header needs a recipient');
  const fileKey = Uint8Array.from(randomBytes(FILE_KEY_SIZE));
  const stanzas = [...new Set(recipients.map(plainRecipient))].map((one) => recipientFor(one).wrap(fileKey));
  const signed = `${INTRO}${stanzas.map(stanzaText).join('')}---`;
  const mac = unpadded(macOf(signed, fileKey));
  return { header: Buffer.from(`${signed} ${mac}\n`), fileKey };
}

function stanzaText({ args, body }: Stanza): string {
  const text = unpadded(body);
  const lines = [`-> ${args.join(' ')}`];
  for (let at = 0; at <= text.length; at += LINE) lines.push(text.slice(at, at + LINE));
  return `${lines.join('\n')}\n`;
}

function macOf(signed: string, fileKey: Uint8Array): Uint8Array {
  const key = derivedKey(fileKey, new Uint8Array(0), 'header');
  return createHmac('sha256', key).update(signed, 'latin1').digest();
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
  return openHeaderWith(bytes, identities.map(identityFor));
}

/** The same for whoever can do what an identity does. */
export async function openHeaderWith(bytes: Uint8Array, identities: readonly Identity[]): Promise<OpenedHeader> {
  const headerSize = findHeaderSize(bytes);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, headerSize).toString('latin1');
  const { stanzas, signed, mac } = parsed(text);
  for (const identity of identities) {
    const fileKey = await unwrapped(identity, stanzas);
    if (fileKey === null) continue;
    if (!timingSafeEqual(macOf(signed, fileKey), mac)) throw headerDamaged({ why: 'its MAC is wrong' });
    return { fileKey, headerSize };
  }
  throw noIdentityFits({ identities: identities.length });
}

async function unwrapped(identity: Identity, stanzas: readonly Stanza[]): Promise<Uint8Array | null> {
  try {
    return await identity.unwrap(stanzas);
  } catch (cause) {
    throw headerDamaged({ why: 'a stanza of it is wrong' }, { cause });
  }
}

/** A whole header. Nothing in it may be written in two ways. @throws `header-damaged` */
function parsed(text: string): { stanzas: Stanza[]; signed: string; mac: Uint8Array } {
  const lines = text.slice(INTRO.length, -1).split('\n');
  const stanzas: Stanza[] = [];
  let at = 0;
  while (lines[at]?.startsWith('-> ')) {
    const args = lines[at]!.slice(3).split(' ');
    if (args.some((arg) => !/^[\x21-\x7e]+$/.test(arg))) throw headerDamaged({ why: 'a stanza begins wrong' });
    let body = '';
    do {
      body += lines[++at] ?? '';
    } while (lines[at]?.length === LINE);
    const bytes = (lines[at]?.length ?? LINE) < LINE ? bytesOfUnpadded(body) : undefined;
    if (bytes === undefined) throw headerDamaged({ why: 'the body of a stanza is malformed' });
    stanzas.push({ args, body: bytes });
    at++;
  }
  const end = lines[at] ?? '';
  const mac = end.startsWith('--- ') ? bytesOfUnpadded(end.slice(4)) : undefined;
  if (stanzas.length === 0 || mac?.length !== 32) throw headerDamaged({ why: 'it does not end with its MAC' });
  return { stanzas, signed: text.slice(0, text.length - end.length + 2), mac };
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
