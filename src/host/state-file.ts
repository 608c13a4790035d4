import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeStateFolder } from './state-folder.ts';

/** Replaces a small file of the state folder at once and durably, readable by its owner only. */
export function writeStateFile(file: string, value: object): void {
  makeStateFolder(dirname(file));
  const handle = openSync(`${file}.new`, 'w', 0o600);
  try {
    writeFileSync(handle, `${JSON.stringify(value)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(`${file}.new`, file);
}
