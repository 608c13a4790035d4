import { lstat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Unset } from '../../metadata/set.ts';
import type { Contents, Measurement } from '../source.ts';
import { databaseOf } from './restore.ts';

/** Whether the file is whose it was, and nothing lies beside it that SQLite would apply to it. */
export async function compareFile(
  path: string,
  contents: Contents,
  unset: Unset | undefined,
): Promise<Measurement['integrity'][number]> {
  const entry = await databaseOf(contents);
  const found = await lstat(path);
  const expected = (what: string) => unset?.has(entry.path, what) !== true;
  const name = basename(path);
  const others: string[] = [];
  const owned = found.uid === entry.uid && found.gid === entry.gid;
  if (process.geteuid?.() === 0 && !owned && expected('owner')) others.push(`${name} belongs to another user or group`);
  if ((found.mode & 0o7777) !== entry.mode && expected('permissions')) others.push(`${name} has other permissions`);
  for (const ending of ['-journal', '-wal']) {
    const beside = await lstat(path + ending).catch(() => undefined);
    if ((beside?.size ?? 0) > 0) others.push(`${name}${ending} lies beside it, of another database or another time`);
  }
  return { name: 'file', ok: others.length === 0, looked: 1, detail: others.join('; ') || 'as recorded' };
}
