import { lstatSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Expectations } from '../../core/expectations.ts';
import { type BytePath, isInside, pathFromText } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import type { Unset } from '../../metadata/set.ts';
import { openBeneath } from '../beneath.ts';
import { onDisk } from '../file-system.ts';
import type { Contents, Measurement } from '../source.ts';
import { compareEntries } from './compare.ts';
import { compileExcludes } from './excludes.ts';
import { startNamesChecksum } from './names-checksum.ts';
import type { Link } from './outward-links.ts';
import { placesOf } from './places.ts';
import { nothingSettled } from './settled.ts';
import { unrecorded } from './unrecorded.ts';
import { silent, walk } from './walk.ts';

/** More places than this are not told apart from one another: each is hidden from an application by a mount of its own. */
const MOST_LED_OUT = 1000;

/**
 * Lists a restored copy as a capture would, and leaves nothing out. With the restore point's contents it also compares every entry,
 * its bytes by their SHA-256 and all its metadata, and names what differs.
 */
export async function measureFiles(
  where: string,
  expected: Expectations,
  run: Run,
  contents?: Contents,
  unset?: Unset,
  outward?: (link: Link) => BytePath | undefined,
): Promise<Measurement> {
  const path = pathFromText(where);
  const isFolder = lstatSync(onDisk(path)).isDirectory();
  const split = path.lastIndexOf('/');
  const place = isFolder ? { root: path } : { root: path.slice(0, split), within: [path.slice(split + 1)] };
  // Among all that a host has, only the places are of this dataset. A copy has nothing else.
  const within = where === '/' && contents !== undefined ? { within: placesOf(contents) } : {};
  const names = startNamesChecksum();
  const leadsOut = new Set<BytePath>();
  const nothing = {
    excludes: compileExcludes([]),
    cacheFolders: false,
    oneFileSystem: false,
    mounts: new Set<BytePath>(),
    settledUntil: nothingSettled,
  };
  using folder = openBeneath(place.root);
  // Deep paths were short enough where they come from, and may be too long below the folder of a drill.
  const root = place.root === '/' ? '/' : `${folder.folder('')}/.`;
  const look = () => walk({ ...place, root, ...within, ...nothing, events: silent });
  for (const batch of look()) {
    run.signal.throwIfAborted();
    for (const entry of batch) {
      names.add(isFolder ? entry : { type: 'file', path: '' });
      const target = entry.type === 'symlink' ? outward?.(entry) : undefined;
      if (target !== undefined && leadsOut.size < MOST_LED_OUT) leadsOut.add(target);
    }
    // An interruption is heard between two batches.
    await breathe();
  }
  const actual = names.expectations(isFolder ? root : path);
  if (contents === undefined) return { actual, integrity: [] };
  const nameOf = isFolder ? (entry: BytePath) => entry : () => path.slice(split + 1);
  const isOthers = (entry: BytePath) => within.within?.some((one) => one !== entry && isInside(one, entry)) ?? false;
  // Who has as many as were recorded under the same names has none besides.
  const isSame = actual.tables[0]?.checksum === expected.tables[0]?.checksum;
  const more = isSame || !isFolder ? [] : await unrecorded(look(), contents, run.signal);
  const integrity = [await compareEntries({ folder, root: place.root, nameOf, isOthers, more }, contents, run, unset)];
  return { actual, integrity, leadsOut: [...leadsOut] };
}
