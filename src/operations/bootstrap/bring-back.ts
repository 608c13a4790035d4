import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { StoredEntry } from '../../core/entry.ts';
import { isSafePath, showPath, toBytes } from '../../core/paths.ts';
import type { Contents } from '../../sources/source.ts';
import { originalPath } from '../configuration/layout.ts';
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

const factsShape = z.object({
  configuration: z.object({
    file: z.string(),
    folder: z.string(),
    left: z.array(z.object({ file: z.string(), why: z.string() })),
  }),
});

interface Planned {
  readonly path: string;
  readonly expected: string;
  readonly bytes: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Writes the files of a configuration: to where they were; or everything below `into`, where what lay outside of the
 * configuration's folder goes under `host/`. Nothing is overwritten.
 * @throws `files-in-the-way` before anything is written, `configuration-unusable`
 */
export async function bringBack(contents: Contents, into: string | undefined): Promise<BroughtBack> {
  const facts = factsShape.safeParse(contents.facts);
  if (!facts.success) throw configurationUnusable({ why: 'it does not say what it consists of' });
  const { file, folder: original, left } = facts.data.configuration;
  const folder = into === undefined ? original : resolve(into);
  const placeOf = (stored: string) =>
    into !== undefined && stored.startsWith('host/') ? join(folder, stored) : originalPath(stored, folder);

  const planned: Planned[] = [];
  for await (const entry of contents.entries()) {
    if (entry.type === 'file') planned.push(await plan(contents, entry, placeOf, folder));
  }
  const own = placeOf(file);
  if (own === undefined || !planned.some(({ path }) => path === own)) {
    throw configurationUnusable({ why: 'it lacks its own file' });
  }
  const there = await Promise.all(planned.map(({ path }) => readFile(path).catch(() => undefined)));
  const inTheWay = planned.filter(({ bytes }, at) => there[at] !== undefined && !bytes.equals(there[at]));
  if (inTheWay.length > 0) throw filesInTheWay({ files: inTheWay.map(({ path }) => path) });
  const files: BroughtFile[] = [];
  for (const [at, one] of planned.entries()) {
    const existed = there[at] !== undefined;
    if (!existed) await write(one);
    files.push({ path: one.path, expected: one.expected, existed });
  }
  return { file: own, folder, original, files, left };
}

async function plan(
  contents: Contents,
  entry: Extract<StoredEntry, { sha256: string }>,
  placeOf: (stored: string) => string | undefined,
  folder: string,
): Promise<Planned> {
  const stored = toBytes(entry.path).toString('utf8');
  const path = isSafePath(entry.path) ? placeOf(stored) : undefined;
  const expected = originalPath(stored, folder);
  if (path === undefined || expected === undefined) {
    throw configurationUnusable({ why: `${showPath(entry.path)} is no part of a configuration` });
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of contents.read(entry.path)) pieces.push(piece);
  return { path, expected, bytes: Buffer.concat(pieces), mode: entry.mode & 0o777, uid: entry.uid, gid: entry.gid };
}

async function write({ path, bytes, mode, uid, gid }: Planned): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // Not even for a moment readable by more than it should be, and never through a link that somebody put there.
  await using file = await open(path, 'wx', mode & 0o700);
  await file.writeFile(bytes);
  if (process.geteuid?.() === 0) await file.chown(uid, gid);
  await file.chmod(mode);
  await file.sync();
}
