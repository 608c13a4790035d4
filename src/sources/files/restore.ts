import * as fs from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { StoredEntry } from '../../core/entry.ts';
import { type BytePath, isInside, isSafePath, pathFromText, showPath } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { runCommand } from '../../process/run.ts';
import { chosenMissing, targetNotEmpty, targetTooSmall, targetUnsuitable } from '../errors.ts';
import { type Move, openWorkFolder, workPrefix } from '../exchange.ts';
import { codeOf, exists, isGone, onDisk, parentOf } from '../file-system.ts';
import type { Contents, Extracted, Restored, RestoreTarget } from '../source.ts';
import type { RootFacts } from './capture.ts';
import { mountPoints } from './mounts.ts';
import { applyMetadata, setMetadata } from './set-metadata.ts';

/** Restores a folder, chosen paths of it, or a single file. `home` is where it came from. Never half: see exchange.ts. */
export async function restoreFiles(
  contents: Contents,
  target: RestoreTarget,
  home: string,
  run: Run,
): Promise<Restored> {
  const root = contents.facts.root as RootFacts | undefined;
  if (root === undefined) throw new Error('not the contents of a files dataset');
  const wanted = await chosenOf(contents, target.only);
  const into = await followLink(resolve(target.into ?? home));
  const job: Job = { contents, force: target.force, into, root, wanted, run };
  if (root.type === 'file') return restoreSingleFile(job);
  return wanted.paths === undefined ? restoreWhole(job) : restoreChosen(job, wanted.paths);
}

interface Job {
  readonly contents: Contents;
  readonly force: boolean;
  readonly into: string;
  readonly root: RootFacts;
  readonly wanted: Wanted;
  readonly run: Run;
}

interface Wanted {
  /** None inside another; absent when everything is wanted. */
  readonly paths?: readonly BytePath[];
  readonly sizeBytes: number;
  /** The folders that chosen paths are in. */
  readonly parents: ReadonlyMap<BytePath, StoredEntry>;
  readonly firstPath?: BytePath;
}

async function chosenOf(contents: Contents, only: readonly string[]): Promise<Wanted> {
  const asked = only.map((text) => ({ text, path: pathFromText(text.replace(/^(\.?\/)+|\/+$/g, '')) }));
  for (const { text, path } of asked) if (!isSafePath(path)) throw chosenMissing({ chosen: text, what: 'path' });
  const unseen = new Set(asked.map(({ path }) => path));
  const paths = [...unseen].filter((path) => ![...unseen].some((other) => other !== path && isInside(path, other)));
  const parents = new Map<BytePath, StoredEntry>();
  let sizeBytes = 0;
  let firstPath: BytePath | undefined;
  for await (const entry of contents.entries()) {
    firstPath ??= entry.path;
    unseen.delete(entry.path);
    if (paths.length > 0 && !paths.some((path) => isInside(entry.path, path))) {
      if (entry.type === 'folder' && paths.some((path) => isInside(path, entry.path))) parents.set(entry.path, entry);
    } else if (entry.type === 'file' && entry.sparse !== true) sizeBytes += entry.sizeBytes;
  }
  const missing = asked.find(({ path }) => unseen.has(path));
  if (missing !== undefined) throw chosenMissing({ chosen: missing.text, what: 'path' });
  return { sizeBytes, parents, ...(only.length > 0 && { paths }), ...(firstPath !== undefined && { firstPath }) };
}

async function restoreWhole(job: Job): Promise<Restored> {
  const { into, root } = job;
  const target = pathFromText(into);
  const before = await stateOf(target);
  if (before !== 'absent' && before !== 'empty' && !job.force) throw targetNotEmpty({ target: into });
  await fs.mkdir(dirname(into), { recursive: true });
  // A mount point cannot be renamed, nor anything in a folder that we may not write: there, what is in it is exchanged.
  const inside = before !== 'absent' && before !== 'other' && (await mustStay(into));
  await using work = inside
    ? await openWorkFolder(target, 'here')
    : await openWorkFolder(parentOf(target), pathFromText(basename(into)));
  // An interrupted restore was put right just now: look again.
  if (!job.force && !['absent', 'empty'].includes(await stateOf(target))) throw targetNotEmpty({ target: into });
  const extracted = await extract(job, inside ? target : parentOf(target), work.fresh);
  const problems = [...extracted.problems];
  if (!inside) problems.push(...(await applyMetadata(work.fresh, root)));
  if (before === 'filled') await flush(work.fresh);
  await work.exchange(inside ? await movesOfContents(work.fresh, target) : [{ from: work.fresh, to: target }]);
  if (inside) problems.push(...(await applyMetadata(target, root)));
  return { where: into, files: extracted.files, bytes: extracted.bytes, problems };
}

async function restoreChosen(job: Job, paths: readonly BytePath[]): Promise<Restored> {
  const { into, root, wanted } = job;
  const target = pathFromText(into);
  const state = await stateOf(target);
  if (state === 'other') throw targetUnsuitable({ target: into, why: 'it is not a folder' });
  const problems: Problem[] = [];
  if (state === 'absent') {
    await fs.mkdir(into, { recursive: true });
    problems.push(...(await applyMetadata(target, root)));
  }
  await using work = await openWorkFolder(target, 'here');
  for (const path of paths) {
    if (!job.force && (await exists(`${target}/${path}`))) {
      throw targetNotEmpty({ target: `${into}/${showPath(path)}` });
    }
  }
  const extracted = await extract(job, target, work.fresh);
  problems.push(...extracted.problems);
  for (const [path, folder] of wanted.parents) {
    if (await exists(`${target}/${path}`)) continue;
    await fs.mkdir(onDisk(`${target}/${path}`));
    problems.push(...(await setMetadata(`${target}/${path}`, folder)));
  }
  if (job.force) await flush(work.fresh);
  await work.exchange(paths.map((path) => ({ from: `${work.fresh}/${path}`, to: `${target}/${path}` })));
  return { where: into, files: extracted.files, bytes: extracted.bytes, problems };
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
  await fs.mkdir(dirname(into), { recursive: true });
  await using work = await openWorkFolder(parentOf(target), target.slice(target.lastIndexOf('/') + 1));
  const replaces = await exists(target);
  if (replaces && !job.force) throw targetNotEmpty({ target: into });
  const extracted = await extract(job, parentOf(target), work.fresh);
  if (replaces) await flush(work.fresh);
  await work.exchange([{ from: `${work.fresh}/${name}`, to: target }]);
  return { where: into, files: extracted.files, bytes: extracted.bytes, problems: extracted.problems };
}

async function extract(job: Job, onFileSystemOf: BytePath, folder: BytePath): Promise<Extracted> {
  const { contents, run, wanted } = job;
  const { bavail, bsize } = await fs.statfs(onDisk(onFileSystemOf));
  const freeBytes = bavail * bsize;
  if (wanted.sizeBytes > freeBytes) {
    throw targetTooSmall({ target: job.into, neededBytes: wanted.sizeBytes, freeBytes });
  }
  return contents.extract(folder, { run, ...(wanted.paths && { paths: wanted.paths }) });
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

async function stateOf(target: BytePath): Promise<'absent' | 'empty' | 'filled' | 'other'> {
  try {
    const names = await fs.readdir(onDisk(target), 'latin1');
    return names.every((name) => name.startsWith(workPrefix)) ? 'empty' : 'filled';
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return 'other';
    if (isGone(error)) return 'absent';
    throw targetUnsuitable({ target: showPath(target), why: codeOf(error) }, { cause: error });
  }
}

async function mustStay(folder: string): Promise<boolean> {
  if ((await mountPoints()).has(folder)) return true;
  const [own, parent] = await Promise.all([fs.stat(folder), fs.stat(dirname(folder))]);
  if (own.dev !== parent.dev) return true;
  return fs.access(dirname(folder), fs.constants.W_OK).then(
    () => false,
    () => true,
  );
}

async function followLink(path: string): Promise<string> {
  return fs.realpath(path).catch(() => path);
}

/** What replaces something must be on the disk before that is removed. */
async function flush(folder: BytePath): Promise<void> {
  // Through sh, which reads the name from its input: arguments of Node's children are text, and names are bytes.
  await runCommand('sh', ['-c', 'IFS= read -r folder; sync -f "$folder" || sync'], {
    input: Buffer.from(`${folder}\n`, 'latin1'),
  });
}
