import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, chown, lstat, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Run } from '../../core/run.ts';
import { runCommand } from '../../process/run.ts';
import type { Aimed, NotTried, Sabotage, Saboteur } from '../sabotage.ts';
import { type Target, type Way, ways } from './sabotage-ways.ts';
import type { Strike } from './strike.worker.ts';
import { inThread } from './thread.ts';

/** What SQLite and the system have beside the database itself. */
const aroundFile: readonly (Omit<Sabotage, 'aim'> & {
  readonly ending: string;
  readonly reason?: string;
  readonly strike: (path: string) => Promise<void>;
})[] = [
  { name: 'a journal lies beside it', harm: 'storage', ending: '-journal', strike: (path) => leave(`${path}-journal`) },
  { name: 'a log lies beside it', harm: 'storage', ending: '-wal', strike: (path) => leave(`${path}-wal`) },
  {
    ...{ name: 'the file has other permissions', harm: 'storage', ending: '' },
    strike: async (path) => chmod(path, ((await lstat(path)).mode & 0o7777) ^ 0o044),
  },
  {
    ...{ name: 'the file belongs to another user', harm: 'storage', ending: '' },
    ...(process.geteuid?.() !== 0 && { reason: 'only root can give files away' }),
    strike: async (path) => chown(path, (await lstat(path)).uid + 1, -1),
  },
];

/** As a program that was killed leaves one. */
function leave(path: string): Promise<void> {
  return writeFile(path, Buffer.concat([Buffer.from('d9d505f920a163d7', 'hex'), Buffer.alloc(1016, 1)]));
}

/** Breaks copies of the restored database, each made anew from it. */
export async function openSqliteSaboteur(where: string, run: Run): Promise<Saboteur> {
  const folder = join(dirname(where), `sabotage-${basename(where)}`);
  await mkdir(folder, { mode: 0o700 });
  const place = { where, broken: join(folder, basename(where)), folder, run };
  const ofDatabase = ways.map((way): Sabotage => ({ name: way.name, harm: way.harm, aim: () => aim(place, way) }));
  const around = aroundFile.map(({ name, harm, ending, reason, strike }): Sabotage => {
    const what = basename(where) + ending;
    const target = { names: [what], what, strike: () => strike(place.broken) };
    return { name, harm, aim: async () => (reason === undefined ? copied(place, target) : { reason }) };
  });
  return {
    sabotages: [...ofDatabase, ...around],
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

interface Place {
  readonly where: string;
  readonly folder: string;
  /** Where the copy is that is broken. */
  readonly broken: string;
  readonly run: Run;
}

async function aim(place: Place, way: Way): Promise<Aimed | NotTried> {
  const { broken, run } = place;
  if ((await lstat(place.where)).size === 0) return { reason: 'the file is empty' };
  await copy(place);
  const ask = <Answer>(strike: Omit<Strike, 'path'>) =>
    inThread<Answer>(new URL('./strike.worker.ts', import.meta.url), { path: broken, ...strike }, run.signal);
  const found = await ask<Target[]>({ sql: [`${way.find} LIMIT 100`], how: 'ask' });
  if (found.length === 0) return { reason: way.absent };
  const sql = found.map(({ strike }) => strike);
  const first = way.isUntried ? 0 : await ask<number>({ sql, how: 'try' });
  const target = found[first];
  if (target === undefined) return { reason: `${way.absent} that could be hurt like this` };
  const { name, what, at = 0, count = 0 } = target;
  const act = async () => {
    if (target.strike === 'overwrite') await overwrite(broken, at, count);
    else if (target.strike === 'truncate') await truncate(broken, at);
    else await ask<true>({ sql: [target.strike], how: 'do' });
  };
  return copied(place, { names: [name], what, strike: act });
}

async function copied(place: Place, target: Pick<Aimed, 'names' | 'what' | 'strike'>): Promise<Aimed> {
  await copy(place);
  return {
    ...target,
    where: place.broken,
    look: () => look(place),
    [Symbol.asyncDispose]: () => clear(place),
  };
}

/** With owner, rights and time, and as cheaply as the file system can. */
async function copy(place: Place): Promise<void> {
  await clear(place);
  await runCommand('cp', ['-a', '--reflink=auto', place.where, place.broken], { signal: place.run.signal });
}

async function clear({ folder }: Place): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name));
}

/** Bytes, names beside it and metadata; not the counter of changes, which a change of nothing raises too. */
async function look({ folder }: Place): Promise<string> {
  const seen = createHash('sha256');
  for (const name of (await readdir(folder)).filter((one) => !one.endsWith('-shm')).sort()) {
    const { mode, uid, gid, size } = await lstat(join(folder, name));
    seen.update(JSON.stringify([name, mode, uid, gid, size]));
    let at = 0;
    for await (const bytes of createReadStream(join(folder, name)) as AsyncIterable<Buffer>) {
      if (at === 0) for (const [start, end] of counters) bytes.fill(0, start, Math.min(end, bytes.length));
      seen.update(bytes);
      at += bytes.length;
    }
  }
  return seen.digest('hex');
}

const counters = [
  [24, 28],
  [92, 100],
] as const;

async function overwrite(path: string, at: number, count: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(Buffer.alloc(count, 'lifeboat'), 0, count, at);
}

async function truncate(path: string, sizeBytes: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.truncate(sizeBytes);
}
