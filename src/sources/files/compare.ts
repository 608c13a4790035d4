import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readlinkSync, type Stats } from 'node:fs';
import type { StoredEntry } from '../../core/entry.ts';
import { type BytePath, showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { type Beneath, openRegular } from '../beneath.ts';
import { codeOf, onDisk } from '../file-system.ts';
import type { Contents, Measurement } from '../source.ts';

/** Differences that are named; further ones are only counted. */
const NAMED = 5;

/** What a restore does not make: a socket without its program is nothing, and a device may be any of this host's. */
const neverMade: readonly StoredEntry['type'][] = ['socket', 'character-device', 'block-device'];

/**
 * Compares every entry of a restore point with what lies below `folder`: kind, size, bytes, permissions, links, and for root
 * owners. `nameOf` says under which path an entry lies there.
 */
export async function compareEntries(
  folder: Beneath,
  nameOf: (path: BytePath) => BytePath,
  contents: Contents,
  run: Run,
): Promise<Measurement['integrity'][number]> {
  let looked = 0;
  let differing = 0;
  let devices = 0;
  const named: string[] = [];
  for await (const entry of contents.entries()) {
    run.signal.throwIfAborted();
    if (neverMade.includes(entry.type)) {
      if (entry.type !== 'socket') devices++;
      continue;
    }
    looked++;
    const why = await differenceOf(folder, nameOf, entry, run.signal);
    if (why === undefined) continue;
    differing++;
    if (named.length < NAMED) named.push(`${showPath(entry.path)} ${why}`);
  }
  const more = differing > named.length ? `, and ${differing - named.length} more` : '';
  const unmade = devices === 0 ? '' : `; ${countOf(devices, 'device')} recorded and never made`;
  const found = differing === 0 ? `${countOf(looked, 'entry', 'entries')} as recorded` : named.join(', ') + more;
  return { name: 'contents', ok: differing === 0, looked, detail: found + unmade };
}

const isRoot = process.getuid?.() === 0;

async function differenceOf(
  folder: Beneath,
  nameOf: (path: BytePath) => BytePath,
  entry: StoredEntry,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const place = folder.place(nameOf(entry.path));
    const found = lstatSync(onDisk(place));
    const other = differenceOfKind(entry, found);
    if (other !== undefined) return other;
    if (isRoot && (found.uid !== entry.uid || found.gid !== entry.gid)) return 'belongs to another user or group';
    switch (entry.type) {
      case 'symlink':
        return readlinkSync(onDisk(place), 'latin1') === entry.target ? undefined : 'points elsewhere';
      case 'hardlink':
        return lstatSync(onDisk(folder.place(nameOf(entry.target)))).ino === found.ino
          ? undefined
          : 'is not the same file as its link';
      case 'file':
        if (found.size !== entry.sizeBytes) return `has ${found.size} bytes instead of ${entry.sizeBytes}`;
        return (await hashOf(place, signal)) === entry.sha256 ? undefined : 'has other bytes';
      default:
        return undefined;
    }
  } catch (error) {
    signal.throwIfAborted();
    const code = codeOf(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'is missing' : `cannot be read (${code})`;
  }
}

function differenceOfKind({ type, mode }: StoredEntry, found: Stats): string | undefined {
  if (type === 'symlink') return found.isSymbolicLink() ? undefined : 'is no symbolic link';
  if (type === 'folder' && !found.isDirectory()) return 'is no folder';
  if (type === 'fifo' && !found.isFIFO()) return 'is no fifo';
  if ((type === 'file' || type === 'hardlink') && !found.isFile()) return 'is no file';
  return (found.mode & 0o7777) === mode ? undefined : 'has other permissions';
}

export async function hashOf(place: BytePath, signal: AbortSignal): Promise<string | undefined> {
  const fd = openRegular(place);
  if (fd === undefined) return undefined;
  const sha256 = createHash('sha256');
  // The stream closes it.
  for await (const piece of createReadStream('', { fd, signal, highWaterMark: 256 << 10 })) {
    sha256.update(piece as Uint8Array);
  }
  return sha256.digest('hex');
}
