import { realpathSync } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type BytePath, comparePaths, pathFromText } from '../../core/paths.ts';
import type { Problem } from '../../core/run.ts';
import { datasetUnreadable, datasetVanished, restoreInterrupted } from '../errors.ts';
import { keptOld, refuseHalfExchanged } from '../exchange.ts';
import { codeOf } from '../file-system.ts';
import type { Contents, Inspection, Source } from '../source.ts';
import { captureFiles } from './capture.ts';
import { defaultExcludes } from './default-excludes.ts';
import { compileExcludes, type ExcludeRule } from './excludes.ts';
import { holdsOnly } from './holds-only.ts';
import type { CaptureRule } from './left-out.ts';
import { measureFiles } from './measure.ts';
import { expectedMounts, mountPoints } from './mounts.ts';
import { type Link, leadsOut } from './outward-links.ts';
import { anyIsBare, placesHoldOnly, placesOf, placesText, restorePlaces, werePlaced } from './places.ts';
import { isBare, restoreFiles, wasPlaced } from './restore.ts';
import { openFilesSaboteur } from './sabotage.ts';

export interface FilesOptions {
  readonly name: string;
  /** A folder or a single file, absolute. A symbolic link is followed. `/` where there are several places. */
  readonly path: string;
  /** Folders and files, absolute, none inside another and none behind a link. */
  readonly places?: readonly string[];
  readonly exclude: readonly ExcludeRule[];
  readonly defaultExcludes: boolean;
  readonly oneFileSystem: boolean;
  readonly xattrs: boolean;
  /** Paths that other datasets bring back. */
  readonly elsewhere?: readonly string[];
}

/** @throws `exclude-invalid` */
export function filesSource(options: FilesOptions): Source {
  const path = resolve(options.path);
  const paths = options.places?.map((place) => resolve(place)) ?? [path];
  /** One that was configured otherwise then goes back to where it was then. */
  const homeOf = ({ facts }: Contents) =>
    options.places === undefined || typeof facts.path !== 'string' ? path : facts.path;
  const rules: CaptureRule[] = [
    ...options.exclude.map((rule) => ({ pattern: rule.pattern, reason: rule.reason, isDefault: false })),
    ...(options.defaultExcludes ? defaultExcludes.map((rule) => ({ ...rule, isDefault: true })) : []),
  ];
  compileExcludes(rules);
  return {
    kind: 'files',
    profile: 'files',
    location: placesText(paths),
    hostPaths: paths,
    inspect: () => inspectAll(options, paths),
    async capture(run, leftOutBefore) {
      await inspectAll(options, paths);
      const real: BytePath = realpathSync.native(path, { encoding: 'latin1' });
      const isFolder = (await stat(path)).isDirectory();
      const split = real.lastIndexOf('/');
      const where = isFolder ? { root: real } : { root: real.slice(0, split), only: real.slice(split + 1) };
      const { oneFileSystem, xattrs, defaultExcludes: cacheFolders, elsewhere = [] } = options;
      const how = { rules: isFolder ? rules : [], cacheFolders, oneFileSystem, xattrs, elsewhere };
      const before = leftOutBefore === undefined ? {} : { leftOutBefore };
      const places = options.places && {
        places: paths.map((place) => pathFromText(place.slice(1))).sort(comparePaths),
      };
      return captureFiles({ path, ...where, ...places, ...how, ...before }, run);
    },
    restore: (contents, target, run) =>
      isOfPlaces(contents) && target.into === undefined
        ? restorePlaces(contents, target, run)
        : restoreFiles(contents, target, homeOf(contents), run),
    holdsOnly: (contents, run) =>
      isOfPlaces(contents) ? placesHoldOnly(contents, run) : holdsOnly(homeOf(contents), contents, run),
    wasPlaced: (mark, contents, run) =>
      isOfPlaces(contents) ? werePlaced(mark, contents, run) : wasPlaced(mark, contents, homeOf(contents), run),
    isBare: (contents) => (isOfPlaces(contents) ? anyIsBare(contents) : isBare(homeOf(contents))),
    measure(where, expected, run, contents, unset) {
      const home = pathFromText(contents === undefined ? path : homeOf(contents));
      const real = typeof contents?.facts.realPath === 'string' ? [contents.facts.realPath] : [];
      const homes = [home, ...real, ...paths.map(pathFromText), ...(options.elsewhere ?? []).map(pathFromText)];
      const outward = (link: Link) => leadsOut(real[0] ?? home, link, homes);
      return measureFiles(where, expected, run, contents, unset, outward);
    },
    openSaboteur: openFilesSaboteur,
  };
}

const isOfPlaces = (contents: Contents) => placesOf(contents).length > 0;

/** @throws as `inspectFiles`, for the first place of which that is true */
async function inspectAll({ places }: FilesOptions, paths: readonly string[]): Promise<Inspection> {
  const problems: Problem[] = [];
  for (const path of paths) {
    problems.push(...(await inspectFiles(path)).problems);
    const real = places === undefined ? path : realpathSync(path);
    // What lies there would be kept under another path than the one that was named.
    if (real !== path) throw datasetUnreadable({ path, why: `a link leads from there to ${real}: name that instead` });
  }
  return { versions: {}, problems };
}

/** @throws `dataset-vanished`, `dataset-unreadable`, `restore-interrupted` */
async function inspectFiles(path: string): Promise<Inspection> {
  const problems: Problem[] = [];
  const found = await stat(path).catch(async (error: unknown) => {
    const code = codeOf(error);
    if (code === 'EACCES' || code === 'ELOOP') throw datasetUnreadable({ path, why: code }, { cause: error });
    const old = await keptOld(path);
    if (old !== undefined) throw restoreInterrupted({ target: path, old });
    throw datasetVanished({ path, why: code === 'ENOENT' ? 'does not exist' : `is gone (${code})` }, { cause: error });
  });
  if (found.isFile()) return { versions: {}, sizeBytes: found.size, problems };
  if (!found.isDirectory()) throw datasetUnreadable({ path, why: 'it is neither a folder nor a file' });
  await refuseUnmounted(path);
  await refuseHalfExchanged(pathFromText(path));
  try {
    await using folder = await opendir(path);
    if ((await folder.read()) === null) {
      problems.push({ code: 'folder-empty', message: `${path} is empty. If it should not be: is its disk mounted?` });
    }
  } catch (error) {
    throw datasetUnreadable({ path, why: codeOf(error) }, { cause: error });
  }
  return { versions: {}, problems };
}

/** A folder whose disk is not mounted looks like an empty folder; a backup of it would look like a good one. */
async function refuseUnmounted(path: string): Promise<void> {
  const [expected, mounted] = await Promise.all([expectedMounts(), mountPoints()]);
  if (mounted.size === 0) return;
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    if (!expected.has(at) || mounted.has(at)) continue;
    const what = at === path ? 'is not mounted' : `lies on ${at}, which is not mounted`;
    throw datasetVanished({ path, why: `${what}, though /etc/fstab names it` });
  }
}
