import { createHash } from 'node:crypto';

/**
 * bcrypt_pbkdf, with which OpenSSH protects private keys: Blowfish with its costly key schedule, over SHA-512. OpenSSL has no
 * such thing. Blowfish begins with the fraction of π in binary, which is computed here rather than written down.
 */
export function bcryptKey(passphrase: string, salt: Uint8Array, rounds: number, sizeBytes: number): Buffer {
  const blocks = Math.ceil(sizeBytes / HASH_SIZE);
  const password = words(sha512(Buffer.from(passphrase)));
  const key = Buffer.alloc(sizeBytes);
  for (let block = 1; block <= blocks; block++) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(block);
    let hash = bcryptHash(password, words(sha512(Buffer.concat([salt, counter]))));
    const sum = Buffer.from(hash);
    for (let round = 1; round < rounds; round++) {
      hash = bcryptHash(password, words(sha512(hash)));
      for (let at = 0; at < HASH_SIZE; at++) sum[at]! ^= hash[at]!;
    }
    // Bytes of the blocks are dealt out in turn, not one block after the other.
    for (let at = 0; at < HASH_SIZE; at++) {
      const to = at * blocks + block - 1;
      if (to < sizeBytes) key[to] = sum[at]!;
    }
  }
  return key;
}

const HASH_SIZE = 32;
const P_WORDS = 18;
const S_WORDS = 1024;
const COST = 64;
const PLAIN = words(Buffer.from('OxychromaticBlowfishSwatDynamite'));

let initial: Int32Array | undefined;

function bcryptHash(password: Int32Array, salt: Int32Array): Buffer {
  initial ??= piWords(P_WORDS + S_WORDS);
  const state = Int32Array.from(initial);
  expand(state, password, salt);
  for (let round = 0; round < COST; round++) {
    expand(state, salt);
    expand(state, password);
  }
  const block = Int32Array.from(PLAIN);
  for (let round = 0; round < COST; round++) for (let at = 0; at < block.length; at += 2) encipher(state, block, at);
  const hash = Buffer.alloc(HASH_SIZE);
  for (const [at, word] of block.entries()) hash.writeInt32LE(word, at * 4);
  return hash;
}

/** Blowfish's key schedule; `salt` is mixed into what is enciphered. */
function expand(state: Int32Array, key: Int32Array, salt?: Int32Array): void {
  for (let at = 0; at < P_WORDS; at++) state[at]! ^= key[at % key.length]!;
  const pair = new Int32Array(2);
  for (let at = 0; at < state.length; at += 2) {
    if (salt !== undefined) {
      pair[0]! ^= salt[at % salt.length]!;
      pair[1]! ^= salt[(at + 1) % salt.length]!;
    }
    encipher(state, pair, 0);
    state[at] = pair[0]!;
    state[at + 1] = pair[1]!;
  }
}

/** One Blowfish block, the two words at `at`, in place. */
function encipher(state: Int32Array, pair: Int32Array, at: number): void {
  let left = pair[at]! ^ state[0]!;
  let right = pair[at + 1]!;
  for (let round = 1; round <= 16; round += 2) {
    right ^= mix(state, left) ^ state[round]!;
    left ^= mix(state, right) ^ state[round + 1]!;
  }
  pair[at] = right ^ state[17]!;
  pair[at + 1] = left;
}

function mix(state: Int32Array, word: number): number {
  const first = (state[P_WORDS + (word >>> 24)]! + state[P_WORDS + 256 + ((word >>> 16) & 255)]!) | 0;
  return ((first ^ state[P_WORDS + 512 + ((word >>> 8) & 255)]!) + state[P_WORDS + 768 + (word & 255)]!) | 0;
}

/** The first 32-bit words of π's fraction, by Machin's formula. */
function piWords(count: number): Int32Array {
  const guard = 64n;
  const bits = BigInt(count * 32) + guard;
  const arctanOfInverse = (number: bigint) => {
    let power = (1n << bits) / number;
    let sum = power;
    for (let odd = 3n, sign = -1n; power > 0n; odd += 2n, sign = -sign) {
      power /= number * number;
      sum += (sign * power) / odd;
    }
    return sum;
  };
  const pi = 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n));
  const fraction = (pi & ((1n << bits) - 1n)) >> guard;
  return words(Buffer.from(fraction.toString(16).padStart(count * 8, '0'), 'hex'));
}

/** Big-endian, as Blowfish reads keys and blocks. */
function words(bytes: Uint8Array): Int32Array {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return Int32Array.from({ length: bytes.length / 4 }, (_, at) => buffer.readInt32BE(at * 4));
}

function sha512(bytes: Uint8Array): Buffer {
  return createHash('sha512').update(bytes).digest();
}
