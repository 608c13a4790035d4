import * as fs from 'node:fs/promises';
import type { FolderEntry, StoredEntry } from '../../core/entry.ts';
import { type BytePath, isInside, pathFromText, showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { chosenMissing } from '../errors.ts';
import { exists, nameOf, onDisk } from '../file-system.ts';
import { holdFolder } from '../held-folder.ts';
import { realPlace } from '../real-place.ts';
import type { Contents, Restored, RestoreTarget } from '../source.ts';
import type { RootFacts } from './capture.ts';
import { holdsOnly } from './holds-only.ts';
import { ownersOf, restoreFiles, wasPlaced } from './restore.ts';
import { setFolder, together } from './set-metadata.ts';

/**
 * A dataset of several places keeps each under its whole path, as if it were the folder `/` with nothing else in it. Into another
 * folder it is restored as it is; to where it was, each place goes by itself, since what lies beside it there is others'.
 */

/** Paths in the restore point, none inside another; empty where it is of one folder or file. */
export function placesOf({ facts }: Contents): readonly BytePath[] {
  return (facts.places as readonly BytePath[] | undefined) ?? [];
}

/** For people. */
export function placesText(paths: readonly string[]): string {
  return paths.length <= 3 ? paths.join(', ') : `${paths[0]} and ${paths.length - 1} more places`;
}

interface Place {
  readonly path: BytePath;
  readonly entry: StoredEntry;
  /** What is wanted of it; all of it when empty. */
  readonly only: readonly string[];
}

interface Job {
  readonly contents: Contents;
  readonly target: RestoreTarget;
  /** The folders on the way, by path. */
  readonly ways: ReadonlyMap<BytePath, FolderEntry>;
  readonly run: Run;
}

/** Brings every place back to where it was: all are written before the first goes to its place. */
export async function restorePlaces(contents: Contents, target: RestoreTarget, run: Run): Promise<Restored> {
  const { places, ways } = await lookThrough(contents);
  const wanted = target.only.length === 0 ? places : chosenPlaces(places, target.only);
  const marks: (string | undefined)[] = [];
  const told = () => {
    const all = marks.filter((mark) => mark !== undefined);
    if (target.only.length === 0 && all.length === places.length) target.beforePlacing?.(JSON.stringify(all));
  };
  const restored = await restoreEach({ contents, target, ways, run }, wanted, marks, told);
  const where = placesText(wanted.map(({ path }) => showPath(`/${path}`)));
  return restored.reduce((all, one) => ({ ...both(all, one), where }));
}

/** The next place is written when this one is, and before it goes to its place. */
async function restoreEach(
  job: Job,
  places: readonly Place[],
  marks: (string | undefined)[],
  allWritten: () => void,
): Promise<Restored[]> {
  const [place, ...others] = places;
  if (place === undefined) {
    allWritten();
    return [];
  }
  const { contents, target, run } = job;
  const made = await makeWay(place, job);
  let further: Restored[] = [];
  try {
    const part = partOf(contents, place);
    const own = { ...target, only: place.only };
    const restored = await restoreFiles(part, own, `/${showPath(place.path)}`, run, async (mark) => {
      marks.push(mark);
      further = await restoreEach(job, others, marks, allWritten);
    });
    const unset = restored.unset && {
      has: (path: BytePath, what: string) =>
        restored.unset!.has(path, what) || (path === place.path && restored.unset!.has('', what)),
    };
    return [await setWay({ ...restored, ...(unset && { unset }) }, made, job), ...further];
  } catch (error) {
    for (const folder of made.reverse()) await fs.rmdir(onDisk(`/${folder}`)).catch(() => {});
    throw error;
  }
}

/** See `wasPlaced` of source.ts. */
export async function werePlaced(mark: string, contents: Contents, run: Run): Promise<boolean> {
  const marks: unknown = JSON.parse(mark);
  const { places } = await lookThrough(contents);
  if (!Array.isArray(marks) || marks.length !== places.length) return false;
  for (const [at, place] of places.entries()) {
    const home = `/${showPath(place.path)}`;
    if (!(await wasPlaced(String(marks[at]), partOf(contents, place), home, run))) return false;
  }
  return true;
}

/** See `holdsOnly` of source.ts: here nothing but what is in the restore point lies at any of the places. */
export async function placesHoldOnly(contents: Contents, run: Run): Promise<boolean> {
  const { places } = await lookThrough(contents);
  let some = false;
  for (const place of places) {
    if (!(await exists(`/${place.path}`))) continue;
    some = true;
    const isEmpty = await fs.readdir(onDisk(`/${place.path}`)).then(
      (names) => names.length === 0,
      () => false,
    );
    if (!isEmpty && !(await holdsOnly(`/${showPath(place.path)}`, partOf(contents, place), run))) return false;
  }
  return some;
}

async function lookThrough(contents: Contents): Promise<{ places: Place[]; ways: Map<BytePath, FolderEntry> }> {
  const paths = placesOf(contents);
  const found = new Map<BytePath, StoredEntry>();
  const ways = new Map<BytePath, FolderEntry>();
  for await (const entry of contents.entries()) {
    if (paths.includes(entry.path)) found.set(entry.path, entry);
    else if (entry.type === 'folder' && paths.some((path) => isInside(path, entry.path))) ways.set(entry.path, entry);
  }
  const places = paths.flatMap((path) => {
    const entry = found.get(path);
    // A file that could not be read is in no restore point, and its backup said so.
    return entry === undefined ? [] : [{ path, entry, only: [] }];
  });
  return { places, ways };
}

/** @throws `chosen-missing` */
function chosenPlaces(places: readonly Place[], only: readonly string[]): Place[] {
  const chosen = new Map<Place, Set<string>>();
  for (const text of only) {
    const path = pathFromText(text.replace(/^(\.?\/)+|\/+$/g, ''));
    const concerned = places.filter((place) => isInside(place.path, path) || isInside(path, place.path));
    if (concerned.length === 0) throw chosenMissing({ chosen: text, what: 'path' });
    for (const place of concerned) {
      const rest = isInside(place.path, path) ? '' : showPath(path.slice(place.path.length + 1));
      chosen.set(place, (chosen.get(place) ?? new Set()).add(rest));
    }
  }
  return [...chosen].map(([place, rests]) => ({ ...place, only: rests.has('') ? [] : [...rests] }));
}

/** One place as if it were a dataset of its own. */
function partOf(contents: Contents, { path, entry }: Place): Contents {
  const isFolder = entry.type === 'folder';
  const prefix = isFolder ? path : parentBelow(path);
  const inside = (below: BytePath) => (prefix === '' ? below : `${prefix}/${below}`);
  const { mode, uid, gid, mtimeNs, xattrs } = entry;
  const type = isFolder ? 'folder' : 'file';
  const root: RootFacts = { type, mode, uid, gid, mtimeNs: String(mtimeNs), ...(xattrs && { xattrs }) };
  const isOwn = (one: BytePath) => isInside(one, path) && (!isFolder || one !== path);
  return {
    facts: { ...contents.facts, root, places: undefined },
    async *entries() {
      for await (const one of contents.entries()) {
        if (!isOwn(one.path)) continue;
        const below = { ...one, path: one.path.slice(prefix === '' ? 0 : prefix.length + 1) };
        yield below.type === 'hardlink' ? { ...below, target: below.target.slice(prefix.length + 1) } : below;
      }
    },
    read: (below) => contents.read(inside(below)),
    extract: (folder, options = {}) =>
      contents.extract(folder, { ...options, paths: options.paths?.map(inside) ?? [path], stripPrefix: prefix }),
  };
}

/** The folders on the way that are not there. */
async function makeWay(place: Place, { ways }: Job): Promise<BytePath[]> {
  const made: BytePath[] = [];
  // Nothing is made behind a link that another user put there.
  await realPlace(`/${showPath(place.path)}`);
  const onTheWay = [...ways.keys()].filter((way) => isInside(place.path, way)).sort((a, b) => a.length - b.length);
  for (const way of onTheWay) {
    if (await exists(`/${way}`)) continue;
    await fs.mkdir(onDisk(`/${way}`), { mode: 0o700 });
    made.push(way);
  }
  return made;
}

async function setWay(
  restored: Restored,
  made: readonly BytePath[],
  { contents, target, ways }: Job,
): Promise<Restored> {
  const owners = await ownersOf(contents, target.numericOwners ?? false);
  let all = restored;
  for (const way of made.toReversed()) {
    using folder = holdFolder(`/${way}`);
    all = together(all, await setFolder(folder.path, way, ways.get(way)!, owners));
  }
  return all;
}

function both(one: Restored, other: Restored): Restored {
  const [first, second] = [one.unset, other.unset];
  const unset = first &&
    second && { has: (path: BytePath, what: string) => first.has(path, what) || second.has(path, what) };
  const said = new Set(one.problems.map(({ code }) => code));
  const problems = [
    ...one.problems,
    ...other.problems.filter(({ code }) => code !== 'owner-not-set' || !said.has(code)),
  ];
  const sums = { files: one.files + other.files, bytes: one.bytes + other.bytes };
  return { where: one.where, ...sums, problems, ...(unset && { unset }) };
}

function parentBelow(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.length - nameOf(path).length - 1));
}
