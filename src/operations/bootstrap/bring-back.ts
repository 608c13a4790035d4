import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isSafePath } from '../../core/paths.ts';
import type { Contents } from '../../sources/source.ts';
import { originalPath } from '../configuration/layout.ts';
import { readConfiguration, type StoredFile } from '../configuration/read-back.ts';
import { configurationUnusable, filesInTheWay } from './errors.ts';

/** Where the configuration came back to. */
export interface BroughtBack {
  /** Its own file, absolute. */
  readonly file: string;
  /** The folder that it is in now, and the one that it came from. */
  readonly folder: string;
  readonly original: string;
  readonly files: readonly BroughtFile[];
  /** Files of the lost host that no backup could read, with the reason then. */
  readonly left: ReadonlyArray<{ readonly file: string; readonly why: string }>;
}

export interface BroughtFile {
  /** Where it is now, absolute. */
  readonly path: string;
  /** Where the configuration looks for it; differs from `path` for what lay outside of its folder and `into` was given. */
  readonly expected: string;
  /** It was there already, with the same bytes. */
  readonly existed: boolean;
}

interface Planned {
  readonly stored: StoredFile;
  readonly path: string;
  readonly expected: string;
}

/**
 * Writes the files of a configuration: to where they were; or everything below `into`, where what lay outside of the
 * configuration's folder goes under `host/`. Nothing is overwritten.
 * @throws `files-in-the-way` before anything is written, `configuration-unusable`
 */
export async function bringBack(contents: Contents, into: string | undefined): Promise<BroughtBack> {
  const { file, folder: original, files: stored, left } = await readConfiguration(contents);
  const folder = into === undefined ? original : resolve(into);
  const planned = stored.map((one) => plan(one, folder, into !== undefined));
  const there = await Promise.all(planned.map(({ path }) => readFile(path).catch(() => undefined)));
  const inTheWay = planned.filter((one, at) => there[at] !== undefined && !one.stored.bytes.equals(there[at]));
  if (inTheWay.length > 0) throw filesInTheWay({ files: inTheWay.map(({ path }) => path) });
  const files: BroughtFile[] = [];
  for (const [at, { stored, path, expected }] of planned.entries()) {
    const existed = there[at] !== undefined;
    if (!existed) await write(path, stored);
    files.push({ path, expected, existed });
  }
  const own = planned.find((one) => one.stored.path === file)!;
  return { file: own.path, folder, original, files, left };
}

function plan(stored: StoredFile, folder: string, isElsewhere: boolean): Planned {
  const expected = isSafePath(stored.path) ? originalPath(stored.path, folder) : undefined;
  if (expected === undefined) {
    throw configurationUnusable({ why: `${JSON.stringify(stored.path)} is no part of a configuration` });
  }
  return {
    stored,
    expected,
    path: isElsewhere && stored.path.startsWith('host/') ? join(folder, stored.path) : expected,
  };
}

async function write(path: string, { bytes, mode, uid, gid }: StoredFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // Not even for a moment readable by more than it should be, and never through a link that somebody put there.
  await using file = await open(path, 'wx', mode & 0o700);
  await file.writeFile(bytes);
  if (process.geteuid?.() === 0) await file.chown(uid, gid);
  await file.chmod(mode);
  await file.sync();
}
