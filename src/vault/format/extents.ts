import { isSha256 } from './keys.ts';
import type { Extent } from './manifest.ts';

/** `pack:offset:length`, or `-:0:length` for a hole. */
export function encodeExtent(extent: Extent): string {
  return extent.pack === null ? `-:0:${extent.length}` : `${extent.pack}:${extent.offset}:${extent.length}`;
}

/** The extent that the three texts name; undefined when they name none. */
export function readExtent(pack: string, offset: string, length: string): Extent | undefined {
  const at = readCount(offset);
  const size = readCount(length);
  if (at === undefined || size === undefined || size === 0 || !Number.isSafeInteger(at + size)) return undefined;
  if (pack === '-') return at === 0 ? { pack: null, offset: 0, length: size } : undefined;
  return isSha256(pack) ? { pack, offset: at, length: size } : undefined;
}

/** A decimal number without sign or leading zeros, up to 2^53-1; undefined for any other text. */
export function readCount(text: string): number | undefined {
  if (!/^(0|[1-9]\d{0,15})$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
