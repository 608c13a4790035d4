import * as fs from 'node:fs';
import type { Entry } from '../../core/entry.ts';
import { type BytePath, toBytes } from '../../core/paths.ts';

/** What the file system says of anything but its content or target. */
export function entryOf(path: BytePath, found: fs.BigIntStats) {
  return {
    type: typeOf(found),
    path,
    mode: Number(found.mode & 0o7777n),
    uid: Number(found.uid),
    gid: Number(found.gid),
    mtimeNs: found.mtimeNs,
    ...((found.isCharacterDevice() || found.isBlockDevice()) && { device: deviceOf(found.rdev) }),
  };
}

function typeOf(found: fs.BigIntStats): Entry['type'] {
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'folder';
  if (found.isSymbolicLink()) return 'symlink';
  if (found.isFIFO()) return 'fifo';
  if (found.isSocket()) return 'socket';
  return found.isBlockDevice() ? 'block-device' : 'character-device';
}

/** How Linux packs a device's two numbers into one. */
function deviceOf(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

const uid = process.geteuid?.() ?? 0;
const groups = new Set([process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])]);

/** Whether we may read a file, without a system call where its bits say yes. */
export function permits(file: BytePath, found: fs.BigIntStats): boolean {
  if (uid === 0) return true;
  const mode = Number(found.mode);
  const bit = Number(found.uid) === uid ? 0o400 : groups.has(Number(found.gid)) ? 0o040 : 0o004;
  if ((mode & bit) !== 0) return true;
  try {
    // An ACL may allow what the bits do not.
    fs.accessSync(toBytes(file), fs.constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
