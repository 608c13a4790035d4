import type { StoredEntry } from '../../core/entry.ts';
import { isSafePath, showPath } from '../../core/paths.ts';
import { entryDamaged, entryInvalid } from './errors.ts';
import { escapeBytes, escapeListed, unescapeBytes, unescapeListed } from './escape.ts';
import { encodeExtent, readCount, readExtent } from './extents.ts';
import { isSha256 } from './keys.ts';
import type { Extent } from './manifest.ts';

/** One entry and where its bytes are. Extents are in file order and add up to the size. */
export interface LocatedEntry {
  readonly entry: StoredEntry;
  readonly extents: readonly Extent[];
}

/** No line is longer, its newline included. Paths and single extended attributes are bounded by it. */
export const MAX_LINE_SIZE = 1_048_576;
/** Bytes of all names and values of one entry's extended attributes. */
export const MAX_XATTR_BYTES = 16_777_216;
/** A file with more extents has further lines: `+<tab>extents`. */
export const EXTENTS_PER_LINE = 1_000;

const MAX_ID = 0xffff_ffff;
const NONE = '-';

const LETTERS = {
  file: 'f',
  folder: 'd',
  symlink: 'l',
  hardlink: 'h',
  fifo: 'p',
  socket: 's',
  'character-device': 'c',
  'block-device': 'b',
} as const;
type EntryType = keyof typeof LETTERS;
const TYPES = new Map(Object.entries(LETTERS).map(([type, letter]) => [letter as string, type as EntryType]));

/**
 * The line of one entry with its newline, and more lines for attributes that do not fit and for a file of many extents. ASCII. Error:
 * `entry-invalid` for what could never be restored. Columns: type, path, mode, uid, gid, mtime, size, sha256, content, extras.
 */
export function encodeEntry(entry: StoredEntry, extents: readonly Extent[]): string {
  if (!isSafePath(entry.path))
    throw entryInvalid({ path: showPath(entry.path), why: 'its path is not relative and plain' });
  const head = `${LETTERS[entry.type]}\t${escapeBytes(entry.path)}\t${entry.mode.toString(8)}\t${entry.uid}\t${entry.gid}\t${encodeTime(entry.mtimeNs)}`;
  const { extras, further } = extrasOf(entry, MAX_LINE_SIZE / 2);
  const line = `${head}\t${contentColumns(entry, extents)}\t${extras}\n${further}`;
  return extents.length > EXTENTS_PER_LINE ? line + furtherLines(extents) : line;
}

function contentColumns(entry: StoredEntry, extents: readonly Extent[]): string {
  switch (entry.type) {
    case 'file':
      return `${entry.sizeBytes}\t${entry.sha256}\t${extentsColumn(extents, 0)}`;
    case 'symlink':
    case 'hardlink':
      return `${NONE}\t${NONE}\t${escapeBytes(entry.target)}`;
    case 'character-device':
    case 'block-device':
      return `${NONE}\t${NONE}\t${entry.device?.major ?? 0}:${entry.device?.minor ?? 0}`;
    default:
      return `${NONE}\t${NONE}\t${NONE}`;
  }
}

function extentsColumn(extents: readonly Extent[], from: number): string {
  const [only] = extents;
  if (only === undefined) return NONE;
  if (extents.length === 1) return encodeExtent(only);
  return extents
    .slice(from, from + EXTENTS_PER_LINE)
    .map(encodeExtent)
    .join(',');
}

function furtherLines(extents: readonly Extent[]): string {
  let text = '';
  for (let from = EXTENTS_PER_LINE; from < extents.length; from += EXTENTS_PER_LINE) {
    text += `+\t${extentsColumn(extents, from)}\n`;
  }
  return text;
}

/**
 * `sparse`, then `x:name=value` of each extended attribute by name; `-` when there is neither. What is beyond `room` characters follows
 * in lines of its own.
 */
function extrasOf(entry: StoredEntry, room: number): { extras: string; further: string } {
  const sparse = entry.type === 'file' && entry.sparse === true;
  if (!sparse && entry.xattrs === undefined) return { extras: NONE, further: '' };
  const xattrs = entry.xattrs ?? {};
  const extras = sparse ? ['sparse'] : [];
  let [used, further, held] = [0, '', 0];
  for (const name of Object.keys(xattrs).sort()) {
    const value = xattrs[name] ?? '';
    held += name.length + value.length;
    const pair = `${escapeListed(name)}=${escapeListed(value)}`;
    used += pair.length + 3;
    if (held > MAX_XATTR_BYTES || pair.length > MAX_LINE_SIZE - 3) {
      throw entryInvalid({ path: showPath(entry.path), why: 'its extended attributes are too large' });
    }
    if (used <= room) extras.push(`x:${pair}`);
    else further += `x\t${pair}\n`;
  }
  return { extras: extras.length === 0 ? NONE : extras.join(','), further };
}

/** Seconds with nine decimals, as `touch -d @…` takes them. */
function encodeTime(timeNs: bigint): string {
  const text = timeNs.toString();
  const negative = text.startsWith('-');
  const digits = (negative ? text.slice(1) : text).padStart(10, '0');
  return `${negative ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** Reads the lines of one entry (with or without the last newline). Error: `entry-damaged`. */
export function decodeEntry(text: string): LocatedEntry {
  const [line = '', ...further] = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  const reading = beginEntry(line);
  for (const more of further) continueEntry(reading, more);
  return endEntry(reading);
}

/** An entry whose further lines may not have come yet. */
export interface ReadingEntry {
  readonly entry: StoredEntry;
  readonly extents: Extent[];
  xattrs: Record<string, string> | undefined;
  lastXattr: string | undefined;
  xattrBytes: number;
  extentsOnly: boolean;
}

export function beginEntry(line: string): ReadingEntry {
  const columns = line.split('\t');
  if (columns.length !== 10) throw entryDamaged({ field: 'its columns' });
  const [
    letter = '',
    path = '',
    mode = '',
    uid = '',
    gid = '',
    time = '',
    size = '',
    sha256 = '',
    content = '',
    extras = '',
  ] = columns;
  const type = TYPES.get(letter);
  if (type === undefined) throw entryDamaged({ field: 'type' });
  const { sparse, pairs } = readExtras(extras);
  if (sparse && type !== 'file') throw entryDamaged({ field: 'extras' });
  const metadata = {
    path: readPath(path, 'path'),
    mode: readMode(mode),
    uid: readId(uid, 'uid'),
    gid: readId(gid, 'gid'),
    mtimeNs: readTime(time),
  };
  const begun = (entry: StoredEntry, extents: Extent[]) => {
    const state = { xattrs: undefined, lastXattr: undefined, xattrBytes: 0, extentsOnly: false };
    const reading: ReadingEntry = { entry, extents, ...state };
    for (const pair of pairs) addXattr(reading, pair);
    return reading;
  };
  if (type === 'file') {
    const sizeBytes = readCount(size);
    if (sizeBytes === undefined) throw entryDamaged({ field: 'size' });
    if (!isSha256(sha256)) throw entryDamaged({ field: 'sha256' });
    const extents: Extent[] = [];
    if (content !== NONE) readExtents(content, extents);
    return begun({ type, ...metadata, sizeBytes, sha256, ...(sparse && { sparse: true as const }) }, extents);
  }
  if (size !== NONE) throw entryDamaged({ field: 'size' });
  if (sha256 !== NONE) throw entryDamaged({ field: 'sha256' });
  return begun(readOther(type, metadata, content), []);
}

/** Whether a line goes on with the entry before it. */
export function isFurther(line: string): boolean {
  return line.startsWith('+') || line.startsWith('x');
}

export function continueEntry(reading: ReadingEntry, line: string): void {
  if (line.startsWith('x\t')) {
    addXattr(reading, readPair(line.slice(2)));
    return;
  }
  const isAfterFullLine = reading.extents.length > 0 && reading.extents.length % EXTENTS_PER_LINE === 0;
  if (!line.startsWith('+\t') || !isAfterFullLine) throw entryDamaged({ field: 'a further line' });
  reading.extentsOnly = true;
  readExtents(line.slice(2), reading.extents);
}

/** Attributes come by name, each once, and before further extents. */
function addXattr(reading: ReadingEntry, [name, value]: readonly [string, string]): void {
  const last = reading.lastXattr;
  reading.xattrBytes += name.length + value.length;
  if (reading.extentsOnly || (last !== undefined && last >= name) || reading.xattrBytes > MAX_XATTR_BYTES) {
    throw entryDamaged({ field: 'extras' });
  }
  reading.lastXattr = name;
  reading.xattrs ??= {};
  Object.defineProperty(reading.xattrs, name, { value, enumerable: true, writable: true, configurable: true });
}

/** All lines have come: the extents must add up to the size. */
export function endEntry(reading: ReadingEntry): LocatedEntry {
  const { extents, xattrs } = reading;
  const entry = xattrs === undefined ? reading.entry : { ...reading.entry, xattrs };
  if (entry.type === 'file') {
    let held = 0;
    for (const extent of extents) held += extent.length;
    if (held !== entry.sizeBytes) throw entryDamaged({ field: 'extents, which do not add up to the size' });
  }
  return { entry, extents };
}

type OtherType = Exclude<EntryType, 'file'>;
type Metadata = Omit<StoredEntry & { type: 'folder' }, 'type'>;

function readOther(type: OtherType, metadata: Metadata, content: string): StoredEntry {
  if (type === 'hardlink') return { type, ...metadata, target: readPath(content, 'target') };
  if (type === 'symlink') {
    const target = unescapeBytes(content);
    if (target === undefined || target === '' || target.includes('\0')) throw entryDamaged({ field: 'target' });
    return { type, ...metadata, target };
  }
  if (type === 'character-device' || type === 'block-device') {
    const [major, minor, more] = content.split(':');
    if (more !== undefined) throw entryDamaged({ field: 'device' });
    return {
      type,
      ...metadata,
      device: { major: readId(major ?? '', 'device'), minor: readId(minor ?? '', 'device') },
    };
  }
  if (content !== NONE) throw entryDamaged({ field: 'content' });
  return { type, ...metadata };
}

function readPath(text: string, field: string): string {
  const path = unescapeBytes(text);
  if (path === undefined || !isSafePath(path)) throw entryDamaged({ field });
  return path;
}

function readMode(text: string): number {
  if (!/^(0|[1-7][0-7]{0,3})$/.test(text)) throw entryDamaged({ field: 'mode' });
  return Number.parseInt(text, 8);
}

function readId(text: string, field: string): number {
  const id = readCount(text);
  if (id === undefined || id > MAX_ID) throw entryDamaged({ field });
  return id;
}

function readTime(text: string): bigint {
  if (!/^-?(0|[1-9]\d{0,18})\.\d{9}$/.test(text) || text === '-0.000000000') throw entryDamaged({ field: 'mtime' });
  return BigInt(text.replace('.', ''));
}

function readExtents(text: string, into: Extent[]): void {
  const parts = text.split(',', EXTENTS_PER_LINE + 1);
  if (parts.length > EXTENTS_PER_LINE) throw entryDamaged({ field: 'extents, too many for a line' });
  for (const part of parts) {
    const [pack = '', offset = '', length = '', more] = part.split(':');
    const extent = more === undefined ? readExtent(pack, offset, length) : undefined;
    if (extent === undefined) throw entryDamaged({ field: `extent ${into.length}` });
    const last = into.at(-1);
    if (last !== undefined && touches(last, extent)) throw entryDamaged({ field: `extent ${into.length}` });
    into.push(extent);
  }
}

/** They would be one. */
function touches(a: Extent, b: Extent): boolean {
  return a.pack === b.pack && (a.pack === null || a.offset + a.length === b.offset);
}

function readExtras(text: string): { sparse: boolean; pairs: [string, string][] } {
  if (text === NONE) return { sparse: false, pairs: [] };
  const extras = text.split(',');
  const sparse = extras[0] === 'sparse';
  const pairs = extras.slice(sparse ? 1 : 0).map((extra) => {
    if (!extra.startsWith('x:')) throw entryDamaged({ field: 'extras' });
    return readPair(extra.slice(2));
  });
  return { sparse, pairs };
}

function readPair(text: string): [string, string] {
  const [name, value, more] = text.split('=').map(unescapeListed);
  if (!name || name.includes('\0') || value === undefined || more !== undefined || text.includes(',')) {
    throw entryDamaged({ field: 'extras' });
  }
  return [name, value];
}
