import { lstat } from 'node:fs/promises';
import { type BytePath, toBytes } from '../core/paths.ts';

/** A path for node:fs: a string where that means the same bytes (it is faster), else the bytes. */
export function onDisk(path: BytePath): string | Buffer {
  return /[\x80-\xff]/.test(path) ? toBytes(path) : path;
}

export async function exists(path: BytePath): Promise<boolean> {
  return lstat(onDisk(path)).then(
    () => true,
    (error: unknown) => {
      if (isGone(error)) return false;
      throw error;
    },
  );
}

export function isGone(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

export function parentOf(path: BytePath): BytePath {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

export function nameOf(path: BytePath): BytePath {
  return path.slice(path.lastIndexOf('/') + 1);
}
