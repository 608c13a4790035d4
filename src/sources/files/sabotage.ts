import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { sentenceOf } from '../../core/errors.ts';
import { pathFromText, showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { openXattrReader } from '../../metadata/read-xattrs.ts';
import { runCommand } from '../../process/run.ts';
import type { Aimed, NotTried, Saboteur } from '../sabotage.ts';
import { type Thing, type Way, ways } from './sabotage-ways.ts';

/** No more of a tree is looked at to find something to hurt. */
const most = 5000;
const large = 16 << 20;

/** Breaks the restored tree itself, one thing at a time: what is hurt is moved aside, and comes back untouched. */
export async function openFilesSaboteur(where: string, run: Run): Promise<Saboteur> {
  const isFolder = (await fs.lstat(where)).isDirectory();
  const root = isFolder ? where : dirname(where);
  const aside = join(dirname(where), `.sabotage-${basename(where)}`);
  await fs.mkdir(aside, { mode: 0o700 });
  const tree = isFolder ? await listTree(root, run) : [await thingAt(root, basename(where))];
  await nameAttributes(root, tree, run);
  // What is large is hurt only where nothing else is there.
  tree.sort((a, b) => Number(a.size > large) - Number(b.size > large));
  const place = { where, root, aside, tree, isFolder, run };
  return {
    sabotages: ways.map((way) => ({ name: way.name, harm: 'file', aim: () => aim(place, way) })),
    [Symbol.asyncDispose]: () => fs.rm(aside, { recursive: true, force: true }),
  };
}

interface Place {
  readonly where: string;
  readonly root: string;
  readonly aside: string;
  readonly tree: readonly Thing[];
  readonly isFolder: boolean;
  readonly run: Run;
}

async function aim({ where, root, aside, tree, isFolder, run }: Place, way: Way): Promise<Aimed | NotTried> {
  if (way.onlyRoot && process.geteuid?.() !== 0) return { reason: 'only root can give files away' };
  const picked = way.pick(tree)?.map(({ path }) => path);
  if (picked === undefined) return { reason: way.absent };
  if (!isFolder && picked.length > 1) return { reason: 'it is a single file' };
  if (!isFolder && picked[0] !== basename(where)) return { reason: 'it is a single file' };
  const places = picked.map((path) => join(root, path));
  const were = picked.map((_, at) => join(aside, String(at)));
  const command = async (program: string, ...words: string[]) =>
    void (await runCommand(program, words, { signal: run.signal }));
  for (const [at, from] of way.twice ? [] : places.entries()) {
    const moved = await fs.rename(from, were[at]!).then(
      () => true,
      (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? false : error),
    );
    if (moved instanceof Error) return { reason: sentenceOf(moved) };
    if (moved && way.copy) await command('cp', '-a', '--reflink=auto', were[at]!, from);
  }
  // Until it is struck, it looks as it does where it was moved to, or is not there.
  let isStruck = way.twice === true;
  const undo = async () => {
    if (way.twice) return way.strike(places, were, command);
    for (const [at, to] of places.entries()) {
      await fs.rm(to, { recursive: true, force: true });
      await fs.rename(were[at]!, to).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
  };
  return {
    where,
    what: picked[0]!,
    names: [...picked, ...tree.filter(({ path }) => picked.includes(path)).flatMap((one) => namesOf(one, tree))],
    async look() {
      return (await Promise.all((isStruck ? places : were).map((path) => look(path, run)))).join('\n');
    },
    async strike() {
      isStruck = true;
      await way.strike(places, were, command);
    },
    [Symbol.asyncDispose]: undo,
  };
}

function namesOf({ inode }: Thing, tree: readonly Thing[]): string[] {
  return tree.filter((one) => one.inode === inode).map(({ path }) => path);
}

async function listTree(root: string, run: Run): Promise<Thing[]> {
  const things: Thing[] = [];
  const folders = [''];
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    run.signal.throwIfAborted();
    for (const name of (await fs.readdir(join(root, folder), 'latin1')).sort()) {
      const path = join(folder, showPath(name));
      // What no program can be told in words stays whole.
      if (things.length === most || pathFromText(showPath(name)) !== name || name.startsWith('-')) continue;
      const thing = await thingAt(root, path);
      things.push(thing);
      if (thing.type === 'folder') folders.push(path);
    }
  }
  return things;
}

async function thingAt(root: string, path: string): Promise<Thing> {
  const found = await fs.lstat(join(root, path));
  const type = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'folder'
      : found.isSymbolicLink()
        ? 'symlink'
        : found.isFIFO()
          ? 'fifo'
          : 'other';
  return { path, type, size: found.size, links: found.nlink, inode: found.ino, attributes: [] };
}

/** In place, for those few ways that need them. */
async function nameAttributes(root: string, tree: Thing[], run: Run): Promise<void> {
  const read = await openXattrReader();
  const paths = tree.map(({ path }) => pathFromText(join(root, path)));
  for (let done = 0; read !== undefined && done < paths.length; ) {
    const batch = await read(paths.slice(done), run.signal);
    for (let at = done; at < done + batch.done; at++) {
      const attributes = Object.keys(batch.found.get(paths[at]!) ?? {});
      if (attributes.length > 0) tree[at] = { ...tree[at]!, attributes };
    }
    done += batch.done;
  }
}

/** Everything that a restore is to bring back of one thing. */
async function look(path: string, run: Run): Promise<string> {
  const found = await fs.lstat(path, { bigint: true }).catch(() => undefined);
  if (found === undefined) return 'not there';
  const read = await openXattrReader();
  const xattrs = (await read?.([pathFromText(path)], run.signal))?.found.get(pathFromText(path)) ?? {};
  const seen = createHash('sha256');
  if (found.isFile()) for await (const bytes of createReadStream(path)) seen.update(bytes as Buffer);
  if (found.isSymbolicLink()) seen.update(await fs.readlink(path));
  const { mode, uid, gid, size, mtimeNs, nlink } = found;
  return [mode, uid, gid, size, mtimeNs, nlink, JSON.stringify(xattrs), seen.digest('hex')].join(' ');
}
