import { getRandomValues } from 'node:crypto';
import { isSha256 } from './format/keys.ts';

/**
 * Ids of packs and manifests (SHA-256), each held once, as 32 bytes under a small number. Restore points name the same packs
 * over and over: who thinks about all of them at once keeps numbers, not texts.
 */
export interface Ids {
  /** How many there are; their numbers are those below it. */
  readonly size: number;
  /** The number of an id in lower-case hex, which it gets where it is new. */
  add(id: string): number;
  /** The same for what `readHex` has read. */
  addWords(words: Uint32Array): number;
  /** Undefined for what was never added. */
  find(id: string): number | undefined;
  /** The id in lower-case hex. */
  idOf(number: number): string;
  /** How large the object is by what was said first, which is `sizeBytes` where nothing was. */
  firstSize(number: number, sizeBytes: number): number;
}

const WORDS = 8;
const HEX = 64;
/** Value of a hex digit by its character code, and 255 for any other. */
const digits = new Uint8Array(256).fill(255);
for (const [value, digit] of [...'0123456789abcdef'].entries()) digits[digit.charCodeAt(0)] = value;

/** Reads 64 lower-case hex digits at `at` into eight words, the first the highest. False where there is anything else. */
export function readHex(bytes: Uint8Array, at: number, words: Uint32Array): boolean {
  if (at + HEX > bytes.length) return false;
  let seen = 0;
  for (let word = 0; word < WORDS; word++) {
    let value = 0;
    for (let end = at + 8; at < end; at++) {
      const digit = digits[bytes[at]!]!;
      seen |= digit;
      value = (value << 4) | digit;
    }
    words[word] = value;
  }
  return seen < 16;
}

/** Negative, 0 or positive, as the ids sort. */
export function compareWords(a: Uint32Array, b: Uint32Array): number {
  for (let word = 0; word < WORDS; word++) {
    if (a[word] !== b[word]) return a[word]! - b[word]!;
  }
  return 0;
}

export function createIds(): Ids {
  // By chance, and mixed between the words, so that nobody can choose ids that all fall into one place.
  const factors = getRandomValues(new Uint32Array(WORDS)).map((factor) => factor | 1);
  const [start = 0] = getRandomValues(new Uint32Array(1));
  const text = Buffer.alloc(HEX);
  const asked = new Uint32Array(WORDS);
  let held = new Uint32Array(16 * WORDS);
  /** By number; negative: nothing was said. */
  let sizes = new Float64Array(16).fill(-1);
  /** A power of two of places, at most half of them taken; a number and one, or 0. */
  let places = new Uint32Array(32);
  let size = 0;

  function placeOf(words: Uint32Array, from: number): number {
    let sum = start;
    for (let word = 0; word < WORDS; word++) {
      sum = Math.imul(sum ^ words[from + word]!, factors[word]!);
      sum ^= sum >>> 15;
    }
    return sum & (places.length - 1);
  }

  /** Where these words are, or would be. */
  function search(words: Uint32Array): number {
    let place = placeOf(words, 0);
    for (; places[place] !== 0; place = (place + 1) & (places.length - 1)) {
      const from = (places[place]! - 1) * WORDS;
      let word = 0;
      while (word < WORDS && held[from + word] === words[word]) word++;
      if (word === WORDS) break;
    }
    return place;
  }

  function grow(): void {
    const wider = new Uint32Array(held.length * 2);
    wider.set(held);
    held = wider;
    const more = new Float64Array(sizes.length * 2).fill(-1);
    more.set(sizes);
    sizes = more;
    places = new Uint32Array(places.length * 2);
    for (let number = 0; number < size; number++) {
      let place = placeOf(held, number * WORDS);
      while (places[place] !== 0) place = (place + 1) & (places.length - 1);
      places[place] = number + 1;
    }
  }

  function addWords(words: Uint32Array): number {
    const known = places[search(words)]!;
    if (known !== 0) return known - 1;
    if ((size + 1) * WORDS > held.length) grow();
    held.set(words, size * WORDS);
    places[search(words)] = size + 1;
    return size++;
  }

  function isRead(id: string): boolean {
    return isSha256(id) && text.write(id, 'latin1') === HEX && readHex(text, 0, asked);
  }

  return {
    get size() {
      return size;
    },
    addWords,
    add(id) {
      if (!isRead(id)) throw new TypeError('no id of an object');
      return addWords(asked);
    },
    find(id) {
      const known = isRead(id) ? places[search(asked)]! : 0;
      return known === 0 ? undefined : known - 1;
    },
    idOf(number) {
      if (number >= size) throw new RangeError('no number of an id');
      for (let word = 0; word < WORDS; word++) text.writeUInt32BE(held[number * WORDS + word]!, word * 4);
      return text.toString('hex', 0, HEX / 2);
    },
    firstSize(number, sizeBytes) {
      if (sizes[number]! < 0) sizes[number] = sizeBytes;
      return sizes[number]!;
    },
  };
}
