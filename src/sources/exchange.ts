import { createHash } from 'node:crypto';
import { statfsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { z } from 'zod';
import { type BytePath, isInside, isSafePath, pathFromText, showPath } from '../core/paths.ts';
import type { Problem } from '../core/run.ts';
import { livingProcess, ourTag } from '../host/identity.ts';
import { type Beneath, openBeneath } from './beneath.ts';
import { orForbidden, restoreInterrupted, restoreRunning, workFolderForeign } from './errors.ts';
import { codeOf, exists, isGone, nameOf, onDisk, parentOf } from './file-system.ts';
import { type HeldFolder, holdFolder, removeHeld } from './held-folder.ts';

/** The name for an exchange of what is in the folder, rather than of something in it. */
export const contentsOnly = 'here';

/** How the folder in which a restore works is named. It is nobody's data: no backup takes it. */
export const workPrefix = '.lifeboat-restoring-';

/**
 * Puts restored things in the place of others, so that whatever happens all is as it was before or all is new. Everything is
 * written into a work folder on the same file system first; then each old thing is renamed into it and each new one out.
 *
 *     .lifeboat-restoring-<name>.<owner>/  new/       what was restored
 *                                          old/<n>    what was there, from the n-th move
 *                                          journal    the moves, written before the first
 *                                          committed  the journal, renamed after the last
 *
 * A work folder whose process is gone is put right by the next restore of the same target: with a journal, what was there
 * goes back to its place; then the folder is removed.
 *
 * Whoever may write where the target lies can rename all of this, and put links there. So both folders are opened once, without
 * following a link, and everything goes through these descriptors; nobody else may enter the work folder. One that was left is
 * believed only if it is a real folder, ours alone, and its journal was written for it and names nothing outside.
 */
export interface WorkFolder extends AsyncDisposable {
  /** Where to extract to: the way through a descriptor, for this process and its children, until it is disposed of. */
  readonly fresh: BytePath;
  /** Makes all moves, in this order, or when it throws none. @returns what was replaced, now or by an earlier restore, and cannot be removed */
  exchange(moves: readonly Move[]): Promise<Problem[]>;
}

export interface Move {
  /** Absolute, below the folder: where it shall be. */
  readonly to: BytePath;
  /** `fresh`, or below it. Absent: what is at `to` only goes. */
  readonly from?: BytePath;
}

/** As the journal has it: names that can lead nowhere but below the two folders. */
const journalForm = z.object({
  /** The work folder it was written for. */
  work: z.string(),
  moves: z.array(
    z.object({
      /** Below the folder. */
      to: z.string().refine(isSafePath),
      /** Below `new`; empty for all of it. */
      from: z
        .string()
        .refine((path) => path === '' || isSafePath(path))
        .optional(),
      replaces: z.boolean(),
    }),
  ),
});
type RecordedMove = z.infer<typeof journalForm>['moves'][number];

/** A work folder and the folder that it lies in, both open. */
interface OpenWork extends Disposable {
  /** For people, and for the journal. */
  readonly path: BytePath;
  readonly outside: Beneath;
  readonly inside: Beneath;
  readonly work: HeldFolder;
}

/**
 * Opens a work folder for `name` in `folder`, which is reached through no link, after putting right what an interrupted restore
 * left.
 * @throws `restore-running`, `restore-interrupted`, `restore-work-folder-foreign`, `target-forbidden`
 */
export async function openWorkFolder(folder: BytePath, name: BytePath): Promise<WorkFolder> {
  const stay = await healInterrupted(folder, name);
  using stack = new DisposableStack();
  const parent = stack.use(holdFolder(folder));
  const tag = ourTag();
  const own = `${workNameOf(name)}.${tag}`;
  await fs.mkdir(onDisk(`${parent.path}/${own}`), { mode: 0o700 }).catch((error: unknown) => {
    throw orForbidden(error, showPath(folder));
  });
  const open = stack.use(openOwn(parent, folder, own));
  const { work } = open;
  // What was put in its place meanwhile may be ours as well, from another day.
  if ((await fs.readdir(onDisk(work.path))).length > 0) {
    throw workFolderForeign({ path: showPath(open.path), why: 'it was changed while it was made' });
  }
  await fs.mkdir(onDisk(`${work.path}/new`), { mode: 0o700 });
  const held = stack.move();
  const fresh = `${work.path}/new`;
  const below = (path: BytePath, root: BytePath) => path.slice(root === '/' ? 1 : root.length + 1);
  let keep = false;
  let removed = false;
  return {
    fresh,
    async exchange(moves) {
      const recorded: RecordedMove[] = [];
      for (const move of moves) {
        if (!isInside(move.to, folder === '/' ? '' : folder))
          throw new Error(`${showPath(move.to)} is not in the folder`);
        const to = below(move.to, folder);
        // What an earlier move takes away is gone by then.
        const free = recorded.some((earlier) => earlier.to === to && earlier.from === undefined);
        const replaces = !free && (await isThere(open.outside, to));
        recorded.push({ to, ...(move.from !== undefined && { from: below(move.from, fresh) }), replaces });
      }
      await fs.mkdir(onDisk(`${work.path}/old`), { mode: 0o700 });
      await writeJournal(open, recorded);
      try {
        for (const [at, move] of recorded.entries()) await make(open, at, move);
        await fs.rename(onDisk(`${work.path}/journal`), onDisk(`${work.path}/committed`));
      } catch (error) {
        keep = true;
        await rollBack(open, recorded);
        keep = false;
        throw error;
      }
      for (const to of new Set(recorded.map((move) => parentBelow(move.to)))) await syncFolder(open.outside.folder(to));
      const stayed = await remove(open, parent);
      removed = true;
      if (stayed === undefined) return stay;
      // Nobody works there any more: the next restore tries again to remove it, also one of this process.
      const beside = new Set(await fs.readdir(onDisk(parent.path), 'latin1'));
      let aside = `${workNameOf(name)}.left-${tag}`;
      for (let more = 2; beside.has(aside); more++) aside = `${workNameOf(name)}.left-${tag}-${more}`;
      const now = await fs.rename(onDisk(`${parent.path}/${own}`), onDisk(`${parent.path}/${aside}`)).then(
        () => aside,
        () => own,
      );
      return [...stay, oldStays(`${parentOf(open.path)}/${now}`, stayed)];
    },
    async [Symbol.asyncDispose]() {
      try {
        if (!keep && !removed) await remove(open, parent);
      } finally {
        held.dispose();
      }
    },
  };
}

/**
 * Puts right what earlier restores of `name` left in `folder`. @returns what they replaced and still cannot be removed
 * @throws `restore-running`, `restore-interrupted`, `restore-work-folder-foreign`
 */
export async function healInterrupted(folder: BytePath, name: BytePath): Promise<Problem[]> {
  const stay: Problem[] = [];
  if (!(await exists(folder))) return stay;
  using parent = holdFolder(folder);
  for (const { found, owner } of await workFoldersOf(parent, name)) {
    using open = openOwn(parent, folder, found);
    const pid = livingProcess(owner);
    if (pid !== undefined) throw restoreRunning({ target: showPath(`${folder}/${name}`), pid });
    const journal = await readJournal(open);
    if (journal !== undefined) await rollBack(open, journal);
    const stayed = await remove(open, parent);
    if (stayed !== undefined) stay.push(oldStays(open.path, stayed));
  }
  return stay;
}

/** Where an interrupted restore of `path` keeps what was there, or undefined. */
export async function keptOld(path: string): Promise<string | undefined> {
  const bytes = pathFromText(path);
  for await (const { open } of believedIn(parentOf(bytes), nameOf(bytes))) {
    const at = (await readJournal(open))?.findIndex((move) => move.to === nameOf(bytes)) ?? -1;
    if (at >= 0 && (await exists(`${open.work.path}/old/${at}`))) return showPath(`${open.path}/old/${at}`);
  }
  return undefined;
}

/**
 * Refuses a folder whose contents are being exchanged, or were when it was interrupted: half of it is of another time.
 * @throws `restore-running`, `restore-interrupted`
 */
export async function refuseHalfExchanged(folder: BytePath): Promise<void> {
  for await (const { open, owner } of believedIn(folder, contentsOnly)) {
    const pid = livingProcess(owner);
    if (pid !== undefined) throw restoreRunning({ target: showPath(folder), pid });
    if ((await readJournal(open)) !== undefined) {
      throw restoreInterrupted({ target: showPath(folder), old: showPath(`${open.path}/old`) });
    }
  }
}

/** For who only looks: what another user put there says nothing, and stops nobody. Root's may be a true restore's. */
async function* believedIn(folder: BytePath, name: BytePath): AsyncGenerator<{ open: OpenWork; owner: string }> {
  const real = await fs.realpath(onDisk(folder), 'latin1').catch((error: unknown) => {
    if (isGone(error)) return undefined;
    throw error;
  });
  if (real === undefined || !(await fs.stat(onDisk(real))).isDirectory()) return;
  using parent = holdFolder(real);
  for (const { found, owner } of await workFoldersOf(parent, name)) {
    const { uid } = await fs.lstat(onDisk(`${parent.path}/${found}`));
    if (uid !== 0 && uid !== process.geteuid?.()) continue;
    using open = openOwn(parent, folder, found);
    yield { open, owner };
  }
}

async function workFoldersOf(parent: HeldFolder, name: BytePath): Promise<{ found: BytePath; owner: string }[]> {
  const names = await fs.readdir(onDisk(parent.path), 'latin1');
  return names.flatMap((found) => {
    const dot = found.lastIndexOf('.');
    return found.slice(0, dot) === workNameOf(name) ? [{ found, owner: found.slice(dot + 1) }] : [];
  });
}

/** A name is at most 255 bytes, and that of the target may be that long by itself. */
function workNameOf(name: BytePath): BytePath {
  if (name.length <= longestKept) return workPrefix + name;
  return `${workPrefix}${createHash('sha256').update(name, 'latin1').digest('hex')}`;
}

const longestKept = 160;

const parts = new Set(['new', 'old', 'journal', 'journal.half', 'committed']);

/** @throws `restore-work-folder-foreign` for anything that a restore of ours did not make */
function openOwn(parent: HeldFolder, folder: BytePath, found: BytePath): OpenWork {
  const path = `${folder === '/' ? '' : folder}/${found}`;
  const refuse = (why: string) => workFolderForeign({ path: showPath(path), why });
  using stack = new DisposableStack();
  const outside = stack.use(openBeneath(parent.path));
  const work = parent.hold(found);
  if (work === undefined) throw refuse('it is no folder');
  stack.use(work);
  if (work.uid !== process.geteuid?.()) throw refuse(`it belongs to user ${work.uid}`);
  const others = hasNoModes(work.path) ? 0o022 : 0o077;
  if ((work.mode & others) !== 0) throw refuse('others may change it');
  if (work.names().some((name) => !parts.has(name))) throw refuse('no restore put there what is in it');
  const inside = stack.use(openBeneath(work.path));
  const held = stack.move();
  return { path, outside, inside, work, [Symbol.dispose]: () => held.dispose() };
}

/** FAT, exFAT, NTFS and what a program of its own brings (FUSE): every folder has the rights that all of it was mounted with. */
const modeless = new Set([0x4d44, 0x2011bab0, 0x7366746e, 0x65735546]);

function hasNoModes(folder: BytePath): boolean {
  return modeless.has(statfsSync(onDisk(folder)).type);
}

async function isThere(root: Beneath, path: BytePath): Promise<boolean> {
  try {
    return await exists(root.place(path));
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function freshPlace({ inside }: OpenWork, from: BytePath): BytePath {
  return inside.place(from === '' ? 'new' : `new/${from}`);
}

async function make(open: OpenWork, at: number, move: RecordedMove): Promise<void> {
  const old = onDisk(open.inside.place(`old/${at}`));
  try {
    if (move.replaces) await fs.rename(onDisk(open.outside.place(move.to)), old);
    if (move.from === undefined) return;
    await fs.rename(onDisk(freshPlace(open, move.from)), onDisk(open.outside.place(move.to)));
  } catch (error) {
    throw orForbidden(error, showPath(`${parentOf(open.path)}/${move.to}`));
  }
}

async function rollBack(open: OpenWork, moves: readonly RecordedMove[]): Promise<void> {
  const { outside, inside, path } = open;
  const target = (move: RecordedMove) => onDisk(outside.place(move.to));
  for (const [at, move] of [...moves.entries()].reverse()) {
    const wentOut = move.replaces && (await isThere(inside, `old/${at}`));
    const stayed = move.from === undefined || (await isThere(inside, move.from === '' ? 'new' : `new/${move.from}`));
    const cameIn = !stayed && (wentOut || !move.replaces);
    if (cameIn && (await isThere(outside, move.to)))
      await fs.rename(target(move), onDisk(freshPlace(open, move.from!)));
    if (!wentOut) continue;
    // An application may have made its folder anew in the meantime. An empty one is no loss.
    await fs.rmdir(target(move)).catch(() => {});
    if (await isThere(outside, move.to)) {
      const taken = showPath(`${parentOf(path)}/${move.to}`);
      throw restoreInterrupted({ target: taken, old: showPath(`${path}/old/${at}`) });
    }
    await fs.rename(onDisk(inside.place(`old/${at}`)), target(move));
  }
}

async function writeJournal({ path, work }: OpenWork, moves: readonly RecordedMove[]): Promise<void> {
  const half = `${work.path}/journal.half`;
  await using file = await fs.open(onDisk(half), 'wx', 0o600);
  await file.writeFile(JSON.stringify({ work: path, moves }));
  await file.sync();
  await fs.rename(onDisk(half), onDisk(`${work.path}/journal`));
  await syncFolder(work.path);
}

/** @throws `restore-work-folder-foreign` for one that was not written for this very folder */
async function readJournal({ path, work }: OpenWork): Promise<RecordedMove[] | undefined> {
  const text = await fs.readFile(onDisk(`${work.path}/journal`), 'utf8').catch((error: unknown) => {
    if (isGone(error)) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const journal = journalForm.safeParse(parsed(text));
  if (journal.success && journal.data.work === path) return journal.data.moves;
  throw workFolderForeign({ path: showPath(path), why: 'its journal was not written for it' });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function syncFolder(folder: BytePath): Promise<void> {
  await using handle = await fs.open(onDisk(folder), 'r');
  await handle.sync();
}

/** What is left of it is nobody's data, and stops no restore. @returns the first thing that cannot be removed */
async function remove(open: OpenWork, parent: HeldFolder): ReturnType<typeof removeHeld> {
  try {
    const stayed = await removeHeld(open.work);
    if (stayed === undefined) await fs.rmdir(onDisk(`${parent.path}/${nameOf(open.path)}`));
    return stayed;
  } catch (error) {
    // Whoever may write here can have moved it away. It is empty.
    return isGone(error) ? undefined : { path: '', code: codeOf(error) };
  }
}

function oldStays(work: BytePath, { path, code }: { readonly path: BytePath; readonly code: string }): Problem {
  const place = showPath(`${work}/${path}`);
  // Those of a folder forbid what is in it to go.
  const flags =
    code === 'EPERM' ? ` Flags may forbid it: chattr -R -i -a '${showPath(work)}', then` : ' Mend that, then';
  const message = `The restore is done, but of what was there before ${place} cannot be removed (${code}).${flags} remove ${showPath(work)}.`;
  return { code: 'old-not-removed', message };
}

function parentBelow(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
