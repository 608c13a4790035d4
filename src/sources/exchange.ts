import * as fs from 'node:fs/promises';
import { type BytePath, pathFromText, showPath } from '../core/paths.ts';
import { restoreInterrupted, restoreRunning } from './errors.ts';
import { exists, isGone, nameOf, onDisk, parentOf } from './file-system.ts';
import { livingOwner, ownerTag } from './work-owner.ts';

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
 */
export interface WorkFolder extends AsyncDisposable {
  /** Where to extract to. */
  readonly fresh: BytePath;
  /** Makes all moves, in this order, or when it throws none. */
  exchange(moves: readonly Move[]): Promise<void>;
}

export interface Move {
  /** Absolute: where it shall be. */
  readonly to: BytePath;
  /** Absolute, below `fresh`. Absent: what is at `to` only goes. */
  readonly from?: BytePath;
}

interface RecordedMove extends Move {
  readonly replaces: boolean;
}

/**
 * Opens a work folder for `name` in `folder`, after putting right what an interrupted restore left.
 * @throws `restore-running`, `restore-interrupted`
 */
export async function openWorkFolder(folder: BytePath, name: BytePath): Promise<WorkFolder> {
  await healInterrupted(folder, name);
  const work = `${folder}/${workPrefix}${name}.${await ownerTag()}`;
  await fs.mkdir(onDisk(work), { mode: 0o700 });
  await fs.mkdir(onDisk(`${work}/new`), { mode: 0o700 });
  let keep = false;
  return {
    fresh: `${work}/new`,
    async exchange(moves) {
      const recorded: RecordedMove[] = [];
      for (const move of moves) {
        // What an earlier move takes away is gone by then.
        const free = recorded.some((earlier) => earlier.to === move.to && earlier.from === undefined);
        recorded.push({ ...move, replaces: !free && (await exists(move.to)) });
      }
      await fs.mkdir(onDisk(`${work}/old`));
      await writeJournal(work, recorded);
      try {
        for (const [at, move] of recorded.entries()) await make(work, at, move);
        await fs.rename(onDisk(`${work}/journal`), onDisk(`${work}/committed`));
      } catch (error) {
        keep = true;
        await rollBack(work, recorded);
        keep = false;
        throw error;
      }
      for (const parent of new Set(recorded.map((move) => parentOf(move.to)))) await syncFolder(parent);
    },
    async [Symbol.asyncDispose]() {
      if (!keep) await remove(work);
    },
  };
}

/** Puts right what earlier restores of `name` left in `folder`. @throws `restore-running`, `restore-interrupted` */
export async function healInterrupted(folder: BytePath, name: BytePath): Promise<void> {
  for (const { work, owner } of await workFoldersOf(folder, name)) {
    const pid = await livingOwner(owner);
    if (pid !== undefined) throw restoreRunning({ target: showPath(`${folder}/${name}`), pid });
    const journal = await readJournal(work);
    if (journal !== undefined) await rollBack(work, journal);
    await remove(work);
  }
}

/** Where an interrupted restore of `path` keeps what was there, or undefined. */
export async function keptOld(path: string): Promise<string | undefined> {
  const bytes = pathFromText(path);
  for (const { work } of await workFoldersOf(parentOf(bytes), nameOf(bytes))) {
    const at = (await readJournal(work))?.findIndex((move) => move.to === bytes) ?? -1;
    if (at >= 0 && (await exists(`${work}/old/${at}`))) return showPath(`${work}/old/${at}`);
  }
  return undefined;
}

/**
 * Refuses a folder whose contents are being exchanged, or were when it was interrupted: half of it is of another time.
 * @throws `restore-running`, `restore-interrupted`
 */
export async function refuseHalfExchanged(folder: BytePath): Promise<void> {
  for (const { work, owner } of await workFoldersOf(folder, contentsOnly)) {
    const pid = await livingOwner(owner);
    if (pid !== undefined) throw restoreRunning({ target: showPath(folder), pid });
    if ((await readJournal(work)) !== undefined) {
      throw restoreInterrupted({ target: showPath(folder), old: showPath(`${work}/old`) });
    }
  }
}

async function workFoldersOf(folder: BytePath, name: BytePath): Promise<{ work: BytePath; owner: string }[]> {
  const names = await fs.readdir(onDisk(folder), 'latin1').catch((error: unknown) => {
    if (isGone(error)) return [];
    throw error;
  });
  return names.flatMap((found) => {
    const dot = found.lastIndexOf('.');
    return found.slice(0, dot) === workPrefix + name
      ? [{ work: `${folder}/${found}`, owner: found.slice(dot + 1) }]
      : [];
  });
}

async function make(work: BytePath, at: number, move: RecordedMove): Promise<void> {
  if (move.replaces) await fs.rename(onDisk(move.to), onDisk(`${work}/old/${at}`));
  if (move.from !== undefined) await fs.rename(onDisk(move.from), onDisk(move.to));
}

async function rollBack(work: BytePath, moves: readonly RecordedMove[]): Promise<void> {
  for (const [at, move] of [...moves.entries()].reverse()) {
    const old = `${work}/old/${at}`;
    const wentOut = move.replaces && (await exists(old));
    const cameIn = move.from !== undefined && !(await exists(move.from)) && (wentOut || !move.replaces);
    if (cameIn && (await exists(move.to))) await fs.rename(onDisk(move.to), onDisk(move.from!));
    if (!wentOut) continue;
    // An application may have made its folder anew in the meantime. An empty one is no loss.
    await fs.rmdir(onDisk(move.to)).catch(() => {});
    if (await exists(move.to)) throw restoreInterrupted({ target: showPath(move.to), old: showPath(old) });
    await fs.rename(onDisk(old), onDisk(move.to));
  }
}

async function writeJournal(work: BytePath, moves: readonly RecordedMove[]): Promise<void> {
  const half = `${work}/journal.half`;
  await using file = await fs.open(onDisk(half), 'wx', 0o600);
  await file.writeFile(JSON.stringify(moves));
  await file.sync();
  await fs.rename(onDisk(half), onDisk(`${work}/journal`));
  await syncFolder(work);
}

async function readJournal(work: BytePath): Promise<RecordedMove[] | undefined> {
  const text = await fs.readFile(onDisk(`${work}/journal`), 'utf8').catch((error: unknown) => {
    if (isGone(error)) return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as RecordedMove[]);
}

async function syncFolder(folder: BytePath): Promise<void> {
  await using handle = await fs.open(onDisk(folder), 'r');
  await handle.sync();
}

async function remove(work: BytePath): Promise<void> {
  await fs.rm(onDisk(work), { recursive: true, force: true, maxRetries: 3 });
}
