import * as fs from 'node:fs/promises';
import { z } from 'zod';
import type { FolderEntry, StoredEntry } from '../../core/entry.ts';
import { type BytePath, isInside, isSafePath, pathFromText, showPath } from '../../core/paths.ts';
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
  /** Those that were made; each after the one that it is in. */
  readonly made: BytePath[];
  readonly run: Run;
}

/** What a restore to the places is known by: each place, and the folders on the way that it made, which get their own metadata last. */
const placedForm = z.object({ marks: z.array(z.string()), made: z.array(z.string().refine(isSafePath)) });
type Placed = z.infer<typeof placedForm>;

/** Brings every place back to where it was: all are written before the first goes to its place. */
export async function restorePlaces(contents: Contents, target: RestoreTarget, run: Run): Promise<Restored> {
  const { places, ways } = await lookThrough(contents);
  const wanted = target.only.length === 0 ? places : chosenPlaces(places, target.only);
  const begun = target.begun === undefined ? undefined : placedOf(target.begun, places);
  const marks: (string | undefined)[] = [];
  const made: BytePath[] = [...(begun?.made ?? [])];
  const told = () => {
    const all = marks.filter((mark) => mark !== undefined);
    if (target.only.length > 0 || all.length < places.length) return;
    target.beforePlacing?.(JSON.stringify({ marks: all, made } satisfies Placed));
  };
  const restored = await restoreEach({ contents, target, ways, made, run }, wanted, { marks, told, begun });
  const where = placesText(wanted.map(({ path }) => showPath(`/${path}`)));
  const none: Restored = { where, files: 0, bytes: 0, problems: [], unset: { has: () => false } };
  const all = { ...restored.reduce(both, none), where };
  return setWays(all, made, { contents, ways, numericOwners: target.numericOwners ?? false });
}

interface Placing {
  readonly marks: (string | undefined)[];
  /** Called when every place is written. */
  told(): void;
  /** What an earlier run told that was killed then. */
  readonly begun: Placed | undefined;
}

/** The next place is written when this one is, and before it goes to its place. */
async function restoreEach(job: Job, places: readonly Place[], placing: Placing): Promise<Restored[]> {
  const [place, ...others] = places;
  if (place === undefined) {
    placing.told();
    return [];
  }
  const { contents, target, made, run } = job;
  const { marks, begun } = placing;
  const part = partOf(contents, place);
  const home = `/${showPath(place.path)}`;
  const mark = begun?.marks[marks.length];
  if (mark !== undefined && (await wasPlaced(mark, part, home, run))) {
    marks.push(mark);
    return await restoreEach(job, others, placing);
  }
  const before = made.length;
  await makeWay(place, job);
  let further: Restored[] = [];
  try {
    const own = { ...target, only: place.only };
    const restored = await restoreFiles(part, own, home, run, async (mark) => {
      marks.push(mark);
      further = await restoreEach(job, others, placing);
    });
    const unset = restored.unset && {
      has: (path: BytePath, what: string) =>
        restored.unset!.has(path, what) || (path === place.path && restored.unset!.has('', what)),
    };
    return [{ ...restored, ...(unset && { unset }) }, ...further];
  } catch (error) {
    for (const folder of made.splice(before).reverse()) await fs.rmdir(onDisk(`/${folder}`)).catch(() => {});
    throw error;
  }
}

/** See `wasPlaced` of source.ts. */
export async function werePlaced(mark: string, contents: Contents, run: Run): Promise<boolean> {
  const { places, ways } = await lookThrough(contents);
  const placed = placedOf(mark, places);
  if (placed === undefined) return false;
  for (const [at, place] of places.entries()) {
    const home = `/${showPath(place.path)}`;
    if (!(await wasPlaced(placed.marks[at]!, partOf(contents, place), home, run))) return false;
  }
  await setWays({ where: '', files: 0, bytes: 0, problems: [] }, placed.made, { contents, ways, numericOwners: false });
  return true;
}

function placedOf(mark: string, places: readonly Place[]): Placed | undefined {
  const placed = placedForm.safeParse(JSON.parse(mark)).data;
  return placed?.marks.length === places.length ? placed : undefined;
}

/** See `isBare` of source.ts. An empty one may have been empty. */
export async function anyIsBare(contents: Contents): Promise<boolean> {
  const { places } = await lookThrough(contents);
  const there = await Promise.all(places.map(({ path }) => exists(`/${path}`)));
  return !there.every(Boolean);
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

/** Makes the folders on the way that are not there. */
async function makeWay(place: Place, { ways, made }: Job): Promise<void> {
  // Nothing is made behind a link that another user put there.
  await realPlace(`/${showPath(place.path)}`);
  const onTheWay = [...ways.keys()].filter((way) => isInside(place.path, way)).sort((a, b) => a.length - b.length);
  for (const way of onTheWay) {
    if (await exists(`/${way}`)) continue;
    await fs.mkdir(onDisk(`/${way}`), { mode: 0o700 });
    made.push(way);
  }
}

async function setWays(
  restored: Restored,
  made: readonly BytePath[],
  { contents, ways, numericOwners }: { contents: Contents; ways: Job['ways']; numericOwners: boolean },
): Promise<Restored> {
  const owners = await ownersOf(contents, numericOwners);
  let all = restored;
  for (const way of made.toReversed()) {
    const metadata = ways.get(way);
    if (metadata === undefined || !(await exists(`/${way}`))) continue;
    using folder = holdFolder(`/${way}`);
    all = together(all, await setFolder(folder.path, way, metadata, owners));
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
