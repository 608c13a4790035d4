import type { RandomBytes } from './clock.ts';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_CHARACTERS = 10;
const RANDOM_BYTES = 10;
const MAX_TIME_MS = 2 ** 48 - 1;
const SHAPE = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** 26 characters that sort by time: 48 bits of milliseconds, then 80 random bits. Two of one millisecond have no order. */
export function newUlid(nowMs: number, random: RandomBytes): string {
  if (!Number.isSafeInteger(nowMs) || nowMs < 0 || nowMs > MAX_TIME_MS) throw new RangeError(`no ULID time: ${nowMs}`);
  let text = '';
  let rest = nowMs;
  for (let at = 0; at < TIME_CHARACTERS; at++) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  let bits = 0;
  let held = 0;
  for (const byte of random(RANDOM_BYTES)) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((held >> bits) & 31);
    }
  }
  return text;
}

export function isUlid(text: string): boolean {
  return SHAPE.test(text);
}

/** The milliseconds since 1970 UTC in a ULID. Throws when `ulid` is none. */
export function ulidTime(ulid: string): number {
  if (!isUlid(ulid)) throw new RangeError('no ULID');
  let timeMs = 0;
  for (const character of ulid.slice(0, TIME_CHARACTERS)) timeMs = timeMs * 32 + ALPHABET.indexOf(character);
  return timeMs;
}
