import { unlinkSync } from 'node:fs';
import { sentenceOf } from '../../core/errors.ts';
import { entryNotRestored } from '../../core/not-as-it-was.ts';
import { type BytePath, showPath, toBytes } from '../../core/paths.ts';
import type { Problem } from '../../core/run.ts';
import { targetFull } from '../errors.ts';

const badName = 'the file system here does not take its name';
const notAllowed = 'the file system or the account here does not allow it';

/** What ends one entry, and why, for people. Everything else (no room, a broken or read-only disk) ends the restore. */
const reasons: Readonly<Record<string, string>> = {
  EINVAL: badName,
  EILSEQ: badName,
  // Of FAT and exFAT, for letters and names that Windows keeps for itself.
  ENOENT: badName,
  ENAMETOOLONG: 'its name or its path is too long here',
  EEXIST: 'another name in its folder counts as the same here',
  EFBIG: 'it is larger than a file may be here',
  EMLINK: 'its folder holds too many',
  EPERM: notAllowed,
  EACCES: notAllowed,
  ENOTSUP: notAllowed,
  EOPNOTSUPP: notAllowed,
  ENOSYS: notAllowed,
};

const inRefused = 'what it is in could not be made';

/** Of one reason that are named one by one; further ones are counted. */
const NAMED = 100;

/** The code of an error that a file system, an account or a limit has against one entry; undefined for any other. */
export function refusalOf(error: unknown): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && Object.hasOwn(reasons, code) ? code : undefined;
}

/** Gathers what the target does not take. Everything else goes on. */
export function startRefused() {
  const paths = new Set<BytePath>();
  const counts = new Map<string, number>();
  const problems: Problem[] = [];

  function say(path: BytePath, why: string): void {
    paths.add(path);
    const count = (counts.get(why) ?? 0) + 1;
    counts.set(why, count);
    if (count > NAMED) return;
    problems.push({ code: entryNotRestored, message: `${showPath(path)} was not restored: ${why}.` });
  }

  return {
    /** `code` as `refusalOf` gave it. */
    add: (path: BytePath, code: string) => say(path, `${reasons[code]} (${code})`),
    addInside: (path: BytePath) => say(path, inRefused),
    has: (path: BytePath) => paths.has(path),
    problems(): Problem[] {
      const more = [...counts].filter(([, count]) => count > NAMED);
      return [
        ...problems,
        ...more.map(([why, count]) => ({
          code: entryNotRestored,
          message: `${count - NAMED} more were not restored: ${why}.`,
        })),
      ];
    },
  };
}

/** Undefined where it went well, else the refusal's code. @throws `target-full`, and all that is not about one entry */
export function attempt(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    const code = refusalOf(error);
    if (code !== undefined) return code;
    throw isFull(error) ? targetFull({ why: sentenceOf(error) }, { cause: error }) : error;
  }
}

/** What a refusal may have left. A name that the place does not take is not there either. */
export function removeHalf(file: BytePath): void {
  try {
    unlinkSync(toBytes(file));
  } catch {
    // It is named as refused whatever is there.
  }
}

export function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
}
