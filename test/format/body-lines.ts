import { createHash } from 'node:crypto';
import type { Place } from './manifest-text.ts';
import { decimal } from './manifest-text.ts';
import { broken, isRising } from './strict-json.ts';

export interface Line {
  readonly type: string;
  /** Bytes of the body before it. */
  readonly at: number;
  /** Bytes, each one character. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Of a file; `pack` is `-` for a hole. */
  readonly extents: readonly Place[];
  /** Of a link. */
  readonly target: string;
}

const mebibyte = 1024 * 1024;
const mostSeconds = 19;

export function unescaped(text: string, more = ''): string {
  if (/[^ -~]/.test(text)) broken('a byte is not escaped');
  for (const letter of more) if (text.includes(letter)) broken(`${letter} is not escaped`);
  return text.replace(/%(.{0,2})/g, (_, digits: string) => {
    if (!/^[0-9a-f]{2}$/.test(digits)) broken('an escape is none');
    const byte = Number.parseInt(digits, 16);
    const isNeeded = byte < 0x20 || byte === 0x25 || byte >= 0x7f || more.includes(String.fromCharCode(byte));
    if (!isNeeded) broken('a byte is escaped that need not be');
    return String.fromCharCode(byte);
  });
}

function readPath(text: string): string {
  const path = unescaped(text);
  if (path.includes('\0') || path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    broken(`${text} is no path`);
  }
  return path;
}

function readExtents(text: string): Place[] {
  return text.split(',').map((one) => {
    const [pack, offset, length, ...more] = one.split(':');
    if (more.length > 0 || !/^([0-9a-f]{64}|-)$/.test(pack ?? '')) broken('an extent is none');
    const place = { pack: pack!, offset: decimal(offset), length: decimal(length) };
    if (place.length < 1 || (pack === '-' && place.offset !== 0)) broken('an extent is none');
    if (!Number.isSafeInteger(place.offset + place.length)) broken('an extent reaches too far');
    return place;
  });
}

const most = 1000;

/** The whole body. */
export function readBody(bytes: Buffer): Line[] {
  const text = bytes.toString('latin1');
  if (text !== '' && !text.endsWith('\n')) broken('its last line has no end');
  const lines = text === '' ? [] : text.slice(0, -1).split('\n');
  const found: Line[] = [];
  let begun = 0;
  for (let at = 0; at < lines.length; ) {
    const from = at;
    const fields = fieldsOf(lines[at++]!, 10);
    const attributes: string[] = [];
    while (lines[at]?.startsWith('x\t')) attributes.push(fieldsOf(lines[at++]!, 2)[1]!);
    const pieces: string[] = [fields[8]!];
    while (lines[at]?.startsWith('+\t')) pieces.push(fieldsOf(lines[at++]!, 2)[1]!);
    found.push({ ...readEntry(fields, attributes, pieces), at: begun });
    for (const line of lines.slice(from, at)) begun += line.length + 1;
  }
  checkOrder(found);
  return found;
}

function fieldsOf(line: string, count: number): string[] {
  const fields = line.split('\t');
  if (fields.length !== count || line.length >= mebibyte) broken('a line has other fields, or too many bytes');
  return fields;
}

function readEntry(fields: string[], attributes: string[], pieces: string[]): Omit<Line, 'at'> {
  const [type, path, mode, uid, gid, mtime, size, hash, content, extras] = fields as [string, ...string[]] & {
    length: 10;
  };
  if (!/^[fdlhpscb]$/.test(type)) broken('an entry is of no known type');
  if (!/^(0|[1-7][0-7]{0,3})$/.test(mode!)) broken('a mode is none');
  for (const id of [uid, gid]) checkNumber(id!);
  const [, sign, seconds, rest] = /^(-?)(0|[1-9]\d*)\.(\d{9})$/.exec(mtime!) ?? broken('a time is none');
  if (seconds!.length > mostSeconds || (sign === '-' && /^0*$/.test(seconds! + rest!))) broken('a time is none');
  const isFile = type === 'f';
  if (!isFile && (size !== '-' || hash !== '-')) broken('what is no file has a size');
  if (isFile && !/^[0-9a-f]{64}$/.test(hash!)) broken('a file has no hash');
  const isDevice = type === 'c' || type === 'b';
  if (isDevice && !/^\d+:\d+$/.test(content!)) broken('a device has no numbers');
  if (isDevice) for (const number of content!.split(':')) checkNumber(number);
  if (!isFile && pieces.length > 1) broken('what is no file has many extents');
  if (!['f', 'l', 'h', 'c', 'b'].includes(type) && content !== '-') broken('an entry has a content');
  checkAttributes(type, extras!, attributes);
  const sizeBytes = isFile ? decimal(size) : 0;
  const target = type === 'h' ? readPath(content!) : type === 'l' ? unescaped(content!) : '';
  if (target.includes('\0') || (type === 'l' && target === '')) broken('a link has no target');
  const extents = isFile ? readPieces(pieces, sizeBytes) : [];
  return { type, path: readPath(path!), sizeBytes, sha256: hash!, extents, target };
}

/** Of an owner or a device. */
function checkNumber(text: string): void {
  if (decimal(text) >= 2 ** 32) broken(`${text} is too large`);
}

function readPieces(pieces: readonly string[], sizeBytes: number): Place[] {
  if (pieces.length === 1 && pieces[0] === '-') {
    if (sizeBytes !== 0) broken('a file has no content');
    return [];
  }
  const all = pieces.map(readExtents);
  if (all.some((some, at) => (at < all.length - 1 ? some.length !== most : some.length > most))) {
    broken('extents are parted in another way');
  }
  const extents = all.flat();
  if (extents.reduce((sum, { length }) => sum + length, 0) !== sizeBytes)
    broken('extents are not as long as their file');
  for (const [at, { pack, offset }] of extents.entries()) {
    const before = extents[at - 1];
    if (before?.pack !== pack) continue;
    if (pack === '-' || before.offset + before.length === offset) broken('neighbours are not one extent');
  }
  return extents;
}

function checkAttributes(type: string, extras: string, lines: readonly string[]): void {
  const named = extras === '-' ? [] : extras.split(',');
  if (named[0] === 'sparse' && type !== 'f') broken('what is no file is sparse');
  const inline = named[0] === 'sparse' ? named.slice(1) : named;
  if (inline.some((one) => !one.startsWith('x:')) || extras.length >= mebibyte / 2) broken('extras are none');
  let total = 0;
  const names = [...inline.map((one) => one.slice(2)), ...lines].map((one) => {
    const at = one.indexOf('=');
    if (at < 1) broken('an attribute has no value');
    const [name, value] = [unescaped(one.slice(0, at), ',='), unescaped(one.slice(at + 1), ',=')];
    if (name.includes('\0')) broken('an attribute has no name');
    total += name.length + value.length;
    return name;
  });
  if (!isRising(names) || total > 16 * mebibyte) broken('attributes are not in order, or too many');
}

/** As if `/` sorted below all other bytes. */
export const orderOf = (path: string) => path.replaceAll('/', '\0');

function checkOrder(lines: readonly Line[]): void {
  if (!isRising(lines.map(({ path }) => orderOf(path)))) broken('entries are not in order');
  const types = new Map<string, string>();
  for (const { type, path, target } of lines) {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      if ((types.get(path.slice(0, at)) ?? 'd') !== 'd') broken('what is no folder holds something');
    }
    if (type === 'h' && types.get(target) !== 'f') broken('a hard link names no file before it');
    types.set(path, type);
  }
}

/** The checksum of `files-1`; `isOne`: the dataset is a single file. */
export function filesChecksum(lines: readonly Line[], isOne: boolean): { rows: number; checksum: string } {
  const sums = [0, 0, 0, 0];
  let rows = 0;
  for (const { type, path, target } of lines) {
    if (!'fdlhp'.includes(type)) continue;
    const letter = type === 'h' ? 'f' : type;
    if (letter === 'f') rows++;
    const row = `${letter}${isOne ? '' : path}${letter === 'l' ? `\0${target}` : ''}`;
    const digest = createHash('sha256').update(Buffer.from(row, 'latin1')).digest();
    for (const at of sums.keys()) sums[at] = (sums[at]! + digest.readUInt32LE(4 * at)) % 2 ** 32;
  }
  return { rows, checksum: sums.map((sum) => sum.toString(16).padStart(8, '0')).join('') };
}

/** By the key of a file's row in a sample, what is said of its size; undefined where several files have that key. */
export function sizeCells(lines: readonly Line[], isOne: boolean): Map<string, string | undefined> {
  const cells = new Map<string, string | undefined>();
  const sizes = new Map(lines.map(({ path, sizeBytes }) => [path, sizeBytes]));
  for (const { type, path, target } of lines) {
    if (type !== 'f' && type !== 'h') continue;
    const key = createHash('sha256')
      .update(Buffer.from(`f${isOne ? '' : path}`, 'latin1'))
      .digest('hex')
      .slice(0, 8);
    const size = sizes.get(type === 'h' ? target! : path)!;
    const power = size === 0 ? 0 : size.toString(2).length;
    const cell = `${sampleHash(Buffer.from(`${size}`)).slice(0, 3)}d${power.toString(36)}`;
    cells.set(key, cells.has(key) ? undefined : cell);
  }
  return cells;
}

function sampleHash(bytes: Uint8Array): string {
  const mask = 0xffffffffn;
  let h = 0x811c9dc5n;
  for (const byte of bytes) h = ((h ^ BigInt(byte)) * 0x01000193n) & mask;
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & mask;
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & mask;
  return (h ^ (h >> 16n)).toString(16).padStart(8, '0');
}
