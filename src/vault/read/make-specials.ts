import { execFile } from 'node:child_process';
import { lstatSync, type Stats } from 'node:fs';
import type { SpecialEntry } from '../../core/entry.ts';
import { type BytePath, toBytes } from '../../core/paths.ts';
import { removeHalf } from './refused.ts';

export interface SpecialToMake {
  readonly entry: SpecialEntry;
  readonly target: BytePath;
}

/**
 * Makes fifos and devices. Node cannot; `mkfifo` and `mknod` are a part of every system, and take names of any bytes through
 * `xargs`. None of them is ever opened. @returns those that could not be made
 */
export async function makeSpecials(all: readonly SpecialToMake[]): Promise<SpecialToMake[]> {
  // Of two names that are one here, the first is there already.
  const specials = all.filter(({ target }) => !isThere(target));
  const tried = new Set(specials);
  const fifos = specials.filter(({ entry }) => entry.type === 'fifo');
  const devices = specials.filter(({ entry }) => entry.type !== 'fifo');
  await each(
    ['mkfifo', '-m', '600', '--'],
    fifos.map(({ target }) => target),
  );
  await each(
    ['-n', '4', 'mknod', '-m', '600', '--'],
    devices.flatMap(({ entry, target }) => {
      const { major = 0, minor = 0 } = entry.device ?? {};
      return [target, entry.type === 'block-device' ? 'b' : 'c', String(major), String(minor)];
    }),
  );
  return all.filter((one) => !tried.has(one) || !isMade(one));
}

function isThere(target: BytePath): boolean {
  return look(target) !== undefined;
}

/** Some file systems refuse a fifo and leave a file all the same. */
function isMade({ entry, target }: SpecialToMake): boolean {
  const found = look(target);
  if (found === undefined) return false;
  const isRight = {
    fifo: found.isFIFO(),
    socket: false,
    'character-device': found.isCharacterDevice(),
    'block-device': found.isBlockDevice(),
  };
  if (!isRight[entry.type]) removeHalf(target);
  return isRight[entry.type];
}

function look(target: BytePath): Stats | undefined {
  try {
    return lstatSync(toBytes(target), { throwIfNoEntry: false });
  } catch {
    // A name that is too long, or none.
    return undefined;
  }
}

/** What it did is looked at afterwards: one that fails keeps no other from being made. */
async function each(words: readonly string[], texts: readonly BytePath[]): Promise<void> {
  if (texts.length === 0) return;
  await new Promise<void>((resolve) => {
    const child = execFile('xargs', ['-0', ...words], () => resolve());
    child.stdin?.once('error', () => {});
    child.stdin?.end(toBytes(texts.map((text) => `${text}\0`).join('')));
  });
}
