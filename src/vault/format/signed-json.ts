import { z } from 'zod';
import { canonicalJson } from '../../core/canonical-json.ts';
import { isUlid } from '../../core/ulid.ts';
import { formatNewer } from './errors.ts';
import { historyOf, isName, isPosition, isSha256, isTime } from './keys.ts';
import { isBase64, verify } from './signing.ts';

/** Fields that several plaintext objects have. */
export const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
export const sha256 = z.string().refine(isSha256);
export const ulid = z.string().refine(isUlid);
export const time = z.string().refine(isTime);
/** Of a system or a dataset. */
export const name = z.string().refine(isName);
/** Of a log: a branch of a history, and a place in it. */
export const timeline = z.string().refine((text) => historyOf(text) !== undefined);
export const position = z.string().refine(isPosition);
export const publicKey = z.string().refine((text) => isBase64(text, 32));
export const signature = z.string().refine((text) => isBase64(text, 64));
export const algorithm = z.literal('ed25519');

/** What a program must know before it deletes anything beside what says so, and before it reads that. Nothing yet. */
const knownNeeds: ReadonlySet<string> = new Set();
const need = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/);
const needs = z.array(need).max(100).refine(isSorted);
export const requires = needs.refine((words) => words.every((word) => knownNeeds.has(word)));

/** Each kind of object is signed under its own name, so that no signature stands for another kind. Ledger entries have DSSE's. */
export type SignedKind = 'record' | 'generation' | 'endorsement' | 'announcement' | 'grant' | 'cover';

/** As stored: canonical JSON and a newline, so that there is one byte string for one value. */
export function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(`${canonicalJson(value)}\n`);
}

/** What is signed: a line that names the kind, and the canonical JSON of everything but the signature, without a newline. */
export function signedBytes(kind: SignedKind, value: object): Uint8Array {
  const { signature: _, ...unsigned } = value as { signature?: string };
  return Buffer.from(`lifeboat ${kind}\n${canonicalJson(unsigned)}`);
}

interface Signed {
  readonly writer: string;
  readonly signature: string;
}

export interface SignedReading {
  readonly kind: SignedKind;
  readonly shape: z.ZodType;
  readonly damaged: (fact: { field: string }) => Error;
  readonly forged: (fact: { writer: string }) => Error;
}

/**
 * Bytes → the value, whose signature fits the writer that it names. Fields that the shape does not name are carried.
 * @throws what `damaged` or `forged` make; `format-newer` for what was made, and signed, for later programs
 */
export function readSigned(bytes: Uint8Array, { kind, shape, damaged, forged }: SignedReading): unknown {
  let value: Signed;
  try {
    value = readJson(bytes, shape, damaged) as Signed;
  } catch (error) {
    const needs = readEnvelope(kind, bytes)?.needs;
    throw needs === undefined ? error : formatNewer({ what: `A signed ${kind}`, needs });
  }
  if (!verify(signedBytes(kind, value), value.signature, value.writer)) throw forged(value);
  return value;
}

/** The same in every format, so that who made something for later programs is known without knowing these. */
const envelope = z.looseObject({
  algorithm,
  format: count.min(1),
  vault: ulid,
  writer: publicKey,
  signature,
  requires: needs.exactOptional(),
});

export interface Envelope {
  readonly vault: string;
  readonly format: number;
  /** Ed25519 public key, base64: the signature fits. */
  readonly writer: string;
  /** What this program does not know, as the end of a sentence: `format 2`. */
  readonly needs?: string;
}

/** Undefined for what is not soundly signed. */
export function readEnvelope(kind: SignedKind, bytes: Uint8Array): Envelope | undefined {
  try {
    const value = readJson(bytes, envelope, ({ field }) => new Error(field)) as z.infer<typeof envelope>;
    const { vault, writer, format, requires: words = [] } = value;
    if (!verify(signedBytes(kind, value), value.signature, writer)) return undefined;
    const unknown = words.filter((word) => !knownNeeds.has(word));
    if (format > 1) unknown.unshift(`format ${format}`);
    return { vault, format, writer, ...(unknown.length > 0 && { needs: unknown.slice(0, 3).join(', ') }) };
  } catch {
    return undefined;
  }
}

function isSorted(words: readonly string[]): boolean {
  return words.every((word, at) => at === 0 || words[at - 1]! < word);
}

/** Bytes → the value that `shape` describes, or what `damaged` makes of the field that does not fit. Only canonical bytes pass. */
export function readJson(bytes: Uint8Array, shape: z.ZodType, damaged: (fact: { field: string }) => Error): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw damaged({ field: 'its JSON' });
  }
  const checked = shape.safeParse(value);
  if (!checked.success) throw damaged({ field: fieldOf(checked.error) });
  // Also finds repeated keys, other number texts and other orders: what was signed is exactly what is stored.
  if (!isCanonical(bytes, value)) throw damaged({ field: 'its JSON, which is not canonical' });
  return value;
}

function isCanonical(bytes: Uint8Array, value: unknown): boolean {
  try {
    return Buffer.compare(jsonBytes(value), bytes) === 0;
  } catch {
    return false; // half a surrogate pair
  }
}

function fieldOf(error: z.ZodError): string {
  const path = error.issues[0]?.path.join('.') ?? '';
  // The path may hold a hostile key: keep messages short and printable.
  return path === '' ? 'its fields' : path.replace(/[^\w.-]/g, '?').slice(0, 80);
}
