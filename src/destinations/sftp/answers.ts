import type { Stats } from 'ssh2';
import type { FolderEntry, Statvfs } from './session.ts';

/**
 * What the answers to requests must be. The protocol marks each with its kind, and the client hands over whatever comes: a server may
 * answer `done` where a file's size was asked for.
 */
export type Fits<T> = (answer: unknown) => answer is T;

export const isDone: Fits<undefined> = (answer) => answer === undefined;

export const isHandle: Fits<Buffer> = (answer) => Buffer.isBuffer(answer);

export function isCountUpTo(most: number): Fits<number> {
  return (answer): answer is number => Number.isSafeInteger(answer) && Number(answer) >= 0 && Number(answer) <= most;
}

/** A server may leave out what it likes. Of what we read, and of links, we need to know the size and the time; of a folder only that it is one. */
export const isStats: Fits<Stats> = (answer): answer is Stats => {
  const { mode, size, mtime } = Object(answer) as Partial<Stats>;
  const isKnown = [size, mtime].every((number) => typeof number === 'number');
  return typeof mode === 'number' && (isKnown || (answer as Stats).isDirectory());
};

export const isPage: Fits<FolderEntry[]> = (answer): answer is FolderEntry[] =>
  Array.isArray(answer) &&
  answer.every(({ filename, attrs }: Partial<FolderEntry>) => typeof filename === 'string' && isStats(attrs));

export const isStatvfs: Fits<Statvfs> = (answer): answer is Statvfs => {
  const { f_frsize, f_bavail, f_files, f_favail, f_flag } = Object(answer) as Partial<Statvfs>;
  return [f_frsize, f_bavail, f_files, f_favail, f_flag].every((number) => typeof number === 'number');
};
