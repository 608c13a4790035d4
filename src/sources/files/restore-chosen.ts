import * as fs from 'node:fs/promises';
import { entryNotRestored } from '../../core/not-as-it-was.ts';
import { type BytePath, isInside, pathFromText, showPath } from '../../core/paths.ts';
import type { Problem } from '../../core/run.ts';
import { type Beneath, openBeneath } from '../beneath.ts';
import { restoreThroughLink, targetNotEmpty, targetUnsuitable } from '../errors.ts';
import { contentsOnly, openWorkFolder } from '../exchange.ts';
import { codeOf, exists, isGone, nameOf, onDisk } from '../file-system.ts';
import { holdFolder } from '../held-folder.ts';
import { makeFolders } from '../make-folders.ts';
import type { Extracted, Restored } from '../source.ts';
import { protectRestored } from './protect-restored.ts';
import { extract, type Job } from './restore-job.ts';
import { flush, refuseMountsIn, stateOf } from './restore-target.ts';
import { rootMetadata, setFolder, together } from './set-metadata.ts';

/** Restores some paths into a folder, each in the place of what has its name there. All of them come, or none. */
export async function restoreChosen(job: Job, paths: readonly BytePath[]): Promise<Restored> {
  const { into, wanted, root, owners, rehearsal } = job;
  const target = pathFromText(into);
  const state = await stateOf(target);
  if (state === 'other') throw targetUnsuitable({ target: into, why: 'it is not a folder' });
  const made: BytePath[] = [];
  const isNew = state === 'absent';
  if (isNew) await makeFolders(into);
  using held = holdFolder(target);
  using beneath = openBeneath(held.path);
  const makeFolder = async (path: BytePath) => {
    if (await isFolder(beneath, path, into)) return;
    await fs.mkdir(onDisk(beneath.place(path)), { mode: 0o700 });
    made.push(path);
  };
  try {
    let extracted = await exchangeChosen(job, target, { paths, beneath, makeFolder });
    // Last, because what comes into a folder is a change of it; so the inner ones first.
    for (const path of made.reverse()) {
      const folder = wanted.parents.get(path);
      using own = holdFolder(`${target}/${path}`);
      if (folder !== undefined)
        extracted = together(extracted, await setFolder(own.path, path, folder, owners, !rehearsal));
    }
    if (isNew) extracted = together(extracted, await setFolder(held.path, '', rootMetadata(root), owners, !rehearsal));
    const isHere = (path: BytePath) =>
      (path === '' && isNew) || made.includes(path) || paths.some((one) => isInside(path, one));
    return {
      where: into,
      ...(await protectRestored(extracted, target, job, (path) => (isHere(path) ? path : undefined))),
    };
  } catch (error) {
    for (const path of made.reverse()) await fs.rmdir(onDisk(beneath.place(path))).catch(() => {});
    if (isNew) await fs.rmdir(into).catch(() => {});
    throw error;
  }
}

interface Chosen {
  readonly paths: readonly BytePath[];
  readonly beneath: Beneath;
  readonly makeFolder: (path: BytePath) => Promise<void>;
}

async function exchangeChosen(job: Job, target: BytePath, { paths, beneath, makeFolder }: Chosen): Promise<Extracted> {
  await using work = await openWorkFolder(target, contentsOnly);
  // Refused before anything is written.
  for (const path of job.wanted.parents.keys()) await isFolder(beneath, path, job.into);
  for (const path of paths) {
    const taken = await isTaken(beneath, path);
    if (taken && !job.force) throw targetNotEmpty({ target: `${job.into}/${showPath(path)}` });
    await refuseMountsIn(`${target}/${path}`);
  }
  const extracted = await extract(job, target, work.fresh);
  // What could not be made there is named, and takes nothing's place.
  const came: BytePath[] = [];
  const others: Problem[] = [];
  for (const path of paths) {
    if (!(await exists(`${work.fresh}/${path}`).catch(() => false))) continue;
    if (await isAnother(beneath, path)) others.push(anotherThere(path));
    else came.push(path);
  }
  for (const path of job.wanted.parents.keys()) {
    if (came.some((one) => isInside(one, path))) await makeFolder(path);
  }
  if (job.force) await flush(work.fresh);
  await job.beforePlacing(undefined);
  const stayed = await work.exchange(came.map((path) => ({ from: `${work.fresh}/${path}`, to: `${target}/${path}` })));
  return { ...extracted, problems: [...others, ...extracted.problems, ...stayed] };
}

/** What is no name or path here is not there: that it cannot be made either is found out, and named, when it is tried. */
const noNames = new Set(['ENAMETOOLONG', 'EINVAL', 'EILSEQ']);

async function isTaken(beneath: Beneath, path: BytePath): Promise<boolean> {
  try {
    return await exists(beneath.place(path));
  } catch (error) {
    if (isGone(error) || noNames.has(codeOf(error))) return false;
    throw error;
  }
}

/** Whether what is there has another name, which only counts as the same: in other case, or another normal form of Unicode. */
async function isAnother(beneath: Beneath, path: BytePath): Promise<boolean> {
  if (!(await isTaken(beneath, path))) return false;
  const names = await fs.readdir(onDisk(beneath.folder(path.slice(0, Math.max(0, path.lastIndexOf('/'))))), 'latin1');
  return !names.includes(nameOf(path));
}

function anotherThere(path: BytePath): Problem {
  const message = `${showPath(path)} was not restored: what is there has another name, which counts as the same here.`;
  return { code: entryNotRestored, message };
}

/** Whether a folder that chosen paths are in is there. Nothing is restored through what is no real folder any more. */
async function isFolder(beneath: Beneath, path: BytePath, into: string): Promise<boolean> {
  if (!(await isTaken(beneath, path))) return false;
  const found = await fs.lstat(onDisk(beneath.place(path)));
  const shown = `${into}/${showPath(path)}`;
  if (found.isSymbolicLink())
    throw restoreThroughLink({ path: shown, why: ', and was a folder when it was backed up' });
  if (!found.isDirectory()) throw targetUnsuitable({ target: shown, why: 'it is no folder' });
  return true;
}
