import * as fs from 'node:fs/promises';
import type { FolderEntry } from '../../core/entry.ts';
import { type BytePath, isInside, isSafePath, pathFromText } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import type { Owners } from '../../metadata/owners.ts';
import { chosenMissing, targetTooSmall } from '../errors.ts';
import { onDisk } from '../file-system.ts';
import type { Contents, Extracted } from '../source.ts';
import type { RootFacts } from './capture.ts';

export interface Job {
  readonly contents: Contents;
  readonly force: boolean;
  readonly into: string;
  readonly root: RootFacts;
  readonly wanted: Wanted;
  readonly owners: Owners;
  readonly devices: boolean;
  readonly rehearsal: boolean;
  readonly run: Run;
  /** Somebody notes what comes to its place, so all of it is on the disk before. */
  readonly isMarked: boolean;
  readonly beforePlacing: (mark: string | undefined) => Promise<void>;
}

export interface Wanted {
  /** None inside another; absent when everything is wanted. */
  readonly paths?: readonly BytePath[];
  readonly sizeBytes: number;
  /** The folders that chosen paths are in. */
  readonly parents: ReadonlyMap<BytePath, FolderEntry>;
  readonly firstPath?: BytePath;
}

export async function chosenOf(contents: Contents, only: readonly string[]): Promise<Wanted> {
  const asked = only.map((text) => ({ text, path: pathFromText(text.replace(/^(\.?\/)+|\/+$/g, '')) }));
  for (const { text, path } of asked) if (!isSafePath(path)) throw chosenMissing({ chosen: text, what: 'path' });
  const unseen = new Set(asked.map(({ path }) => path));
  const paths = [...unseen].filter((path) => ![...unseen].some((other) => other !== path && isInside(path, other)));
  const parents = new Map<BytePath, FolderEntry>();
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

export async function extract(job: Job, onFileSystemOf: BytePath, folder: BytePath): Promise<Extracted> {
  const { contents, run, wanted, owners, devices, rehearsal } = job;
  const { bavail, bsize } = await fs.statfs(onDisk(onFileSystemOf));
  const freeBytes = bavail * bsize;
  if (wanted.sizeBytes > freeBytes) {
    throw targetTooSmall({ target: job.into, neededBytes: wanted.sizeBytes, freeBytes });
  }
  return contents.extract(folder, { run, owners, devices, rehearsal, ...(wanted.paths && { paths: wanted.paths }) });
}
