import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BytePath, pathFromText, showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { byNumber, type OwnerNames, type Owners, ownersHere } from '../../metadata/owners.ts';
import { targetNotEmpty, targetUnsuitable } from '../errors.ts';
import { contentsOnly, healInterrupted, type Move, openWorkFolder, workPrefix } from '../exchange.ts';
import { exists, nameOf, onDisk, parentOf } from '../file-system.ts';
import { makeFolders } from '../make-folders.ts';
import { isOfContents, markOf, markOfContents } from '../mark.ts';
import { realPlace } from '../real-place.ts';
import type { Contents, Extracted, Restored, RestoreTarget } from '../source.ts';
import type { RootFacts } from './capture.ts';
import { protectRestored } from './protect-restored.ts';
import { restoreChosen } from './restore-chosen.ts';
import { chosenOf, extract, type Job } from './restore-job.ts';
import { flush, mustStay, refuseMountsIn, stateOf } from './restore-target.ts';
import { rootMetadata, setFolder, together } from './set-metadata.ts';

/**
 * Restores a folder, chosen paths of it, or a single file. `home` is where it came from. Never half: see exchange.ts.
 * @param beforePlacing called when all is written, right before it goes to its place; undefined where that has no mark
 */
export async function restoreFiles(
  contents: Contents,
  target: RestoreTarget,
  home: string,
  run: Run,
  beforePlacing: Job['beforePlacing'] = async (mark) => {
    if (mark !== undefined) target.beforePlacing?.(mark);
  },
): Promise<Restored> {
  const root = contents.facts.root as RootFacts | undefined;
  if (root === undefined) throw new Error('not the contents of a files dataset');
  const wanted = await chosenOf(contents, target.only);
  const into = await realPlace(target.into ?? home);
  const isMarked = target.beforePlacing !== undefined;
  const owners = await ownersOf(contents, target.numericOwners ?? false);
  const rehearsal = target.rehearsal ?? false;
  const devices = !rehearsal && process.geteuid?.() === 0;
  const how = { force: target.force, owners, devices, rehearsal, isMarked, beforePlacing };
  const job: Job = { contents, into, root, wanted, run, ...how };
  if (root.type === 'file') return restoreSingleFile(job);
  return wanted.paths === undefined ? restoreWhole(job) : restoreChosen(job, wanted.paths);
}

/** Whose things are here. Who is not root gives nothing away. */
export async function ownersOf({ facts }: Contents, numbers: boolean): Promise<Owners> {
  return process.geteuid?.() === 0 ? ownersHere(facts.owners as OwnerNames | undefined, numbers) : byNumber;
}

function setRoot(place: BytePath, { root, owners, rehearsal }: Pick<Job, 'root' | 'owners' | 'rehearsal'>) {
  return setFolder(place, '', rootMetadata(root), owners, !rehearsal);
}

/** See `wasPlaced` of source.ts. */
export async function wasPlaced(mark: string, contents: Contents, home: string, run: Run): Promise<boolean> {
  const target = pathFromText(await realPlace(home));
  const root = contents.facts.root as RootFacts;
  const all: Extracted = { files: 0, bytes: 0, problems: [], held: process.geteuid?.() === 0 };
  // What comes after the contents may not have come.
  const protectAll = async () => {
    const nameHere = (path: BytePath) => (root.type === 'file' ? nameOf(target) : path);
    await protectRestored(all, root.type === 'file' ? parentOf(target) : target, { contents, root, run }, nameHere);
    return true;
  };
  if (!isOfContents(mark)) {
    await healInterrupted(parentOf(target), nameOf(target));
    return (await markOf(target)) === mark && protectAll();
  }
  await healInterrupted(target, contentsOnly);
  if ((await markOfContents(target)) !== mark) return false;
  await setRoot(target, { root, owners: await ownersOf(contents, false), rehearsal: false });
  return protectAll();
}

/** See `isBare` of source.ts. */
export async function isBare(home: string): Promise<boolean> {
  const state = await stateOf(pathFromText(await realPlace(home)));
  return state === 'absent' || state === 'empty';
}

async function restoreWhole(job: Job): Promise<Restored> {
  const { into } = job;
  const target = pathFromText(into);
  const before = await stateOf(target);
  if (before !== 'absent' && before !== 'empty' && !job.force) throw targetNotEmpty({ target: into });
  await makeFolders(dirname(into));
  // A mount point cannot be renamed, nor anything in a folder that we may not write: there, what is in it is exchanged.
  const inside = before !== 'absent' && before !== 'other' && (await mustStay(into));
  const extracted = await exchangeWhole(job, target, inside, before === 'filled' || before === 'other');
  // Last, because the work folder's coming and going is a change of the folder that it is in.
  const whole = inside ? together(extracted, await setRoot(target, job)) : extracted;
  return { where: into, ...(await protectRestored(whole, target, job, (path) => path)) };
}

async function exchangeWhole(job: Job, target: BytePath, inside: boolean, replaces: boolean): Promise<Extracted> {
  const folder = inside ? target : parentOf(target);
  await using work = await openWorkFolder(folder, inside ? contentsOnly : nameOf(target));
  // An interrupted restore was put right just now: look again.
  if (!job.force && !['absent', 'empty'].includes(await stateOf(target))) throw targetNotEmpty({ target: job.into });
  await refuseMountsIn(target);
  const extracted = await extract(job, folder, work.fresh);
  const whole = inside ? extracted : together(extracted, await setRoot(work.fresh, job));
  if (replaces || job.isMarked) await flush(work.fresh);
  await job.beforePlacing(await (inside ? markOfContents(work.fresh) : markOf(work.fresh)));
  const moves = inside ? await movesOfContents(work.fresh, target) : [{ from: work.fresh, to: target }];
  const stayed = await work.exchange(moves);
  return { ...whole, problems: [...whole.problems, ...stayed] };
}

async function restoreSingleFile(job: Job): Promise<Restored> {
  const name = job.wanted.firstPath;
  if (name === undefined) throw targetUnsuitable({ target: job.into, why: 'the restore point holds no file' });
  const isFolder = await fs.stat(job.into).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const into = isFolder ? join(job.into, showPath(name)) : job.into;
  const target = isFolder ? `${pathFromText(job.into)}/${name}` : pathFromText(job.into);
  await makeFolders(dirname(into));
  await using work = await openWorkFolder(parentOf(target), nameOf(target));
  const replaces = await exists(target);
  if (replaces && !job.force) throw targetNotEmpty({ target: into });
  const extracted = await extract(job, parentOf(target), work.fresh);
  if (replaces || job.isMarked) await flush(work.fresh);
  const from: BytePath = `${work.fresh}/${name}`;
  await job.beforePlacing(await markOf(from));
  const stayed = await work.exchange([{ from, to: target }]);
  const placed = { ...extracted, problems: [...extracted.problems, ...stayed] };
  const nameHere = (path: BytePath) => (path === name ? nameOf(target) : undefined);
  return { where: into, ...(await protectRestored(placed, parentOf(target), job, nameHere)) };
}

/** Everything in `target` goes, everything in `fresh` comes. */
async function movesOfContents(fresh: BytePath, target: BytePath): Promise<Move[]> {
  const coming = new Set(await fs.readdir(onDisk(fresh), 'latin1'));
  const there = (await fs.readdir(onDisk(target), 'latin1')).filter((name) => !name.startsWith(workPrefix));
  return [...coming.union(new Set(there))].map((name) => ({
    to: `${target}/${name}`,
    ...(coming.has(name) && { from: `${fresh}/${name}` }),
  }));
}
