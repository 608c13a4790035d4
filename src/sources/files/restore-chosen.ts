import * as fs from 'node:fs/promises';
import { type BytePath, pathFromText, showPath } from '../../core/paths.ts';
import type { Problem } from '../../core/run.ts';
import { targetNotEmpty, targetUnsuitable } from '../errors.ts';
import { contentsOnly, openWorkFolder } from '../exchange.ts';
import { exists, onDisk } from '../file-system.ts';
import type { Extracted, Restored } from '../source.ts';
import { extract, type Job } from './restore-job.ts';
import { flush, refuseMountsIn, stateOf } from './restore-target.ts';
import { applyMetadata, setMetadata } from './set-metadata.ts';

/** Restores some paths into a folder, each in the place of what has its name there. All of them come, or none. */
export async function restoreChosen(job: Job, paths: readonly BytePath[]): Promise<Restored> {
  const { into, wanted, root } = job;
  const target = pathFromText(into);
  const state = await stateOf(target);
  if (state === 'other') throw targetUnsuitable({ target: into, why: 'it is not a folder' });
  const made: BytePath[] = [];
  const makeFolder = async (path: BytePath) => {
    if (await exists(path)) return;
    await fs.mkdir(onDisk(path), { recursive: path === target });
    made.push(path);
  };
  try {
    await makeFolder(target);
    const extracted = await exchangeChosen(job, target, paths, makeFolder);
    // Last, because what comes into a folder is a change of it; so the inner ones first.
    const problems: Problem[] = [];
    for (const path of made.reverse()) {
      const folder = wanted.parents.get(path.slice(target.length + 1));
      problems.push(...(await (folder === undefined ? applyMetadata(path, root) : setMetadata(path, folder))));
    }
    return { where: into, ...extracted, problems: [...extracted.problems, ...problems] };
  } catch (error) {
    for (const path of made.reverse()) await fs.rmdir(onDisk(path)).catch(() => {});
    throw error;
  }
}

async function exchangeChosen(
  job: Job,
  target: BytePath,
  paths: readonly BytePath[],
  makeFolder: (path: BytePath) => Promise<void>,
): Promise<Extracted> {
  await using work = await openWorkFolder(target, contentsOnly);
  for (const path of paths) {
    const taken = await exists(`${target}/${path}`);
    if (taken && !job.force) throw targetNotEmpty({ target: `${job.into}/${showPath(path)}` });
    await refuseMountsIn(`${target}/${path}`);
  }
  const extracted = await extract(job, target, work.fresh);
  for (const path of job.wanted.parents.keys()) await makeFolder(`${target}/${path}`);
  if (job.force) await flush(work.fresh);
  await work.exchange(paths.map((path) => ({ from: `${work.fresh}/${path}`, to: `${target}/${path}` })));
  return extracted;
}
