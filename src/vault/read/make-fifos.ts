import { execFile } from 'node:child_process';
import { chmodSync, lchownSync, lutimesSync } from 'node:fs';
import type { SpecialEntry } from '../../core/entry.ts';
import { type BytePath, toBytes } from '../../core/paths.ts';

export interface FifoToMake {
  readonly entry: SpecialEntry;
  readonly target: BytePath;
}

/**
 * Makes fifos, with their metadata. Node cannot; `mkfifo` is a part of every system, and takes names of any bytes through
 * `xargs`. None of them is ever opened.
 */
export async function makeFifos(fifos: readonly FifoToMake[], setOwner: boolean): Promise<void> {
  if (fifos.length === 0) return;
  await new Promise<void>((resolve, reject) => {
    const child = execFile('xargs', ['-0', 'mkfifo', '-m', '600', '--'], (error) =>
      error ? reject(error) : resolve(),
    );
    child.stdin?.once('error', () => {});
    child.stdin?.end(Buffer.concat(fifos.map(({ target }) => toBytes(`${target}\0`))));
  });
  for (const { entry, target } of fifos) {
    const at = toBytes(target);
    if (setOwner) lchownSync(at, entry.uid, entry.gid);
    chmodSync(at, entry.mode);
    const seconds = Number(entry.mtimeNs) / 1e9;
    lutimesSync(at, seconds, seconds);
  }
}
