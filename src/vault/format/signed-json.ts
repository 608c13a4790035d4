import { z } from 'zod';
import { canonicalJson } from '../../core/canonical-json.ts';
import { isUlid } from '../../core/ulid.ts';
import { isDatasetName, isSha256, isTime } from './keys.ts';
import { isBase64, verify } from './signing.ts';

/** Fields that several plaintext objects have. */
export const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
export const sha256 = z.string().refine(isSha256);
export const ulid = z.string().refine(isUlid);
export const time = z.string().refine(isTime);
export const datasetName = z.string().refine(isDatasetName);
export const publicKey = z.string().refine((text) => isBase64(text, 32));
export const signature = z.string().refine((text) => isBase64(text, 64));

/** As stored: canonical JSON and a newline, so that there is one byte string for one value. */
export function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(`${canonicalJson(value)}\n`);
}

/** What is signed: the canonical JSON of everything but the signature, without a newline. */
export function signedBytes(value: object): Uint8Array {
  const { signature: _, ...unsigned } = value as { signature?: string };
  return Buffer.from(canonicalJson(unsigned));
}

export function isSigned(value: { readonly writer: string; readonly signature: string }): boolean {
  return verify(signedBytes(value), value.signature, value.writer);
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
