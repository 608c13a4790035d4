import { createHash } from 'node:crypto';
import { readBase32, writeBase32 } from './base32.ts';
import { shareDamaged } from './errors.ts';

/** One part of a private key that was split. Alone it says nothing about the key. */
export interface Share {
  /** The same in all shares of one splitting: 12 hex digits. */
  readonly set: string;
  /** From 1. */
  readonly number: number;
  readonly total: number;
  /** How many give the key back. */
  readonly threshold: number;
  /** The beginning of the print of the key's recipient: 24 hex digits. */
  readonly print: string;
  /** When the key was split, to the minute, milliseconds since 1970 UTC. */
  readonly madeMs: number;
  /** 33 bytes: the secret's 32 at this share's place, then the place. */
  readonly points: Uint8Array;
}

const VERSION = 1;
const SET_SIZE = 6;
export const PRINT_DIGITS = 24;
const POINTS_SIZE = 33;
const CHECK_SIZE = 6;
const HEAD_SIZE = 1 + SET_SIZE + 3 + PRINT_DIGITS / 2 + 4;
const SHARE_SIZE = HEAD_SIZE + POINTS_SIZE + CHECK_SIZE;
export const SHARE_LINES = 5;
/** 13 bytes and 2 of a checksum make 24 signs: six groups of four. */
const LINE_DATA_SIZE = SHARE_SIZE / SHARE_LINES;
const LINE_CHECK_SIZE = 2;
const LINE_SIGNS = ((LINE_DATA_SIZE + LINE_CHECK_SIZE) * 8) / 5;
const minuteMs = 60_000;

/** What a QR code of a share holds: letters and digits that the smallest codes can take. */
const CODE = 'LIFEBOAT-SHARE-1:';

/** The five lines that a person can type: `04TG 8M2Q …`, each with its own checksum. */
export function shareLines(share: Share): string[] {
  const bytes = encode(share);
  return Array.from({ length: SHARE_LINES }, (_, at) => {
    const data = bytes.subarray(at * LINE_DATA_SIZE, (at + 1) * LINE_DATA_SIZE);
    const signs = writeBase32(Buffer.concat([data, lineCheck(at + 1, data)]));
    return (signs.match(/.{4}/g) ?? []).join(' ');
  });
}

/** The same in one line, for a QR code. */
export function shareCode(share: Share): string {
  return CODE + shareLines(share).join('').replaceAll(' ', '');
}

const LINE = /^\s*([1-5])\s*[:.)]\s*([0-9A-Za-z][0-9A-Za-z -]{14,})\s*$/;

/** Whether a text holds a share, sound or not. */
export function isShareText(text: string): boolean {
  return text.includes(CODE) || /LIFEBOAT SHARE/.test(text);
}

/**
 * The share in a text: a sheet (text or HTML), its five numbered lines, or what a QR code holds. Everything else in the text is passed over.
 * `name` names it in errors. @throws `share-damaged`
 */
export function parseShare(written: string, name: string): Share {
  const text = written.replace(/<[^<>]*>/g, ' ');
  const code = /LIFEBOAT-SHARE-1:([0-9A-Za-z]+)/.exec(text)?.[1];
  const found = new Map<number, string>();
  for (const line of text.split(/\r?\n/)) {
    const [, number, signs = ''] = LINE.exec(line) ?? [];
    if (number !== undefined) found.set(Number(number), signs);
  }
  if (found.size === 0 && code !== undefined) {
    for (let at = 0; at < SHARE_LINES; at++) found.set(at + 1, code.slice(at * LINE_SIGNS, (at + 1) * LINE_SIGNS));
  }
  if (found.size === 0) throw shareDamaged({ share: name, why: 'it holds no share' });
  const parts = Array.from({ length: SHARE_LINES }, (_, at) => {
    const signs = found.get(at + 1);
    if (signs === undefined) throw shareDamaged({ share: name, line: at + 1, why: 'the line is missing' });
    return readShareLine(signs, at + 1, name);
  });
  return joinShareLines(parts, name);
}

/** The bytes of one typed line, without its number. @throws `share-damaged` */
export function readShareLine(signs: string, line: number, name: string): Buffer {
  const plain = signs.replace(/[\s-]/g, '');
  const unknown = /[^0-9A-TV-Za-tv-z]/.exec(plain)?.[0];
  if (unknown !== undefined) throw shareDamaged({ share: name, line, why: `'${unknown}' is not used in shares` });
  if (plain.length !== LINE_SIGNS) {
    const why = `it has ${plain.length} letters and digits instead of ${LINE_SIGNS}`;
    throw shareDamaged({ share: name, line, why });
  }
  const bytes = readBase32(plain);
  const data = bytes.subarray(0, LINE_DATA_SIZE);
  if (!lineCheck(line, data).equals(bytes.subarray(LINE_DATA_SIZE))) {
    throw shareDamaged({ share: name, line, why: 'it is mistyped, or is another line' });
  }
  return data;
}

/** A share from what `readShareLine` read of its five lines. @throws `share-damaged` */
export function joinShareLines(lines: readonly Uint8Array[], name: string): Share {
  const bytes = Buffer.concat(lines);
  const body = bytes.subarray(0, -CHECK_SIZE);
  if (bytes.length !== SHARE_SIZE || !shareCheck(body).equals(bytes.subarray(-CHECK_SIZE))) {
    throw shareDamaged({ share: name, why: 'its lines do not belong together' });
  }
  if (body[0] !== VERSION) {
    throw shareDamaged({ share: name, why: `it is of format ${body[0]}, which a newer Lifeboat reads` });
  }
  let at = 1;
  const take = (size: number) => {
    at += size;
    return body.subarray(at - size, at);
  };
  const set = take(SET_SIZE).toString('hex');
  const [number = 0, total = 0, threshold = 0] = take(3);
  const print = take(PRINT_DIGITS / 2).toString('hex');
  const madeMs = take(4).readUInt32BE() * minuteMs;
  return { set, number, total, threshold, print, madeMs, points: Uint8Array.from(take(POINTS_SIZE)) };
}

function encode({ set, number, total, threshold, print, madeMs, points }: Share): Buffer {
  const made = Buffer.alloc(4);
  made.writeUInt32BE(Math.floor(madeMs / minuteMs));
  const head = [Buffer.of(VERSION), Buffer.from(set, 'hex'), Buffer.of(number, total, threshold)];
  const body = Buffer.concat([...head, Buffer.from(print, 'hex'), made, points]);
  const bytes = Buffer.concat([body, shareCheck(body)]);
  if (bytes.length !== SHARE_SIZE) throw new RangeError('a share has fields of fixed sizes');
  return bytes;
}

/** With the line's number, so that lines in another order do not pass. */
function lineCheck(line: number, data: Uint8Array): Buffer {
  return createHash('sha256')
    .update(`lifeboat share line ${line}\n`)
    .update(data)
    .digest()
    .subarray(0, LINE_CHECK_SIZE);
}

function shareCheck(body: Uint8Array): Buffer {
  return createHash('sha256').update('lifeboat share\n').update(body).digest().subarray(0, CHECK_SIZE);
}
