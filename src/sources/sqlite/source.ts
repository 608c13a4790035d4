import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { datasetUnreadable, datasetVanished, restoreInterrupted } from '../errors.ts';
import { keptOld } from '../exchange.ts';
import { codeOf } from '../file-system.ts';
import type { Inspection, Source } from '../source.ts';
import { captureSqlite } from './capture.ts';
import { dangersOf, lastWriterOf, networkProblems } from './dangers.ts';
import { compareDefinitions } from './definitions.ts';
import { compareHeader, factsOf } from './facts.ts';
import { compareFile } from './file.ts';
import { checkForeignKeys, recordedKeys } from './integrity.ts';
import { lookInto } from './look.ts';
import { openSnapshot } from './open.ts';
import { isAbsent, restoreSqlite, wasPlaced } from './restore.ts';
import { restoreTables } from './restore-tables.ts';
import { openSqliteSaboteur } from './sabotage.ts';

export interface SqliteOptions {
  readonly name: string;
  /** The database file, absolute. */
  readonly path: string;
  /** An existing folder with room for a copy of the database; the system's temporary folder when absent. */
  readonly workFolder?: string;
}

export function sqliteSource(options: SqliteOptions): Source {
  const path = resolve(options.path);
  const workFolder = options.workFolder ?? tmpdir();
  return {
    kind: 'sqlite',
    profile: 'pages',
    location: path,
    hostPaths: [path],
    inspect: (run) => inspectSqlite(path, run),
    async capture(run) {
      await findFile(path);
      return captureSqlite(path, workFolder, run);
    },
    restore: (contents, target, run) =>
      target.only.length === 0
        ? restoreSqlite(contents, target, path, run)
        : restoreTables(contents, target, { home: path, workFolder }, run),
    wasPlaced: (mark, contents) => wasPlaced(mark, contents, path),
    isBare: (contents) => isAbsent(contents, path),
    async measure(where, expected, run, contents, unset) {
      const file = contents === undefined ? [] : [await compareFile(where, contents, unset)];
      if ((await stat(where)).size === 0) {
        return { actual: { algorithm: expected.algorithm, tables: [] }, integrity: file };
      }
      const look = { path: where, isCopy: false, integrity: 'full', data: true } as const;
      const looked = await lookInto(look, run.signal).catch((error: unknown) => {
        // What lies beside it may be why it cannot be read.
        if (run.signal.aborted || file.every(({ ok }) => ok)) throw error;
        return undefined;
      });
      if (looked === undefined) return { actual: { algorithm: expected.algorithm, tables: [] }, integrity: file };
      const { integrity, data } = looked;
      if (data === undefined) throw new Error('asked for rows, got none');
      const references = checkForeignKeys(data.foreignKeys, recordedKeys(contents?.facts));
      const { facts = {} } = contents ?? {};
      const compared = [...compareDefinitions(data.definitions, facts), ...compareHeader(data.facts, facts)];
      return { actual: data.expectations, integrity: [...file, ...integrity, references, ...compared] };
    },
    openSaboteur: (where, run) => openSqliteSaboteur(where, run),
  };
}

/** @throws `dataset-vanished`, `dataset-unreadable`, `restore-interrupted`, `sqlite-…` */
async function inspectSqlite(path: string, run: Run): Promise<Inspection> {
  const sizeBytes = await findFile(path);
  using snapshot = await openSnapshot(path, run);
  const { database } = snapshot;
  const facts = factsOf(database, path);
  const version = String(database.prepare('SELECT sqlite_version() AS v').get()?.v);
  const writer = await lastWriterOf(path, run.signal);
  const problems = [
    ...dangersOf({ path, version, writer, journalMode: facts.journalMode }),
    ...(await networkProblems(path)),
  ];
  const versions = { sqlite: version, journal_mode: facts.journalMode, ...(writer && { last_writer: writer }) };
  return { versions, sizeBytes, problems };
}

async function findFile(path: string): Promise<number> {
  const found = await stat(path).catch(async (error: unknown) => {
    const old = await keptOld(path);
    if (old !== undefined) throw restoreInterrupted({ target: path, old });
    const code = codeOf(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      throw datasetUnreadable({ path, why: sentenceOf(error) }, { cause: error });
    throw datasetVanished({ path, why: 'does not exist' }, { cause: error });
  });
  if (!found.isFile()) throw datasetUnreadable({ path, why: 'it is no file' });
  return found.size;
}
