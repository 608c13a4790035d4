import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { loadSystem } from '../../src/config/load.ts';
import type { System } from '../../src/config/system.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { DrillDetails, DrillEvidence } from '../../src/core/evidence.ts';
import { type Problem, startRun } from '../../src/core/run.ts';
import { appendToLedger } from '../../src/ledger/ledger.ts';
import { backUp } from '../../src/operations/backup.ts';
import { rehearse } from '../../src/operations/drill/drill.ts';
import type { DrillOptions, DrillOutcome } from '../../src/operations/drill/parts.ts';
import { openSystem } from '../../src/operations/system.ts';
import type { Contents, Source } from '../../src/sources/source.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { fingerprintOf, writerKeys } from '../../src/vault/writer/keys.ts';

/** A small application with a database and uploads, protected by a real vault: what drills rehearse in these tests. */
export interface Stage extends AsyncDisposable {
  readonly folder: string;
  readonly system: System;
  readonly stateDir: string;
  readonly identity: string;
  /** Throws when a dataset failed. @returns what it noted of those that did not */
  backUp(clock?: Clock): Promise<Problem[]>;
  drill(sabotage?: Sabotage): Promise<Rehearsed>;
}

export interface Sabotage extends Partial<DrillOptions> {
  /** Changes what comes out of the vault. */
  readonly contents?: (dataset: string, contents: Contents) => Contents;
  /** Breaks the restored copy, after the restore believed it was done. */
  readonly restored?: (dataset: string, where: string) => Promise<void> | void;
  readonly source?: (dataset: string, source: Source) => Source;
  readonly system?: (system: System) => System;
  readonly clock?: Clock;
  readonly identities?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface Rehearsed {
  readonly outcome: DrillOutcome;
  readonly evidence: DrillEvidence;
  readonly details: DrillDetails;
}

export interface StageOptions {
  /** YAML of `datasets:` beside `uploads`, and of `drill:`. */
  readonly datasets?: string;
  readonly drill?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly prepare?: (folder: string) => void;
}

export const appPassword = 'correct horse battery';

const standardDatasets = '  app-db: { type: sqlite, path: ./data/app.db, rpo: 15m, rto: 10m }';

export const standardDrill = `
  app:
    start: exec "$NODE" server.mjs
    ready: "http://127.0.0.1:\${PORT}/health"
    readyTimeout: 20s
    env: { NODE: "\${NODE}", DATABASE: "\${RESTORED_APP_DB}", UPLOADS: "\${RESTORED_UPLOADS}" }
  checks:
    invoices are there: { type: sql, dataset: app-db, query: select count(*) from invoices, expect: ">= 1" }
    uploads open: { type: references, from: { dataset: app-db, query: select path from uploads }, in: uploads }
    sign in:
      type: http
      steps:
        - { path: /login, method: POST, form: { email: ada@example.org, password: "\${APP_PASSWORD}" }, expect: { status: 303 } }
        - { path: /invoices/1, expect: { contains: INV-1 } }
        - { path: /uploads/1, expect: { contentType: application/pdf, minBytes: 20 } }
`;

export async function setStage(folder: string, options: StageOptions = {}): Promise<Stage> {
  const stateBase = join(folder, 'state');
  mkdirSync(join(folder, 'data', 'uploads'), { recursive: true });
  makeDatabase(join(folder, 'data', 'app.db'));
  for (let at = 1; at <= 20; at++) writeFileSync(join(folder, 'data', 'uploads', `${at}.pdf`), pdf(at));
  writeFileSync(join(folder, 'server.mjs'), readFileSync(new URL('./stage-app.mjs', import.meta.url)));
  options.prepare?.(folder);
  const { identity, recipient } = generateIdentity();
  const file = join(folder, 'lifeboat.yaml');
  writeFileSync(
    file,
    [
      'version: 1',
      'system: stage',
      'accepted: { code-not-backed-up: it is in the tests }',
      `vault: { recipients: [${recipient}] }`,
      'destinations: { local: { type: local, path: ./backups } }',
      'datasets:',
      options.datasets ?? standardDatasets,
      '  uploads: { type: files, path: ./data/uploads, rpo: 1h, rto: 30m }',
      `drill:${options.drill ?? standardDrill}`,
    ].join('\n'),
  );
  const env = {
    ...process.env,
    NODE: process.execPath,
    APP_PASSWORD: appPassword,
    ...options.env,
    LIFEBOAT_STATE_DIR: stateBase,
  };
  const system = loadSystem(file, env);
  const open = openSystem(system, { clock: systemClock });
  return {
    folder,
    system,
    stateDir: system.stateDir,
    identity,
    async backUp(clock = systemClock) {
      using at = openSystem(system, { clock });
      const { failed, backedUp } = await backUp(at, { datasets: [], refill: false }, startRun({ clock }));
      if (failed[0] !== undefined) throw failed[0].error;
      return backedUp.flatMap(({ problems }) => problems);
    },
    drill: (sabotage = {}) => rehearseWith(open, system, identity, sabotage),
    async [Symbol.asyncDispose]() {
      open[Symbol.dispose]();
    },
  };
}

async function rehearseWith(
  open: ReturnType<typeof openSystem>,
  system: System,
  identity: string,
  sabotage: Sabotage,
): Promise<Rehearsed> {
  const { clock = systemClock, signal } = sabotage;
  const vault = await open.vault(() => {});
  const sources: Record<string, Source> = {};
  for (const dataset of Object.keys(system.datasets)) {
    const source = breaking(dataset, await open.source(dataset), sabotage);
    sources[dataset] = sabotage.source?.(dataset, source) ?? source;
  }
  const keys = await writerKeys(join(system.stateDir, 'writer.json'), vault.id, randomBytes);
  let kept: { evidence: DrillEvidence; details: DrillDetails } | undefined;
  const { destinations } = vault;
  const expected = destinations.map(({ name }) => name);
  const ledger = { vault: vault.id, destinations, expected, recipients: system.vault.recipients };
  const parts = {
    system: sabotage.system?.(system) ?? system,
    sources,
    vault: {
      ...vault,
      async open(...words: Parameters<typeof vault.open>) {
        const contents = await vault.open(...words);
        return sabotage.contents?.(words[0].record.dataset, contents) ?? contents;
      },
    },
    identities: sabotage.identities ?? [identity],
    identityKind: 'daily' as const,
    hidden: [],
    fingerprint: (text: string) => fingerprintOf(keys, text),
    async appendLedger(kind: 'drill', evidence: DrillEvidence, details: DrillDetails) {
      kept = { evidence, details };
      const place = { signingKey: keys.signingKey, stateDir: system.stateDir, clock, random: randomBytes };
      return appendToLedger({ ...ledger, ...place }, kind, evidence, details);
    },
    stateDir: system.stateDir,
    tool: 'lifeboat test',
    random: randomBytes,
  };
  const drillOptions = { datasets: [], withoutIsolation: false, trigger: 'test', ...sabotage };
  const outcome = await rehearse(parts, drillOptions, startRun({ clock, ...(signal && { signal }) }));
  if (kept === undefined) throw new Error('the drill left no evidence');
  return { outcome, ...kept };
}

function breaking(dataset: string, source: Source, sabotage: Sabotage): Source {
  if (sabotage.restored === undefined) return source;
  return {
    ...source,
    async restore(contents, target, run) {
      const restored = await source.restore(contents, target, run);
      await sabotage.restored?.(dataset, target.into ?? '');
      return restored;
    },
  };
}

export function makeDatabase(file: string): void {
  using database = new DatabaseSync(file);
  database.exec(`
    CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL);
    CREATE TABLE invoices (id INTEGER PRIMARY KEY, number TEXT NOT NULL, created_at TEXT NOT NULL);
    CREATE TABLE uploads (id INTEGER PRIMARY KEY, path TEXT NOT NULL);
    CREATE TABLE drafts (id INTEGER PRIMARY KEY);
    INSERT INTO users (email, password) VALUES ('ada@example.org', '${appPassword}');`);
  const [invoice, upload] = [
    database.prepare('INSERT INTO invoices (number, created_at) VALUES (?, ?)'),
    database.prepare('INSERT INTO uploads (path) VALUES (?)'),
  ];
  for (let at = 1; at <= 200; at++) invoice.run(`INV-${at}`, new Date().toISOString());
  for (let at = 1; at <= 20; at++) upload.run(`${at}.pdf`);
}

export function pdf(number: number): string {
  return `%PDF-1.4\n% upload ${number} ${'x'.repeat(50)}\n%%EOF\n`;
}

/** A clock that is ahead of the real one. */
export function clockAhead(aheadMs: number): Clock {
  return { now: () => systemClock.now() + aheadMs, elapsed: systemClock.elapsed };
}
