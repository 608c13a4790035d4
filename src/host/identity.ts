import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** One process of this machine, told from every other that had or will have its number: in a container the same one comes back each time. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Letters and digits, the same for as long as the process runs; `hiddenStart` where the system does not tell. */
  readonly start: string;
}

/** Another user's process, where the system shows only one's own. A living one is taken for whoever had its number. */
const hiddenStart = 'unknown';

let ours: ProcessIdentity | undefined;

export function ourIdentity(): ProcessIdentity {
  ours ??= { pid: process.pid, start: startOf(process.pid) ?? hiddenStart };
  return ours;
}

/** Whether that very process still runs. One that has ended and was not waited for yet does not: it holds nothing any more. */
export function isAlive({ pid, start }: ProcessIdentity): boolean {
  const now = startOf(pid);
  return now !== undefined && (now === start || now === hiddenStart || start === hiddenStart);
}

/** For a file's name or a row of a table: `<pid>-<start>`. */
export function ourTag(): string {
  const { pid, start } = ourIdentity();
  return `${pid}-${start}`;
}

const tagForm = /^(?<pid>[1-9]\d{0,9})-(?<start>[0-9a-z]{1,40})$/;

/** The number of the process that `tag` names, if it still runs. What is no tag names none. */
export function livingProcess(tag: string): number | undefined {
  const { pid, start } = tagForm.exec(tag)?.groups ?? {};
  if (pid === undefined || start === undefined) return undefined;
  return isAlive({ pid: Number(pid), start }) ? Number(pid) : undefined;
}

/** Undefined when no such process runs. */
function startOf(pid: number): string | undefined {
  if (!isThere(pid)) return undefined;
  return process.platform === 'linux' ? linuxStart(pid) : psStart(pid);
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, and is another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function linuxStart(pid: number): string | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  if (stat === undefined) return isThere(pid) ? hiddenStart : undefined;
  // The name, in parentheses, may hold anything; what follows its last parenthesis is regular.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  // Ticks since the machine started: after the next start the same ones come again.
  return `${fields[19]}b${bootOf()}`;
}

function bootOf(): string {
  return (
    textOf('/proc/sys/kernel/random/boot_id')
      ?.replaceAll(/[^0-9a-f]/g, '')
      .slice(0, 8) ?? ''
  );
}

function psStart(pid: number): string | undefined {
  try {
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return createHash('sha256').update(started).digest('hex').slice(0, 16);
  } catch {
    return isThere(pid) ? hiddenStart : undefined;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}
