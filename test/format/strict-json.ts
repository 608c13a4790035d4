import { createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';

// A second reading of docs/vault-format.md, by code that shares nothing with the product's: what one gets wrong, the other refuses.

/** Why an object is not what the page says. */
export class Broken extends Error {}

export function broken(why: string): never {
  throw new Broken(why);
}

/** RFC 8785 for what format 1 has: integers only. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([name, one]) => `${canonical(name)}:${canonical(one)}`).join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) broken('a number is no integer');
  if (typeof value === 'string' && !value.isWellFormed()) broken('a text has half a character');
  return JSON.stringify(value);
}

export function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return broken('it is no UTF-8');
  }
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return broken('it is no JSON');
  }
}

export function shaped<T>(value: unknown, shape: z.ZodType<T>): T {
  const { data, error } = shape.safeParse(value);
  if (error !== undefined) broken(error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  return data as T;
}

/** Canonical JSON and a newline. What the shape does not know stays in `whole`, which is what was signed. */
export function canonicalObject<T>(
  bytes: Uint8Array,
  shape: z.ZodType<T>,
): { whole: Record<string, unknown>; fields: T } {
  const text = utf8(bytes);
  const whole = parsed(text);
  if (`${canonical(whole)}\n` !== text) broken('it is not in canonical form');
  return { whole: whole as Record<string, unknown>, fields: shaped(whole, shape) };
}

/** An object with a signature of its own over all other fields. */
export function signedObject<T extends { writer?: string; endorser?: string; signature: string }>(
  bytes: Uint8Array,
  context: string,
  shape: z.ZodType<T>,
): T {
  const { whole, fields } = canonicalObject(bytes, shape);
  const { signature, ...rest } = whole;
  checkSignature(
    Buffer.from(`lifeboat ${context}\n${canonical(rest)}`),
    String(signature),
    (fields.writer ?? fields.endorser)!,
  );
  return fields;
}

/** Of Ed25519's public keys in DER, before the key. */
const derHead = Buffer.from('302a300506032b6570032100', 'hex');

export function checkSignature(signed: Uint8Array, signature: string, key: string): void {
  const der = Buffer.concat([derHead, Buffer.from(key, 'base64')]);
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
  if (!verify(null, signed, publicKey, Buffer.from(signature, 'base64'))) broken('its signature does not fit');
}

const base64Of = (sizeBytes: number) =>
  z.string().refine((text) => {
    const bytes = Buffer.from(text, 'base64');
    return bytes.length === sizeBytes && bytes.toString('base64') === text;
  }, `no base64 of ${sizeBytes} bytes`);

export const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
export const sha256Hex = hex(64);
export const publicKey = base64Of(32);
export const signature = base64Of(64);
export const ulid = z.string().regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
export const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}$/);
export const whole = z.int().min(0);
export const positive = z.int().min(1);
export const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  .refine((text) => Number.isFinite(Date.parse(text)) && new Date(text).toISOString() === text, 'no such moment');
/** Nothing is required of a program of format 1. */
export const requires = z.array(z.never());
export const algorithm = z.literal('ed25519');
export const format = z.literal(1);

export const isRising = <T>(values: readonly T[]) => values.every((value, at) => at === 0 || values[at - 1]! < value);
export const rising = <T extends z.ZodType>(of: T) =>
  z.array(of).refine((values) => isRising(values), 'not sorted, or one of them twice');

const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export function momentOf(id: string): number {
  return [...id.slice(0, 10)].reduce((sum, letter) => sum * 32 + letters.indexOf(letter), 0);
}

/** Whether it is a Padmé size. */
export function isRound(size: number): boolean {
  const exponent = Math.floor(Math.log2(size));
  const low = exponent - (Math.floor(Math.log2(exponent)) + 1);
  return size < 4 || low <= 0 || size % 2 ** low === 0;
}
