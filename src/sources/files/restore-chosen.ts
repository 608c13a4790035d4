import * as fs from 'node:fs/promises';
import { type BytePath, pathFromText, showPath } from '../../core/paths.ts';
import { type Beneath, openBeneath } from '../beneath.ts';
import { restoreThroughLink, targetNotEmpty, targetUnsuitable } from '../errors.ts';
import { contentsOnly, openWorkFolder } from '../exchange.ts';
import { exists, isGone, onDisk } from '../file-system.ts';
import { holdFolder } from '../held-folder.ts';
import type { Extracted, Restored } from '../source.ts';
import { extract, type Job } from './restore-job.ts';
import { flush, refuseMountsIn, stateOf } from './restore-target.ts';
import { rootMetadata, setFolder, together } from './set-metadata.ts';

/** Restores some paths into a folder, each in the place of what has its name there. All of them come, or none. */
export async function restoreChosen(job: Job, paths: readonly BytePath[]): Promise<Restored> {
  const { into, wanted, root, owners } = job;
  const target = pathFromText(into);
  const state = await stateOf(target);
  if (state === 'other') throw targetUnsuitable({ target: into, why: 'it is not a folder' });
  const made: BytePath[] = [];
  const isNew = state === 'absent';
  if (isNew) await fs.mkdir(into, { recursive: true });
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
      if (folder !== undefined) extracted = together(extracted, await setFolder(own.path, path, folder, owners));
    }
    if (isNew) extracted = together(extracted, await setFolder(held.path, '', rootMetadata(root), owners));
    return { where: into, ...extracted };
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
  for (const path of job.wanted.parents.keys()) await makeFolder(path);
  if (job.force) await flush(work.fresh);
  const stayed = await work.exchange(paths.map((path) => ({ from: `${work.fresh}/${path}`, to: `${target}/${path}` })));
  return { ...extracted, problems: [...extracted.problems, ...stayed] };
}

async function isTaken(beneath: Beneath, path: BytePath): Promise<boolean> {
  try {
    return await exists(beneath.place(path));
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
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
