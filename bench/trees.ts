import { closeSync, copyFileSync, mkdirSync, openSync, readSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { type Random, seededRandom } from '../examples/harbor/random.ts';
import { type Kind, makeContent } from './contents.ts';

export const treeKinds = ['small', 'large', 'packed'] as const;
export type TreeKind = (typeof treeKinds)[number];

export const treeTitles: Readonly<Record<TreeKind, string>> = {
  small: 'many small files (text and programs, a tenth of them twice, as in /usr/lib)',
  large: 'few large files',
  packed: 'already compressed files',
};

/** Makes a tree of about `sizeBytes` in `folder`, the same on every machine. */
export function makeTree(kind: TreeKind, folder: string, sizeBytes: number): void {
  const random = seededRandom(treeKinds.indexOf(kind) + 100);
  mkdirSync(folder, { recursive: true });
  if (kind === 'small') makeSmall(folder, sizeBytes, random);
  else if (kind === 'large') makeLarge(folder, sizeBytes, random);
  else makePackedFiles(folder, sizeBytes, random);
}

function makeSmall(folder: string, sizeBytes: number, random: Random): void {
  const files: string[] = [];
  let directory = folder;
  for (let made = 0; made < sizeBytes; ) {
    if (files.length % 25 === 0) {
      directory = join(
        folder,
        `package-${Math.floor(files.length / 400)}`,
        `part-${Math.floor(files.length / 25) % 16}`,
      );
      mkdirSync(directory, { recursive: true });
    }
    const twin = files.length > 50 && random.next() < 0.1 ? random.pick(files) : undefined;
    const kind: Kind = random.next() < 0.7 ? 'text' : 'program';
    const file = join(directory, files.length + (twin ? extname(twin) : kind === 'text' ? '.h' : '.so'));
    const size = smallSize(random) * (kind === 'program' ? 6 : 1);
    if (twin) copyFileSync(twin, file);
    else writeFileSync(file, makeContent(kind, size, random));
    if (random.next() < 0.02) symlinkSync(basename(file), `${file}.1`);
    made += size;
    files.push(file);
  }
}

/** Half are below 3 KiB and a few above 300 KiB: a log-normal distribution, as on real systems. */
function smallSize(random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  return Math.min(Math.max(Math.round(Math.exp(8 + 1.6 * normal)), 70), 4 << 20);
}

function makeLarge(folder: string, sizeBytes: number, random: Random): void {
  const pieceBytes = 4 << 20;
  const files = 4;
  for (let at = 0; at < files; at++) {
    const fd = openSync(join(folder, `image-${at}.bin`), 'w');
    try {
      for (let written = 0; written < sizeBytes / files; written += pieceBytes) {
        const choice = random.next();
        const kind: Kind = choice < 0.5 ? 'text' : choice < 0.85 ? 'program' : 'packed';
        writeSync(fd, makeContent(kind, pieceBytes, random));
      }
    } finally {
      closeSync(fd);
    }
  }
}

function makePackedFiles(folder: string, sizeBytes: number, random: Random): void {
  for (let made = 0, file = 0; made < sizeBytes; file++) {
    const size = random.between(200 << 10, 6 << 20);
    const album = join(folder, `album-${Math.floor(file / 40)}`);
    mkdirSync(album, { recursive: true });
    writeFileSync(join(album, `${file}.jpg`), makeContent('packed', size, random));
    made += size;
  }
}

export interface TreeStats {
  readonly files: number;
  readonly bytes: number;
}

export async function treeStats(folder: string): Promise<TreeStats> {
  let files = 0;
  let bytes = 0;
  for await (const file of filesIn(folder)) {
    files++;
    bytes += (await stat(file)).size;
  }
  return { files, bytes };
}

/**
 * Changes 1 % in place: bytes in the middle of every hundredth file, or, in a tree of few files, a hundredth of each one in
 * ten places. `round` picks others each time.
 */
export async function changeTree(folder: string, round: number): Promise<void> {
  const files: string[] = [];
  for await (const file of filesIn(folder)) files.push(file);
  files.sort();
  const random = seededRandom(1000 + round);
  if (files.length >= 20) {
    for (let at = round % Math.min(files.length, 100); at < files.length; at += 100)
      await overwrite(files[at]!, 1, 0.5, random);
  } else {
    for (const file of files) await overwrite(file, 10, 0.001, random);
  }
}

/** Overwrites `places` stretches, each this part of the file, with text. */
async function overwrite(file: string, places: number, part: number, random: Random): Promise<void> {
  const { size } = await stat(file);
  const length = Math.max(Math.floor(size * part), 1);
  const fd = openSync(file, 'r+');
  try {
    for (let place = 0; place < places; place++) {
      writeSync(fd, makeContent('text', length, random), 0, length, Math.floor(random.next() * (size - length)));
    }
  } finally {
    closeSync(fd);
  }
}

/** Regular files that can be read, symbolic links not followed. */
async function* filesIn(folder: string): AsyncGenerator<string> {
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile()) yield path;
  }
}

/** Reads everything once, so that the first contender does not pay for a cold page cache. */
export async function warm(folder: string): Promise<void> {
  const buffer = Buffer.allocUnsafe(1 << 20);
  for await (const file of filesIn(folder)) {
    const fd = openSync(file, 'r');
    while (readSync(fd, buffer) > 0);
    closeSync(fd);
  }
}
