import { constants } from 'node:fs';
import { open, readdir, readFile, readlink, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { StoredEntry } from '../../core/entry.ts';
import { type BytePath, pathFromText, showPath } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { targetNotEmpty, targetTooSmall, targetUnsuitable } from '../errors.ts';
import { healInterrupted, type Move, openWorkFolder } from '../exchange.ts';
import { exists, nameOf, onDisk, parentOf } from '../file-system.ts';
import { makeFolders } from '../make-folders.ts';
import { markOf } from '../mark.ts';
import { realPlace } from '../real-place.ts';
import type { Contents, Restored, RestoreTarget } from '../source.ts';
import { targetInUse } from './errors.ts';
import { lookInto } from './look.ts';

/** What SQLite keeps beside a database, and would apply to whatever database comes to lie there (Q12). */
const sidecars = ['-wal', '-shm', '-journal'];

/** Restores the whole database. Never half: see exchange.ts. */
export async function restoreSqlite(
  contents: Contents,
  target: RestoreTarget,
  home: string,
  run: Run,
): Promise<Restored> {
  const entry = await databaseOf(contents);
  const into = await placeOf(target.into ?? home, showPath(entry.path));
  const to = pathFromText(into);
  const made = await makeFolders(dirname(into));
  if (made !== undefined) await settleFolder(dirname(into), contents);
  await using work = await openWorkFolder(parentOf(to), nameOf(to));
  if (await exists(to)) {
    if (!target.force) throw targetNotEmpty({ target: into });
    await refuseInUse(into);
  }
  await refuseTooLarge(entry.sizeBytes, into);
  const extracted = await contents.extract(work.fresh, { run });
  const fresh = `${work.fresh}/${entry.path}`;
  const problems = [...extracted.problems, ...(await checked(showPath(fresh), entry.sizeBytes, run))];
  await using file = await open(onDisk(fresh), 'r');
  await file.sync();
  const gone: Move[] = [{ to }];
  for (const ending of sidecars) if (await exists(to + ending)) gone.push({ to: to + ending });
  const mark = await markOf(fresh);
  if (mark !== undefined) target.beforePlacing?.(mark);
  // First everything old goes, so that at no instant the new database lies beside an old log.
  problems.push(...(await work.exchange([...gone, { from: fresh, to }])));
  const { files, bytes, unset } = extracted;
  return { where: into, files, bytes, problems, ...(unset && { unset }) };
}

const recordedFolder = z.object({
  mode: z.int().min(0).max(0o7777),
  uid: z.int().nonnegative(),
  gid: z.int().nonnegative(),
});

/** A folder that was made just now becomes as it was: the application's user makes SQLite's journal there. */
async function settleFolder(folder: string, { facts }: Contents): Promise<void> {
  const recorded = recordedFolder.safeParse(facts.folder).data;
  if (recorded === undefined) return;
  await using held = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  // Whoever is not root keeps what they make.
  if (process.getuid?.() === 0) await held.chown(recorded.uid, recorded.gid);
  await held.chmod(recorded.mode);
}

/** See `wasPlaced` of source.ts. */
export async function wasPlaced(mark: string, contents: Contents, home: string): Promise<boolean> {
  const to = await homeOf(contents, home);
  await healInterrupted(parentOf(to), nameOf(to));
  return (await markOf(to)) === mark;
}

export async function isAbsent(contents: Contents, home: string): Promise<boolean> {
  return !(await exists(await homeOf(contents, home)));
}

async function homeOf(contents: Contents, home: string): Promise<BytePath> {
  return pathFromText(await placeOf(home, showPath((await databaseOf(contents)).path)));
}

export async function refuseTooLarge(neededBytes: number, target: string): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(target));
  if (neededBytes > bavail * bsize) throw targetTooSmall({ target, neededBytes, freeBytes: bavail * bsize });
}

export async function databaseOf(contents: Contents): Promise<StoredEntry & { type: 'file' }> {
  for await (const entry of contents.entries()) if (entry.type === 'file') return entry;
  throw new Error('not the contents of a sqlite dataset');
}

/** The database's file: in the folder, if `text` names one. A symbolic link stays, and what it points to is replaced. */
export async function placeOf(text: string, name: string): Promise<string> {
  const path = await realPlace(text);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return join(path, name);
  if (found !== undefined && !found.isFile()) throw targetUnsuitable({ target: path, why: 'it is no file' });
  return path;
}

/** The bytes are those that were backed up, whatever the check says: so a defect is told, and not in the way. */
async function checked(path: string, sizeBytes: number, run: Run): Promise<Problem[]> {
  if (sizeBytes === 0) return [];
  const look = { path, isCopy: true, integrity: 'full', data: false } as const;
  const { integrity } = await lookInto(look, run.signal);
  return integrity
    .filter(({ ok }) => !ok)
    .map(({ detail }) => ({ code: 'sqlite-damaged', message: `It was damaged when it was backed up: ${detail}.` }));
}

/** A program that has the old file open would go on writing into a file that has no name any more. */
async function refuseInUse(target: string): Promise<void> {
  for (const pid of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      if ((await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')) !== target) continue;
      const program = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => basename(target));
      throw targetInUse({ target, program: program.trim(), pid: Number(pid) });
    }
  }
}
