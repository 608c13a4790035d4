import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { replaceStateFile } from '../../host/state-file.ts';
import { readWriterKeys } from '../writer/key-file.ts';

/**
 * The records that this host read before, so that none is read twice: a long history is thousands of small objects, and each is a
 * request and a signature. A memory only, which may be lost at any time. Who restores or proves something does not ask it: that a
 * listing shows an object as it was says nothing of its bytes.
 */
export interface RecordMemory {
  /** The record as stored, if each of `copies` was seen to hold it. */
  find(key: string, copies: readonly string[]): Uint8Array | undefined;
  /** @param copies what a listing shows of each, all of them sound */
  note(key: string, copies: readonly string[], bytes: Uint8Array): void;
  /** Writes down what is new, where it is worth the while. @param isGone what no place lists any more */
  keep(isGone: (key: string) => boolean): void;
}

interface Remembered {
  readonly copies: readonly string[];
  /** One line: how records are stored. */
  readonly bytes: Uint8Array;
}

const format = 1;
const macBytes = 32;
const newline = 0x0a;
/** Some ten thousand records of large vaults, or fifty thousand of small ones. What is beyond it is read each time. */
const mostBytes = 64 * 1024 * 1024;
/** It is written anew whenever it grew by this share. */
const worthwhile = 0.01;

/** Undefined on a host that does not write to `vault`: what is remembered is signed with a key from that of the writer. */
export function openRecordMemory(file: string, keyFile: string, vault: string): RecordMemory | undefined {
  const key = macKey(keyFile, vault);
  if (key === undefined) return undefined;
  const known = readKnown(file, key);
  let fresh = 0;
  return {
    find(name, copies) {
      const found = known.get(name);
      return found !== undefined && copies.every((copy) => found.copies.includes(copy)) ? found.bytes : undefined;
    },
    note(name, copies, bytes) {
      // A place that cannot be reached now keeps what was seen of it.
      const before = known.get(name);
      const isSame = before !== undefined && Buffer.compare(before.bytes, bytes) === 0;
      known.set(name, { copies: isSame ? [...new Set([...before.copies, ...copies])] : copies, bytes });
      fresh++;
    },
    keep(isGone) {
      if (fresh === 0 || fresh < known.size * worthwhile) return;
      for (const name of known.keys()) if (isGone(name)) known.delete(name);
      try {
        replaceStateFile(file, signedText(known, key));
        fresh = 0;
      } catch {
        // A full disk, or a folder that is another user's: these are read once more.
      }
    },
  };
}

function macKey(keyFile: string, vault: string): Uint8Array | undefined {
  let keys: ReturnType<typeof readWriterKeys>;
  try {
    keys = readWriterKeys(keyFile);
  } catch {
    return undefined; // whoever writes with them says what is wrong
  }
  if (keys?.vault !== vault) return undefined;
  return new Uint8Array(hkdfSync('sha256', keys.signingKey, vault, 'lifeboat record memory', macBytes));
}

/**
 * Its MAC, then a line with the format, then two lines a record: `[key, …copies]` as JSON, and the record. Empty where there is none, or
 * one that was not written so by this host.
 */
function readKnown(file: string, key: Uint8Array): Map<string, Remembered> {
  const known = new Map<string, Remembered>();
  const text = readIfSigned(file, key);
  if (text === undefined) return known;
  let at = 0;
  const line = () => {
    const from = at;
    at = text.indexOf(newline, from) + 1;
    return text.subarray(from, at);
  };
  if (Number(line()) !== format) return known;
  while (at < text.length) {
    const [name, ...copies] = JSON.parse(line().toString()) as [string, ...string[]];
    known.set(name, { copies, bytes: line() });
  }
  return known;
}

function readIfSigned(file: string, key: Uint8Array): Buffer | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return undefined;
  }
  const text = bytes.subarray(macBytes);
  const isOurs = bytes.length > macBytes && timingSafeEqual(bytes.subarray(0, macBytes), macOf(text, key));
  return isOurs ? text : undefined;
}

function signedText(known: ReadonlyMap<string, Remembered>, key: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from(`${format}\n`)];
  let total = 0;
  for (const [name, { copies, bytes }] of known) {
    const head = Buffer.from(`${JSON.stringify([name, ...copies])}\n`);
    total += head.length + bytes.length;
    if (total > mostBytes) break;
    parts.push(head, bytes);
  }
  const text = Buffer.concat(parts);
  return Buffer.concat([macOf(text, key), text]);
}

function macOf(text: Uint8Array, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
