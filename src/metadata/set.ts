import * as fs from 'node:fs';
import { type BytePath, showPath, toBytes } from '../core/paths.ts';
import type { Problem } from '../core/run.ts';
import { countOf } from '../core/size.ts';
import { groupBits, withIds } from './acl.ts';
import type { Owners } from './owners.ts';
import { flagsName, protecting } from './program.ts';
import { metadataPerl, packed, runProgram } from './run-program.ts';

export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970-01-01 UTC; may be negative. */
  readonly mtimeNs: bigint;
  readonly xattrs?: Readonly<Record<string, string>>;
}

export interface Target {
  /** Where it is now. Nobody else can put another thing there. */
  readonly place: BytePath;
  /** What it is called, and known by in a comparison; empty for the folder itself that is restored. */
  readonly path: BytePath;
  readonly isLink: boolean;
  readonly metadata: Metadata;
}

/** `owner`, `permissions`, `time`, or `xattr` and its name. */
export type What = string;

/** What a file system, an account or a missing tool did not take: a comparison knows of it already. */
export interface Unset {
  has(path: BytePath, what: What): boolean;
}

/** What either of two knows. */
export function eitherUnset(one: Unset | undefined, other: Unset): Unset {
  return { has: (path, what) => one?.has(path, what) === true || other.has(path, what) };
}

export interface MetadataSetter {
  /** Sets all that was recorded, in an order in which nothing undoes another. What cannot be set is a problem, never a failure. */
  set(targets: readonly Target[], signal?: AbortSignal): Promise<void>;
  /** One for each kind of thing that could not be set, with the first paths. */
  problems(): Problem[];
  readonly unset: Unset;
  /** Whether some of it shall be protected (`chattr +i`, `+a`): that comes last, by `protect`. */
  readonly held: boolean;
}

/** Paths that are named in one problem. */
const NAMED = 3;
/** Paths that are remembered one by one; beyond them a kind counts as unset everywhere. */
const REMEMBERED = 100_000;
const isRoot = process.geteuid?.() === 0;

/** `owners` says which numbers are whose here; only root can give files away. A copy for a look is not `protects`: it must go again. */
export async function openMetadataSetter(owners: Owners, protects = true): Promise<MetadataSetter> {
  const perl = await metadataPerl();
  let held = false;
  const unset = new Map<What, { why: Set<string>; paths: Set<BytePath>; count: number }>();
  /** What a copy for a look goes without. */
  const unprotected = new Set<BytePath>();
  let changedOwners = 0;

  function note({ path }: Target, what: What, why: string): void {
    if (what === 'owner' && !isRoot) {
      changedOwners++;
      return;
    }
    let known = unset.get(what);
    if (known === undefined) {
      known = { why: new Set(), paths: new Set(), count: 0 };
      unset.set(what, known);
    }
    if (known.paths.has(path)) return;
    known.count++;
    known.why.add(why);
    if (known.paths.size < REMEMBERED) known.paths.add(path);
  }

  /** Without what would forbid the rest. */
  function withoutProtection(target: Target): Target {
    const { [flagsName]: flags, ...xattrs } = target.metadata.xattrs ?? {};
    if (flags === undefined || perl === undefined) return target;
    const now = flags.replace(protecting, '');
    if (now !== flags) {
      if (!protects) unprotected.add(target.path);
      else if (isRoot) held = true;
      else note(target, `xattr ${flagsName}`, 'only root can');
    }
    const rest = { ...xattrs, ...(now !== '' && { [flagsName]: now }) };
    return { ...target, metadata: { ...target.metadata, xattrs: rest } };
  }

  function has(path: BytePath, what: What): boolean {
    if (what === `xattr ${flagsName}` && unprotected.has(path)) return true;
    const known = unset.get(what);
    return known !== undefined && (known.paths.has(path) || known.count > REMEMBERED);
  }

  return {
    unset: { has },
    get held() {
      return held;
    },
    async set(targets, signal) {
      if (targets.length === 0) return;
      const here = targets
        .map((target) => ({ ...target, metadata: whoseHere(target.metadata, owners) }))
        .map(withoutProtection);
      if (perl === undefined) for (const target of here) setPlainly(target, note);
      else {
        const { answers } = await runProgram(perl, [Buffer.from('s'), ...here.map(encoded)], signal);
        // Who is not root gives nothing away: that is no news of each entry.
        for (const { at, code = '', name } of answers) if (isRoot || name !== 'owner') note(here[at]!, name, code);
      }
      // A file system may take a time or a mode without a word and keep another.
      for (const target of here) for (const [what, why] of differences(target)) note(target, what, why);
    },
    problems() {
      const problems = [...unset].map(([what, { why, paths, count }]) => problemOf(what, { why, paths, count }));
      if (changedOwners > 0) {
        const message = `Owners were not set: only root can. ${countOf(changedOwners, 'entry belongs', 'entries belong')} to you.`;
        problems.push({ code: 'owner-not-set', message });
      }
      return [...problems, ...owners.problems()];
    },
  };
}

function problemOf(
  what: What,
  { why, paths, count }: { readonly why: Iterable<string>; readonly paths: Iterable<BytePath>; readonly count: number },
): Problem {
  const named = [...paths].slice(0, NAMED).map(shown).join(', ');
  const more = count > NAMED ? ` and ${count - NAMED} more` : '';
  const message = `The ${wordsOf(what)} of ${named}${more} could not be set: ${[...why].join(', ')}.`;
  return { code: 'metadata-not-set', message };
}

/** The same of one kind of thing that was set apart: path → why not. */
export function notSet(what: What, why: ReadonlyMap<BytePath, string>): { problems: Problem[]; unset: Unset } {
  const problem = problemOf(what, { why: new Set(why.values()), paths: why.keys(), count: why.size });
  return {
    problems: why.size === 0 ? [] : [problem],
    unset: { has: (path, asked) => asked === what && why.has(path) },
  };
}

function whoseHere(metadata: Metadata, owners: Owners): Metadata {
  const { uid, gid, xattrs } = metadata;
  const ids = { uid: owners.uid(uid), gid: owners.gid(gid) };
  return { ...metadata, ...ids, ...(xattrs !== undefined && { xattrs: withIds(xattrs, owners) }) };
}

function encoded({ place, isLink, metadata }: Target): Buffer {
  const { uid, gid, mode, mtimeNs, xattrs = {} } = metadata;
  const fixed = Buffer.alloc(36);
  const { seconds, nanoseconds } = timeOf(mtimeNs);
  const pairs = Object.entries(xattrs);
  [isLink ? 1 : 0, uid, gid, mode].forEach((value, at) => void fixed.writeUInt32BE(value, at * 4));
  fixed.writeBigInt64BE(seconds, 16);
  [nanoseconds, groupBits(xattrs), pairs.length].forEach((value, at) => void fixed.writeUInt32BE(value, 24 + at * 4));
  return Buffer.concat([packed(place), fixed, ...pairs.flat().map(packed)]);
}

/** As the kernel counts: nanoseconds go forward also before 1970. */
function timeOf(timeNs: bigint): { seconds: bigint; nanoseconds: number } {
  const nanoseconds = ((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: (timeNs - nanoseconds) / 1_000_000_000n, nanoseconds: Number(nanoseconds) };
}

const withoutPerl = 'perl is missing (apt-get install perl-base)';

/** Without the program: what Node can, and never more rights than were recorded. */
function setPlainly(target: Target, note: (target: Target, what: What, why: string) => void): void {
  const { place, isLink, metadata } = target;
  const at = toBytes(place);
  const attempt = (what: What, work: () => void) => {
    try {
      work();
    } catch (error) {
      note(target, what, (error as NodeJS.ErrnoException).code ?? String(error));
    }
  };
  for (const name of Object.keys(metadata.xattrs ?? {})) note(target, `xattr ${name}`, withoutPerl);
  if (isRoot) attempt('owner', () => fs.lchownSync(at, metadata.uid, metadata.gid));
  attempt('permissions', () => {
    const found = fs.lstatSync(at);
    let mode = metadata.mode & (~0o070 | (groupBits(metadata.xattrs) << 3));
    if (found.uid !== metadata.uid) mode &= ~0o4000;
    if (found.gid !== metadata.gid) mode &= ~0o2070 | ((mode & 7) << 3);
    if (!isLink) fs.chmodSync(at, mode & 0o7777);
  });
  // As text: Node takes a negative number for the time of day.
  const { seconds, nanoseconds } = timeOf(metadata.mtimeNs);
  const time = String(Number(seconds) + nanoseconds / 1e9);
  attempt('time', () => fs.lutimesSync(at, time, time));
}

function differences({ place, isLink, metadata }: Target): (readonly [What, string])[] {
  const found = fs.lstatSync(toBytes(place), { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return [];
  const { mode, uid, gid, mtimeNs } = metadata;
  const isOthers = Number(found.uid) !== uid || Number(found.gid) !== gid;
  const narrower = isOthers ? 'owner or group is another here, so it got fewer rights' : 'it has others here';
  return [
    ...(isOthers ? [['owner', 'it is another here'] as const] : []),
    ...(!isLink && Number(found.mode & 0o7777n) !== mode ? [['permissions', narrower] as const] : []),
    ...(found.mtimeNs !== mtimeNs ? [['time', 'it is another here'] as const] : []),
  ];
}

function shown(path: BytePath): string {
  return path === '' ? 'the folder itself' : showPath(path);
}

function wordsOf(what: What): string {
  if (what === `xattr ${flagsName}`) return 'flags (chattr)';
  return what.startsWith('xattr ') ? `attribute ${what.slice(6)}` : what;
}
