import type { BigIntStats } from 'node:fs';
import { realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { backup, type DatabaseSync } from 'node:sqlite';
import type { Entry } from '../../core/entry.ts';
import { pathFromText } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import type { Capture } from '../source.ts';
import { copyIncomplete } from './errors.ts';
import { factsOf } from './facts.ts';
import { type Looked, lookInto } from './look.ts';
import { openSnapshot } from './open.ts';
import { makeWorkFolder } from './work-folder.ts';

/** Pages copied between two looks at the abort signal. */
const STEP_PAGES = 4096;

/**
 * Copies the database with SQLite's online backup inside *one* read transaction, so that it never starts over however much is
 * written meanwhile (Q21), and keeps every page in its place, so that unchanged pages are recognised (VACUUM INTO would move
 * them all). Writers are not blocked in WAL mode; with a rollback journal their commits wait while pages are copied, so
 * nothing else happens in that time (about 3 s a gigabyte). Rows are counted on the copy afterwards, in a thread, while the
 * vault reads it: the copy *is* the snapshot. That it is all of it is checked against page count and schema, read in the
 * source's own transaction. (The page at 1 GiB, which SQLite keeps for its locks, the backup leaves out by itself: Q10.)
 */
export async function captureSqlite(path: string, workFolder: string, run: Run): Promise<Capture> {
  const found = await stat(path, { bigint: true });
  using snapshot = await openSnapshot(path, run);
  const source = snapshot.database;
  const facts = factsOf(source, path);
  const sizeBytes = facts.pageSize * facts.pageCount;
  const folder = await makeWorkFolder(workFolder, sizeBytes);
  const copy = join(folder, 'copy.db');
  const stop = new AbortController();
  let looking: Promise<Looked> | undefined;
  try {
    if (facts.pageCount > 0) {
      await copyPages(source, copy, run);
      if (snapshot.withoutLocks) await demandUntouched(path, found);
      const copied = (await stat(copy)).size;
      if (copied !== sizeBytes) {
        throw copyIncomplete({ path, expected: `${sizeBytes} bytes`, actual: `${copied} bytes` });
      }
      const look = { path: copy, isCopy: true, integrity: 'quick', data: true } as const;
      looking = lookInto(look, AbortSignal.any([run.signal, stop.signal]));
      looking.catch(() => {});
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const expectedSchema = schemaCount(source);

  const entry: Entry = {
    type: 'file',
    path: pathFromText(basename(path)),
    mode: Number(found.mode & 0o7777n),
    uid: Number(found.uid),
    gid: Number(found.gid),
    mtimeNs: found.mtimeNs,
    sizeBytes,
    content:
      facts.pageCount === 0 ? { from: 'bytes', bytes: new Uint8Array() } : { from: 'file', file: pathFromText(copy) },
  };
  return {
    entries: (async function* () {
      yield entry;
    })(),
    async finish() {
      const looked = await looking;
      const problems: Problem[] = (looked?.integrity ?? [])
        .filter(({ ok }) => !ok)
        .map(({ detail }) => ({ code: 'sqlite-damaged', message: `${path} is damaged as it stands: ${detail}.` }));
      const expectations = looked?.data?.expectations ?? { algorithm: 'sqlite-rowtext-1', tables: [] };
      const { foreignKeys, definitions, notCompared = [] } = looked?.data ?? {};
      const schema = expectations.tables.find(({ table }) => table === 'sqlite_schema');
      if ((schema?.rows ?? 0) !== expectedSchema) {
        throw copyIncomplete({ path, expected: `${expectedSchema} objects`, actual: `${schema?.rows ?? 0}` });
      }
      for (const { table, reason } of notCompared) {
        const message = `The rows of ${table} are in the backup and could not be counted here (${reason}): no drill can compare them.`;
        problems.push({ code: 'sqlite-not-compared', message });
      }
      return {
        facts: {
          ...facts,
          folder: await folderOf(path),
          notCompared,
          ...(looked?.data && { foreignKeys, definitions }),
        },
        expectations,
        problems,
      };
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looking?.catch(() => {});
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * A database on a read-only file system is read without locks: there can be none. Whoever writes it through another mount has
 * changed it, or has a log beside it.
 */
async function demandUntouched(path: string, before: BigIntStats): Promise<void> {
  const now = await stat(path, { bigint: true });
  const log = await stat(`${path}-wal`).catch(() => undefined);
  if (now.mtimeNs === before.mtimeNs && now.size === before.size && log === undefined) return;
  throw copyIncomplete({ path, expected: 'nobody to write it on a read-only file system', actual: 'somebody who did' });
}

async function copyPages(source: DatabaseSync, copy: string, run: Run): Promise<void> {
  await backup(source, copy, {
    rate: STEP_PAGES,
    progress: ({ totalPages, remainingPages }) => {
      run.signal.throwIfAborted();
      run.progress({ label: 'pages', doneItems: totalPages - remainingPages, totalItems: totalPages });
    },
  });
  run.signal.throwIfAborted();
}

/** SQLite makes its journal beside the database: who writes to it must be let into its folder. */
async function folderOf(path: string): Promise<{ mode: number; uid: number; gid: number }> {
  const { mode, uid, gid } = await stat(dirname(await realpath(path)));
  return { mode: mode & 0o7777, uid, gid };
}

function schemaCount(database: DatabaseSync): number {
  return Number(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n);
}
