import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { sentenceOf, whyOf } from '../core/errors.ts';
import { formatSize } from '../core/size.ts';
import { stateUnusable } from './errors.ts';
import { writeStateFile } from './state-file.ts';
import { inState } from './state-names.ts';

/**
 * What this machine keeps of a system: keys, caches, what ran. It belongs to a system in a vault, not to a file: a configuration that
 * was moved, a release folder for each deployment and a second configuration find the one that is there. docs/decisions/0027 says why.
 */

/** A destination as the state folder remembers it. */
export interface Place {
  /** The same text for the same place, whatever the configuration calls it. */
  readonly at: string;
  /** Where it is a folder of this machine: with every link followed. */
  readonly folder?: string;
}

interface Question {
  readonly system: string;
  /** The configuration's file, absolute, with every link followed. */
  readonly file: string;
  readonly places: readonly Place[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Note {
  readonly vault: string;
  readonly places: readonly string[];
}

/** Absolute; it need not exist. @throws `state-folder-unusable` where the environment names no place for it */
export function stateFolderOf(question: Question): string {
  const own = ownStateFolder(question);
  const { system, places, env } = question;
  const held = places.map((place) => ({ ...place, vault: place.folder && vaultAt(place.folder) }));
  const fits = (folder: string) => {
    const note = readNote(folder);
    if (note === undefined) return false;
    if (held.some(({ vault }) => vault === note.vault)) return true;
    return held.some(({ at, vault }) => vault === undefined && note.places.includes(at));
  };
  if (fits(own)) return own;
  const others = siblings(baseOf(env), system).filter((folder) => folder !== own && fits(folder));
  return others.sort((a, b) => usedMs(b) - usedMs(a))[0] ?? own;
}

/** That of this very file, whatever else is there: what came out of a vault takes over nothing of this machine's. */
export function ownStateFolder({ system, file, env }: Omit<Question, 'places'>): string {
  const id = createHash('sha256').update(file).digest('hex').slice(0, 8);
  return join(baseOf(env), `${system}-${id}`);
}

/** From now on configurations of the system that lead to this vault, or to one of these places, find this folder. */
export function noteState(folder: string, vault: string, places: readonly Place[]): void {
  writeStateFile(inState(folder, 'note'), { vault, places: places.map(({ at }) => at) });
}

/** @throws `state-folder-unusable` */
export function makeStateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw stateUnusable({ folder, why: whyOf(cause) }, { cause });
  }
}

/** The index of a first backup of some gigabytes fits in. */
const leastBytes = 8 * 1024 * 1024;
/** The files of a state folder and what SQLite keeps beside them. */
const leastInodes = 32;

/** Before work begins that would end in the middle. @throws `state-folder-unusable` */
export function refuseFullState(folder: string): void {
  makeStateFolder(folder);
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw stateUnusable({ folder, why: whyOf(cause) }, { cause });
  }
  const { bavail, bsize, files, ffree } = statfsSync(folder);
  // Some file systems count none.
  if (files > 0 && ffree < leastInodes) {
    throw stateUnusable({ folder, why: `its disk has room for ${ffree} more files, and ${leastInodes} are needed` });
  }
  if (bavail * bsize >= leastBytes) return;
  const why = `its disk is full: ${formatSize(bavail * bsize)} free, ${formatSize(leastBytes)} are needed`;
  throw stateUnusable({ folder, why });
}

/** SQLITE_PERM, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN: the disk's doing, and nobody else's. */
const diskCodes = new Set([3, 8, 10, 13, 14]);
const diskErrnos = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO']);

/** What is thrown for `error`, which came from a file in `folder`. */
export function ofState(folder: string, error: unknown): unknown {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown };
  const isDisk = diskCodes.has(Number(errcode ?? 0) & 0xff) || diskErrnos.has(String(code));
  return isDisk ? stateUnusable({ folder, why: sentenceOf(error) }, { cause: error }) : error;
}

/** The same object; what it throws that is the disk's doing says so. */
export function withinState<T extends object>(folder: string, object: T): T {
  return new Proxy(object, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (typeof found !== 'function') return found;
      return (...args: unknown[]) => orOfState(folder, () => Reflect.apply(found, target, args));
    },
  });
}

export function orOfState<T>(folder: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw ofState(folder, error);
  }
}

function baseOf(env: Question['env']): string {
  const given = env.LIFEBOAT_STATE_DIR;
  // Relative, it would be another one in every folder that the command is called in.
  if (given) return absolute(given, 'LIFEBOAT_STATE_DIR');
  if (process.getuid?.() === 0) return '/var/lib/lifeboat';
  const home = env.HOME ? absolute(env.HOME, 'HOME') : userInfo().homedir;
  return join(home, '.local/state/lifeboat');
}

function absolute(folder: string, name: string): string {
  if (isAbsolute(folder)) return folder;
  throw stateUnusable({ folder, why: `${name} is no absolute path` });
}

function siblings(base: string, system: string): string[] {
  const names = (() => {
    try {
      return readdirSync(base);
    } catch {
      return [];
    }
  })();
  const isOurs = (name: string) => name.startsWith(`${system}-`) && /^[0-9a-f]{8}$/.test(name.slice(system.length + 1));
  return names.filter(isOurs).map((name) => join(base, name));
}

function usedMs(folder: string): number {
  return statSync(inState(folder, 'note'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function readNote(folder: string): Note | undefined {
  try {
    const { vault, places } = JSON.parse(readFileSync(inState(folder, 'note'), 'utf8')) as Partial<Note>;
    const isNote = typeof vault === 'string' && Array.isArray(places);
    return isNote ? { vault, places: places.filter((one) => typeof one === 'string') } : undefined;
  } catch {
    // None, or none of ours: then the folder is found by its file alone.
    return undefined;
  }
}

const mostBytes = 4096;

/** The vault that a folder says it holds. Others may write there: no link is followed, nothing is waited for. */
function vaultAt(folder: string): string | undefined {
  try {
    const file = openSync(join(folder, 'vault.json'), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!fstatSync(file).isFile()) return undefined;
      const bytes = Buffer.alloc(mostBytes);
      const { vault } = JSON.parse(bytes.toString('utf8', 0, readSync(file, bytes))) as { vault?: unknown };
      return typeof vault === 'string' ? vault : undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}
