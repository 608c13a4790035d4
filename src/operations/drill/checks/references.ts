import { createHash } from 'node:crypto';
import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readSync, realpathSync } from 'node:fs';
import type { ReferencesCheck } from '../../../config/system.ts';
import { type BytePath, isSafePath, pathFromText, showPath, toBytes } from '../../../core/paths.ts';
import { countOf, formatCount } from '../../../core/size.ts';
import { fillTemplate } from '../../../core/template.ts';
import type { Copy, Finding } from '../parts.ts';
import { queryCopy } from '../query.ts';
import { endBytes, isWhatItsNameSays } from './file-types.ts';
import { type PathSet, startPathSet } from './path-set.ts';

/** Troubles that are named; further ones are counted. */
const named = 5;

/** Where the files were in production: references may be absolute. */
export interface FilesCopy {
  readonly copy: Copy;
  readonly productionPath: string;
}

/**
 * Every row names a file that came back and opens. A column `sha256` of the row, where there is one, must be the file's; so
 * must a column `size_bytes`. Files that no row names are counted, and are no fault.
 */
export async function checkReferences(
  check: ReferencesCheck,
  database: Copy,
  files: FilesCopy,
  signal: AbortSignal,
): Promise<Finding> {
  const root = pathFromText(files.copy.outside);
  const seen = startPathSet();
  const troubles: string[] = [];
  let looked = 0;
  let faults = 0;
  for await (const { columns, rows } of queryCopy(database, check.from.query, { timeoutMs: check.timeoutMs, signal })) {
    signal.throwIfAborted();
    const read = readerOf(check, columns, files.productionPath);
    for (const row of rows) {
      const reference = read(row);
      if (reference === undefined) continue;
      looked++;
      const path = pathFromText(reference.path);
      const trouble = isSafePath(path) ? inspect(root, path, check.opens, reference) : 'is no path inside the dataset';
      if (isSafePath(path)) seen.add(path);
      if (trouble === undefined) continue;
      faults++;
      if (troubles.length < named) troubles.push(`${showPath(path)} ${trouble}`);
    }
  }
  const expected = `every reference of ${database.dataset} opens in ${files.copy.dataset}`;
  const where = countOf(looked, 'reference');
  if (faults > 0) {
    const more = faults > troubles.length ? `, and ${formatCount(faults - troubles.length)} more` : '';
    const fail = faults === 1 ? 'fails' : 'fail';
    const message = `${formatCount(faults)} of ${where} ${fail}: ${troubles.join(', ')}${more}.`;
    return { verdict: 'fail', looked, expected, actual: `${formatCount(faults)} ${fail}`, message };
  }
  if (looked === 0) {
    const message = 'The query named no file, so it looked at nothing.';
    const none = { looked, expected, actual: 'no reference', message };
    return check.mayBeEmpty ? { ...none, verdict: 'pass', emptyIsRight: true } : { ...none, verdict: 'fail' };
  }
  const orphans = countOrphans(root, seen, signal);
  const actual = `${formatCount(looked)} open, ${countOf(orphans.count, 'file')} unreferenced`;
  const rest = orphans.count === 0 ? '' : ` No reference names ${countOf(orphans.count, 'file')}${orphans.example}.`;
  return {
    verdict: 'pass',
    looked,
    expected,
    actual,
    message: `${where} ${looked === 1 ? 'exists and opens' : 'exist and open'}.${rest}`,
  };
}

interface Reference {
  readonly path: string;
  readonly sha256?: string;
  readonly sizeBytes?: number;
}

/** How a row becomes a reference; undefined for a row whose column is null: it refers to nothing. */
function readerOf(check: ReferencesCheck, columns: readonly string[], productionPath: string) {
  const index = (name: string) => columns.findIndex((column) => column.toLowerCase() === name);
  const [hashAt, sizeAt] = [index('sha256'), index('size_bytes')];
  const { path: template } = check;
  return (row: ReadonlyArray<string | null>): Reference | undefined => {
    let path: string | null = row[0] ?? null;
    if (template !== undefined) {
      let empty = false;
      path = fillTemplate(template, (name) => {
        const at = columns.indexOf(name);
        if (at >= 0 && row[at] === null) empty = true;
        return at < 0 ? undefined : (row[at] ?? '');
      });
      if (empty) path = null;
    }
    if (path === null || path === '') return undefined;
    const [sha256, size] = [row[hashAt] ?? null, row[sizeAt] ?? null];
    return {
      path: relative(path, productionPath),
      ...(sha256 === null ? {} : { sha256: sha256.toLowerCase() }),
      ...(size === null || !/^\d+$/.test(size) ? {} : { sizeBytes: Number(size) }),
    };
  };
}

function relative(path: string, productionPath: string): string {
  const inside = path.startsWith(`${productionPath}/`) ? path.slice(productionPath.length) : path;
  return inside.replace(/^(\.?\/)+/, '');
}

/** What is wrong with one file; undefined when it is all right. */
function inspect(root: BytePath, path: BytePath, opens: boolean, reference: Reference): string | undefined {
  const place = toBytes(`${root}/${path}`);
  let fd: number;
  try {
    if (lstatSync(place).isSymbolicLink() && !leadsInside(root, place))
      return 'is a link that leads out of the dataset';
    fd = openSync(place, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'is missing' : `cannot be opened (${code})`;
  }
  try {
    const { size } = fstatSync(fd);
    if (!fstatSync(fd).isFile()) return 'is no file';
    if (reference.sizeBytes !== undefined && reference.sizeBytes !== size) {
      return `has ${size} bytes instead of ${reference.sizeBytes}`;
    }
    if (reference.sha256 !== undefined && hashOf(fd) !== reference.sha256) return 'has other bytes than its row says';
    if (!opens) return undefined;
    if (size === 0) return 'is empty';
    const head = readAt(fd, 0, Math.min(size, endBytes));
    const tail = size <= endBytes ? head : readAt(fd, size - endBytes, endBytes);
    return isWhatItsNameSays(path, { head, tail, sizeBytes: size })
      ? undefined
      : 'is not of the type that its name says';
  } catch (error) {
    return `cannot be read (${(error as NodeJS.ErrnoException).code})`;
  } finally {
    closeSync(fd);
  }
}

function leadsInside(root: BytePath, place: Buffer): boolean {
  const base = realpathSync(toBytes(root), 'latin1');
  return realpathSync(place, 'latin1').startsWith(`${base}/`);
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

function countOrphans(root: BytePath, seen: PathSet, signal: AbortSignal): { count: number; example: string } {
  const folders: BytePath[] = [''];
  let count = 0;
  let example = '';
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted();
    const place = toBytes(folder === '' ? root : `${root}/${folder}`);
    for (const entry of readdirSync(place, { withFileTypes: true, encoding: 'latin1' })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile() && !seen.has(path)) {
        count++;
        if (example === '') example = `, for example ${showPath(path)}`;
      }
    }
  }
  return { count, example };
}
