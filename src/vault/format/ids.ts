import { getRandomValues } from 'node:crypto';
import { isSha256 } from './keys.ts';

/**
 * Ids of packs, manifests and lists (SHA-256), each held once, as 32 bytes under a small number. Restore points name the same packs
 * over and over: who thinks about all of them at once keeps numbers, not texts.
 */
export interface Ids {
  /** How many there are; their numbers are those below it. */
  readonly size: number;
  /** The number of an id in lower-case hex, which it gets where it is new. */
  add(id: string): number;
  /**
   * The same for an id as eight words from there on, the first the highest. `likely`: the number that it may well have, which is looked at
   * first.
   */
  addWords(words: Uint32Array, from?: number, likely?: number): number;
  /** Undefined for what was never added. */
  find(id: string): number | undefined;
  /** The id in lower-case hex. */
  idOf(number: number): string;
  /** Notes how large it is by a list that names it. False where another said something else before: the first holds. */
  addSize(number: number, sizeBytes: number): boolean;
  /** As the first list said; 0 where none did. */
  sizeOf(number: number): number;
}

const WORDS = 8;
const BYTES = 32;

export function createIds(): Ids {
  // By chance, and mixed between the words, so that nobody can choose ids that all fall into one place.
  const factors = getRandomValues(new Uint32Array(WORDS)).map((factor) => factor | 1);
  const [start = 0] = getRandomValues(new Uint32Array(1));
  const bytes = Buffer.alloc(BYTES);
  const asked = new Uint32Array(WORDS);
  let held = new Uint32Array(16 * WORDS);
  let sizes = new Uint32Array(16);
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
  function search(words: Uint32Array, from: number): number {
    let place = placeOf(words, from);
    for (; places[place] !== 0; place = (place + 1) & (places.length - 1)) {
      if (isAt(places[place]! - 1, words, from)) break;
    }
    return place;
  }

  function isAt(number: number, words: Uint32Array, from: number): boolean {
    let word = 0;
    while (word < WORDS && held[number * WORDS + word] === words[from + word]) word++;
    return word === WORDS;
  }

  function grow(): void {
    const wider = new Uint32Array(held.length * 2);
    wider.set(held);
    held = wider;
    const more = new Uint32Array(sizes.length * 2);
    more.set(sizes);
    sizes = more;
    places = new Uint32Array(places.length * 2);
    for (let number = 0; number < size; number++) {
      let place = placeOf(held, number * WORDS);
      while (places[place] !== 0) place = (place + 1) & (places.length - 1);
      places[place] = number + 1;
    }
  }

  function addWords(words: Uint32Array, from = 0, likely = size): number {
    if (likely < size && isAt(likely, words, from)) return likely;
    const known = places[search(words, from)]!;
    if (known !== 0) return known - 1;
    if ((size + 1) * WORDS > held.length) grow();
    for (let word = 0; word < WORDS; word++) held[size * WORDS + word] = words[from + word]!;
    places[search(words, from)] = size + 1;
    return size++;
  }

  /** Into `asked`; false for what is no id. */
  function isRead(id: string): boolean {
    if (!isSha256(id)) return false;
    bytes.write(id, 'hex');
    for (let word = 0; word < WORDS; word++) asked[word] = bytes.readUInt32BE(word * 4);
    return true;
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
      const known = isRead(id) ? places[search(asked, 0)]! : 0;
      return known === 0 ? undefined : known - 1;
    },
    idOf(number) {
      if (number >= size) throw new RangeError('no number of an id');
      for (let word = 0; word < WORDS; word++) bytes.writeUInt32BE(held[number * WORDS + word]!, word * 4);
      return bytes.toString('hex');
    },
    addSize(number, sizeBytes) {
      if (sizes[number] === 0) sizes[number] = sizeBytes;
      return sizes[number] === sizeBytes;
    },
    sizeOf: (number) => sizes[number] ?? 0,
  };
}
