import { createCipheriv, createHash } from 'node:crypto';
import { type Random, seededRandom } from '../examples/harbor/random.ts';

/**
 * Bytes that compress about as well as the real thing, fast to make, and the same on every machine. Real files share
 * words and instruction patterns, yet no long runs: slices are short, so that no tool finds duplicates that were not put there.
 */
export type Kind = 'text' | 'program' | 'packed';

const corpusBytes = 4 << 20;
let textCorpus: Buffer | undefined;
let patterns: Buffer[] | undefined;

export function makeContent(kind: Kind, sizeBytes: number, random: Random): Buffer {
  if (kind === 'text') return makeText(sizeBytes, random);
  if (kind === 'program') return makeProgram(sizeBytes, random);
  return makePacked(sizeBytes, random);
}

/** Like sources and logs: zstd -1 leaves two fifths of it. */
function makeText(sizeBytes: number, random: Random): Buffer {
  textCorpus ??= makeCorpus(seededRandom(1));
  const text = Buffer.allocUnsafe(sizeBytes);
  for (let at = 0; at < sizeBytes; ) {
    const length = Math.min(random.between(24, 240), sizeBytes - at);
    const from = random.between(0, corpusBytes - length);
    textCorpus.copy(text, at, from, from + length);
    at += length;
    if (at < sizeBytes && random.next() < 0.4) text[at++] = 0x0a;
  }
  return text;
}

function makeCorpus(random: Random): Buffer {
  const letters = 'etaoinshrdlucmfwypvbgkqjxz';
  const words = Array.from({ length: 6000 }, () =>
    Array.from({ length: random.between(2, 11) }, () => letters[Math.floor(26 * random.next() ** 2)]).join(''),
  );
  const joints = [' ', ' ', ' ', '_', '.', ', ', '(', ');\n', ' = ', ': ', '/', '\n  '];
  const pieces: string[] = [];
  for (let length = 0; length < corpusBytes; ) {
    // A few words are everywhere, most are rare, and numbers never repeat.
    const word = words[Math.floor(words.length * random.next() ** 6)]!;
    const piece = (random.next() < 0.02 ? String(random.between(0, 1e9)) : word) + random.pick(joints);
    pieces.push(piece);
    length += piece.length;
  }
  return Buffer.from(pieces.join(''), 'latin1').subarray(0, corpusBytes);
}

/** Like machine code: common instruction patterns, addresses, tables, and stretches of zeros. zstd -1 leaves two fifths of it. */
function makeProgram(sizeBytes: number, random: Random): Buffer {
  patterns ??= makePatterns(seededRandom(2));
  const program = Buffer.alloc(sizeBytes);
  program.write('\x7fELF\x02\x01\x01', 'latin1');
  for (let at = 64; at < sizeBytes; ) {
    const choice = random.next();
    if (choice < 0.003) {
      at += random.between(64, 2048);
    } else if (choice < 0.7) {
      const pattern = patterns[Math.floor(patterns.length * random.next() ** 2)]!;
      at += pattern.copy(program, at);
    } else if (choice < 0.85) {
      if (at + 2 > sizeBytes) break;
      at = program.writeUInt16LE(random.between(0, 0xffff), at);
    } else {
      program[at++] = Math.floor(256 * random.next() ** 2);
    }
  }
  return program;
}

function makePatterns(random: Random): Buffer[] {
  return Array.from({ length: 3000 }, () =>
    Buffer.from(Array.from({ length: random.between(2, 9) }, () => Math.floor(256 * random.next() ** 1.5))),
  );
}

/** Like photographs and archives: nothing can be saved on it. */
function makePacked(sizeBytes: number, random: Random): Buffer {
  const key = createHash('sha256').update(String(random.next())).digest().subarray(0, 16);
  const packed = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
  Buffer.from('ffd8ffe000104a464946', 'hex').copy(packed);
  return packed;
}
