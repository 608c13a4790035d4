import { createHash, randomBytes } from 'node:crypto';
import { readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { livingProcess, ourTag } from '../host/identity.ts';

/**
 * Where objects are written before they get their name, in destinations that are folders. Its dot keeps it out of every key.
 * It is also the mark that a folder is a destination and not the empty mount point of a disk that is not there.
 */
export const incomingName = '.incoming';

/** A new name that tells later who was writing: `<host>-<pid>-<start>-<random>`. */
export async function incomingFile(): Promise<string> {
  return `${await thisHost()}-${ourTag()}-${randomBytes(8).toString('hex')}`;
}

const day = 24 * 60 * 60_000;

/** Exactly what `incomingFile` makes: what has another name is not ours to remove. */
const ourName = /^(?<host>[0-9a-f]{12})-(?<owner>\d{1,10}-[0-9a-z]{1,40})-[0-9a-f]{16}$/;

/** Whether the writer of a half-written object is gone. Of another host's writers only time tells: after a day. */
export async function isLeftover(name: string, nowMs: number, modifiedMs: number): Promise<boolean> {
  const { host, owner } = ourName.exec(name)?.groups ?? {};
  if (host === undefined || owner === undefined) return false;
  if (host === (await thisHost())) return livingProcess(owner) === undefined;
  return nowMs - modifiedMs > day;
}

let found: Promise<string> | undefined;

/** Process ids mean something only in one PID namespace of one host. */
function thisHost(): Promise<string> {
  found ??= readlink('/proc/self/ns/pid')
    .catch(() => '')
    .then((namespace) => createHash('sha256').update(`${hostname()} ${namespace}`).digest('hex').slice(0, 12));
  return found;
}
