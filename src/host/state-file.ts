import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { livingProcess, ourTag } from './identity.ts';
import { makeStateFolder } from './state-folder.ts';

/** Replaces a small file of the state folder. */
export function writeStateFile(file: string, value: object): void {
  replaceStateFile(file, Buffer.from(`${JSON.stringify(value)}\n`));
}

/**
 * Replaces a file of the state folder at once and durably, readable by its owner only. Two processes that write it side by side do not
 * meet: each has a name of its own until it is done, and the next removes what one that was killed, or had no room, has left.
 */
export function replaceStateFile(file: string, bytes: Uint8Array): void {
  makeStateFolder(dirname(file));
  removeLeftovers(file);
  const beside = `${file}.new-${ourTag()}`;
  const handle = openSync(beside, 'w', 0o600);
  try {
    writeFileSync(handle, bytes);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(beside, file);
}

function removeLeftovers(file: string): void {
  const start = `${basename(file)}.new-`;
  for (const name of readdirSync(dirname(file))) {
    if (!name.startsWith(start) || livingProcess(name.slice(start.length)) !== undefined) continue;
    rmSync(join(dirname(file), name), { force: true });
  }
}
