import { readFile } from 'node:fs/promises';

/**
 * Marks temporary things with the process that made them, so that the next run can tell the remains of a crash from the work
 * of a living process. The time of the process's start is part of it: in a container the same id comes back after a restart.
 */
export async function ownerTag(): Promise<string> {
  return `${process.pid}-${(await startOf(process.pid)) ?? 0}`;
}

/** The id of the process that `tag` names if it still lives, else undefined. */
export async function livingOwner(tag: string): Promise<number | undefined> {
  const [pid, started] = tag.split('-').map(Number);
  if (pid === undefined || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and is another user's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  const now = await startOf(pid);
  return now === undefined || now === started ? pid : undefined;
}

/** Clock ticks from the host's start to the process's; undefined where /proc does not tell. */
async function startOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  // The second field is the program's name in parentheses, and may hold anything.
  const value = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return value === undefined ? undefined : Number(value);
}
