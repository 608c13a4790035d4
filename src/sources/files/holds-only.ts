import { lstatSync, readlinkSync } from 'node:fs';
import type { StoredEntry } from '../../core/entry.ts';
import { type BytePath, pathFromText } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { openBeneath } from '../beneath.ts';
import { onDisk } from '../file-system.ts';
import type { Contents } from '../source.ts';
import { hashOf } from './compare.ts';
import { compileExcludes } from './excludes.ts';
import { stateOf } from './restore-target.ts';
import { nothingSettled } from './settled.ts';
import { silent, walk } from './walk.ts';

/** What holds more was not put there by a recovery of the configuration, and is not looked through. */
const mostThere = 1000;

/**
 * Whether there is something at `where`, and all of it is in `contents` too, byte for byte: then replacing it loses nothing. Whose
 * it is, what it permits and its times do not count: those come back with it.
 */
export async function holdsOnly(where: string, contents: Contents, run: Run): Promise<boolean> {
  const path = pathFromText(where);
  const state = await stateOf(path);
  if (state === 'absent' || state === 'empty') return false;
  const isFolder = lstatSync(onDisk(path)).isDirectory();
  const split = path.lastIndexOf('/');
  const place = isFolder ? { root: path } : { root: path.slice(0, split), within: [path.slice(split + 1)] };
  const how = {
    excludes: compileExcludes([]),
    cacheFolders: false,
    oneFileSystem: false,
    mounts: new Set<BytePath>(),
    settledUntil: nothingSettled,
  };
  const there = new Map<BytePath, string>();
  for (const batch of walk({ ...place, ...how, events: silent })) {
    run.signal.throwIfAborted();
    for (const { path, type } of batch) there.set(path, type);
    if (there.size > mostThere) return false;
  }
  using folder = openBeneath(place.root);
  for await (const entry of contents.entries()) {
    run.signal.throwIfAborted();
    const found = there.get(entry.path);
    if (found === undefined) continue;
    if (!(await isSame(entry, found, folder.place(entry.path), run.signal))) return false;
    there.delete(entry.path);
  }
  return there.size === 0;
}

async function isSame(entry: StoredEntry, found: string, place: BytePath, signal: AbortSignal): Promise<boolean> {
  if (entry.type !== found) return false;
  if (entry.type === 'folder') return true;
  if (entry.type === 'symlink') return readlinkSync(onDisk(place), 'latin1') === entry.target;
  return entry.type === 'file' && (await hashOf(place, signal)) === entry.sha256;
}
