import { execFile } from 'node:child_process';
import { lstatSync } from 'node:fs';
import type { SpecialEntry } from '../../core/entry.ts';
import { type BytePath, toBytes } from '../../core/paths.ts';

export interface SpecialToMake {
  readonly entry: SpecialEntry;
  readonly target: BytePath;
}

/**
 * Makes fifos and devices. Node cannot; `mkfifo` and `mknod` are a part of every system, and take names of any bytes through
 * `xargs`. None of them is ever opened. @returns those that could not be made
 */
export async function makeSpecials(specials: readonly SpecialToMake[]): Promise<SpecialToMake[]> {
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
  return specials.filter(({ target }) => lstatSync(toBytes(target), { throwIfNoEntry: false }) === undefined);
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
