import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Clock, RandomBytes } from '../core/clock.ts';
import { sentenceOf } from '../core/errors.ts';
import type { Problem } from '../core/run.ts';
import { newUlid } from '../core/ulid.ts';
import { livingProcess, ourTag } from '../host/identity.ts';
import { withinState } from '../host/state-folder.ts';
import { inState } from '../host/state-names.ts';
import type {
  BegunRun,
  Catalog,
  DestinationHealth,
  EndedRun,
  Rotation,
  RunRecord,
  SeenDestination,
  VerifiedPart,
} from './catalog.ts';
import { catalogUnavailable } from './errors.ts';
import { catalogAdditions, catalogSchema, catalogVersion } from './schema.ts';

export interface CatalogOptions {
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** History is bounded: this many runs are kept, and as many problems of one run. */
const keptRuns = 10_000;
const keptProblems = 1000;
const busyTimeoutMs = 10_000;

/**
 * Opens `catalog.sqlite` in `stateDir`, both made when absent. One that is damaged or of another version is moved aside.
 * @throws `catalog-unavailable` when the folder cannot be written
 */
export function openCatalog(stateDir: string, options: CatalogOptions): Catalog {
  const file = inState(stateDir, 'catalog');
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    let recovered: Problem | undefined;
    let database: DatabaseSync;
    try {
      database = openDatabase(file);
    } catch (error) {
      if (!existsSync(file) || !isUnusable(error)) throw error;
      recovered = moveAside(file, sentenceOf(error), options.clock.now());
      database = openDatabase(file);
    }
    return withinState(stateDir, catalogOver(database, options, recovered));
  } catch (cause) {
    throw catalogUnavailable({ file, why: sentenceOf(cause) }, { cause });
  }
}

class OtherVersion extends Error {}

/** SQLITE_CORRUPT and SQLITE_NOTADB. Anything else (a full disk, no permission, busy) says nothing about the file. */
function isUnusable(error: unknown): boolean {
  if (error instanceof OtherVersion) return true;
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  return code === 11 || code === 26;
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: busyTimeoutMs });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; BEGIN IMMEDIATE');
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
    const tables = Number(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n);
    if (version === 0 && tables === 0) database.exec(`${catalogSchema}PRAGMA user_version = ${catalogVersion};`);
    else if (version !== catalogVersion)
      throw new OtherVersion(`it has version ${version}, this needs ${catalogVersion}`);
    database.exec(`${catalogAdditions}COMMIT`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function moveAside(file: string, why: string, nowMs: number): Problem {
  const aside = `${file}.aside-${new Date(nowMs).toISOString().replace(/[:.]/g, '')}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
  }
  const message = `The catalog could not be used (${why}). It was moved to ${aside}, and a new one begun. Backups are not affected.`;
  return { code: 'catalog-moved-aside', message };
}

function catalogOver(database: DatabaseSync, options: CatalogOptions, recovered: Problem | undefined): Catalog {
  const { clock, random } = options;
  const together = (work: () => void) => {
    database.exec('BEGIN IMMEDIATE');
    try {
      work();
      database.exec('COMMIT');
    } catch (error) {
      // After a full disk SQLite has done so itself.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };

  return {
    ...(recovered && { recovered }),
    begin(run: BegunRun) {
      const id = newUlid(clock.now(), random);
      together(() => {
        database
          .prepare('INSERT INTO run (id, operation, dataset, started_ms, process) VALUES (?, ?, ?, ?, ?)')
          .run(id, run.operation, run.dataset ?? null, Math.round(run.startedMs), ourTag());
        database
          .prepare('DELETE FROM run WHERE id IN (SELECT id FROM run ORDER BY started_ms DESC LIMIT -1 OFFSET ?)')
          .run(keptRuns);
      });
      return id;
    },
    end(id: string, run: EndedRun) {
      together(() => {
        database
          .prepare(
            'UPDATE run SET ended_ms = ?, outcome = ?, error_code = ?, error_message = ?, restore_point = ? WHERE id = ?',
          )
          .run(
            Math.round(run.endedMs),
            run.outcome,
            run.errorCode ?? null,
            run.errorMessage ?? null,
            run.restorePoint ?? null,
            id,
          );
        const step = database.prepare('INSERT INTO step VALUES (?, ?, ?, ?)');
        for (const [at, { step: name, elapsedMs }] of run.steps.entries()) step.run(id, at, name, elapsedMs);
        const problem = database.prepare('INSERT INTO problem VALUES (?, ?, ?, ?)');
        for (const [at, { code, message }] of run.problems.slice(0, keptProblems).entries()) {
          problem.run(id, at, code, message);
        }
      });
    },
    runs({ operation, dataset, limit = 100 } = {}) {
      const rows = database
        .prepare(
          `SELECT * FROM run WHERE (?1 IS NULL OR operation = ?1) AND (?2 IS NULL OR dataset = ?2)
           ORDER BY started_ms DESC, id DESC LIMIT ?3`,
        )
        .all(operation ?? null, dataset ?? null, limit);
      return rows.map((row) => runRecord(database, row));
    },
    verified({ vault, part, parts, verifiedMs, ok }: VerifiedPart) {
      database
        .prepare('INSERT OR REPLACE INTO verified (vault, parts, part, verified_ms, ok) VALUES (?, ?, ?, ?, ?)')
        .run(vault, parts, part, Math.round(verifiedMs), ok ? 1 : 0);
    },
    nextPart(vault, parts) {
      const seen = new Map(partsOf(database, vault, parts).map((row) => [row.part, row.verifiedMs]));
      const all = Array.from({ length: parts }, (_, index) => index + 1);
      return all.reduce((best, part) => ((seen.get(part) ?? -1) < (seen.get(best) ?? -1) ? part : best), 1);
    },
    rotation(vault): Rotation | undefined {
      const newest = database
        .prepare('SELECT parts FROM verified WHERE vault = ? ORDER BY verified_ms DESC LIMIT 1')
        .get(vault);
      if (newest === undefined) return undefined;
      const parts = Number(newest.parts);
      const rows = partsOf(database, vault, parts);
      const damaged = rows.filter((row) => !row.ok).map((row) => row.part);
      const whole = rows.length === parts;
      return {
        sound: rows.length - damaged.length,
        damaged,
        parts,
        ...(whole && { completeSinceMs: Math.min(...rows.map((row) => row.verifiedMs)) }),
      };
    },
    noteDestination({ name, seenMs, trouble }: SeenDestination) {
      const at = Math.round(seenMs);
      database
        .prepare(
          `INSERT INTO destination (name, seen_ms, good_ms, code, message, since_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
           ON CONFLICT (name) DO UPDATE SET seen_ms = ?2, good_ms = coalesce(?3, good_ms), code = ?4, message = ?5,
           since_ms = CASE WHEN ?4 IS NOT NULL AND code IS NOT NULL THEN since_ms ELSE ?6 END`,
        )
        .run(name, at, trouble ? null : at, trouble?.code ?? null, trouble?.message ?? null, trouble ? at : null);
    },
    destinations: () => database.prepare('SELECT * FROM destination ORDER BY name').all().map(destinationHealth),
    [Symbol.dispose]() {
      database.close();
    },
  };
}

type Row = Record<string, unknown>;

function runRecord(database: DatabaseSync, row: Row): RunRecord {
  const id = String(row.id);
  const begun = {
    id,
    operation: String(row.operation),
    startedMs: Number(row.started_ms),
    ...(row.dataset !== null && { dataset: String(row.dataset) }),
  };
  // It never said how it ended.
  const isRunning = row.outcome === null && livingProcess(String(row.process)) !== undefined;
  if (row.outcome === null) return { ...begun, state: isRunning ? 'running' : 'vanished' };
  const steps = database.prepare('SELECT step, elapsed_ms FROM step WHERE run = ? ORDER BY position').all(id);
  const problems = database.prepare('SELECT code, message FROM problem WHERE run = ? ORDER BY position').all(id);
  const outcome = row.outcome as EndedRun['outcome'];
  return {
    ...begun,
    state: outcome,
    outcome,
    endedMs: Number(row.ended_ms),
    ...(row.error_code !== null && { errorCode: String(row.error_code) }),
    ...(row.error_message !== null && { errorMessage: String(row.error_message) }),
    ...(row.restore_point !== null && { restorePoint: String(row.restore_point) }),
    steps: steps.map((step) => ({ step: String(step.step), elapsedMs: Number(step.elapsed_ms) })),
    problems: problems.map((problem) => ({ code: String(problem.code), message: String(problem.message) })),
  };
}

function destinationHealth(row: Row): DestinationHealth {
  const { name, seen_ms, good_ms, code, message, since_ms } = row;
  return {
    name: String(name),
    seenMs: Number(seen_ms),
    ...(good_ms !== null && { goodMs: Number(good_ms) }),
    ...(code !== null && { trouble: { code: String(code), message: String(message), sinceMs: Number(since_ms) } }),
  };
}

function partsOf(database: DatabaseSync, vault: string, parts: number) {
  const rows = database
    .prepare(
      'SELECT part, verified_ms, ok FROM verified WHERE vault = ? AND parts = ? AND part BETWEEN 1 AND ? ORDER BY part',
    )
    .all(vault, parts, parts);
  return rows.map((row) => ({ part: Number(row.part), verifiedMs: Number(row.verified_ms), ok: row.ok === 1 }));
}
