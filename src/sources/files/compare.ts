import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readlinkSync } from 'node:fs';
import type { StoredEntry } from '../../core/entry.ts';
import { type BytePath, showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { codeOf, onDisk } from '../file-system.ts';
import type { Contents, Measurement } from '../source.ts';

/** Differences that are named; further ones are only counted. */
const NAMED = 5;

/** Compares every entry of a restore point with what lies at `placeOf` it: kind, size, bytes, permissions, links. */
export async function compareEntries(
  placeOf: (path: BytePath) => BytePath,
  contents: Contents,
  run: Run,
): Promise<Measurement['integrity'][number]> {
  let looked = 0;
  let differing = 0;
  const named: string[] = [];
  for await (const entry of contents.entries()) {
    run.signal.throwIfAborted();
    if (entry.type === 'socket' || entry.type.endsWith('-device')) continue;
    looked++;
    const why = await differenceOf(placeOf, entry);
    if (why === undefined) continue;
    differing++;
    if (named.length < NAMED) named.push(`${showPath(entry.path)} ${why}`);
  }
  const more = differing > named.length ? `, and ${differing - named.length} more` : '';
  const detail = differing === 0 ? `${countOf(looked, 'entry', 'entries')} as recorded` : named.join(', ') + more;
  return { name: 'contents', ok: differing === 0, looked, detail };
}

async function differenceOf(placeOf: (path: BytePath) => BytePath, entry: StoredEntry): Promise<string | undefined> {
  const place = onDisk(placeOf(entry.path));
  try {
    const found = lstatSync(place);
    if (entry.type === 'symlink') {
      if (!found.isSymbolicLink()) return 'is no symbolic link';
      return readlinkSync(place, 'latin1') === entry.target ? undefined : 'points elsewhere';
    }
    if ((found.mode & 0o7777) !== entry.mode) return 'has other permissions';
    if (entry.type === 'folder') return found.isDirectory() ? undefined : 'is no folder';
    if (entry.type === 'fifo') return found.isFIFO() ? undefined : 'is no fifo';
    if (!found.isFile()) return 'is no file';
    if (entry.type === 'hardlink') {
      return lstatSync(onDisk(placeOf(entry.target))).ino === found.ino
        ? undefined
        : 'is not the same file as its link';
    }
    if (entry.type !== 'file') return undefined;
    if (found.size !== entry.sizeBytes) return `has ${found.size} bytes instead of ${entry.sizeBytes}`;
    const sha256 = createHash('sha256');
    for await (const piece of createReadStream(place)) sha256.update(piece as Uint8Array);
    return sha256.digest('hex') === entry.sha256 ? undefined : 'has other bytes';
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'is missing' : `cannot be read (${codeOf(error)})`;
  }
}
