import { open, stat, utimes } from 'node:fs/promises';
import type { Watch } from '../engine.ts';

const longAgo = new Date(0);

/** By the time of the last read, where the file system keeps it. */
export async function watchFile(outside: string): Promise<Watch> {
  const { mtime } = await stat(outside);
  const forget = () => utimes(outside, longAgo, mtime);
  const wasRead = async () => (await stat(outside)).atimeMs !== longAgo.getTime();
  await forget();
  {
    await using file = await open(outside, 'r');
    await file.read(Buffer.alloc(1), 0, 1, 0);
  }
  const isKept = await wasRead();
  await forget();
  return async () => (isKept ? wasRead() : undefined);
}
