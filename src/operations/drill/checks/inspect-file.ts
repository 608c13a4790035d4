import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { type BytePath, isSafePath, showPath } from '../../../core/paths.ts';
import { openRegular } from '../../../sources/beneath.ts';
import { endBytes, isWhatItsNameSays } from './file-types.ts';
import type { FoundFile, RestoredFiles } from './restored-files.ts';

/** What a row says of a file. */
export interface Reference {
  readonly path: BytePath;
  /** Lower-case hex. */
  readonly sha256?: string;
  readonly sizeBytes?: number;
}

export interface Inspected {
  /** Where the file is, when there is one. */
  readonly found?: FoundFile;
  /** What is wrong with it. */
  readonly trouble?: string;
}

/** Whether the file that a row names came back and is what the row says. Synchronous: it runs in a thread of its own. */
export function inspectFile(files: RestoredFiles, dataset: string, reference: Reference, opens: boolean): Inspected {
  const { path } = reference;
  if (!isSafePath(path)) return { trouble: 'is no path inside the dataset' };
  try {
    const found = files.find(dataset, path);
    if ('trouble' in found) return { trouble: showPath(found.trouble) };
    const trouble = troubleOf(found.place, reference, opens);
    return trouble === undefined ? { found } : { found, trouble };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { trouble: code === 'ENOENT' || code === 'ENOTDIR' ? 'is missing' : `cannot be read (${code})` };
  }
}

function troubleOf(place: BytePath, reference: Reference, opens: boolean): string | undefined {
  const fd = openRegular(place);
  if (fd === undefined) return 'is no file';
  try {
    const { size } = fstatSync(fd);
    if (reference.sizeBytes !== undefined && reference.sizeBytes !== size) {
      return `has ${size} bytes instead of ${reference.sizeBytes}`;
    }
    if (reference.sha256 !== undefined && hashOf(fd) !== reference.sha256) return 'has other bytes than its row says';
    if (!opens) return undefined;
    if (size === 0) return 'is empty';
    const head = readAt(fd, 0, Math.min(size, endBytes));
    const tail = size <= endBytes ? head : readAt(fd, size - endBytes, endBytes);
    return isWhatItsNameSays(reference.path, { head, tail, sizeBytes: size })
      ? undefined
      : 'is not of the type that its name says';
  } finally {
    closeSync(fd);
  }
}

function readAt(fd: number, position: number, length: number): Uint8Array {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, position));
}

function hashOf(fd: number): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (let position = 0; ; ) {
    const count = readSync(fd, buffer, 0, buffer.length, position);
    if (count === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, count));
    position += count;
  }
}
