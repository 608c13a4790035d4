import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { openDatabase } from '../harbor/database.ts';
import { startHarbor, type Visit } from '../visit.ts';

const run = promisify(execFile);
const harborCode = join(import.meta.dirname, '../harbor');
const email = 'ada@harbor.example';
const password = 'only for this demo';

/** A Harbor of its own in a folder: code from the clone, data, settings and Lifeboat's configuration in the folder. */
export interface Business {
  readonly folder: string;
  /** Where an identity lies, by its name. */
  readonly identities: { readonly daily: string; readonly offline: string };
  /** For `lifeboat`, as the operator's shell would have it. */
  readonly environment: Readonly<Record<string, string>>;
  seed(many: { customers: number; invoices: number; uploads: number }): Promise<string>;
  /** Starts the application and signs in. */
  open(): Promise<Visit>;
  startWriter(): Promise<Writer>;
  /** Ids of the invoices that the writer made and the database holds now, in order, each with its number of lines. */
  writersInvoices(after: number): Promise<{ id: number; lines: number }[]>;
}

export interface Writer {
  /** Ids that were committed so far, in order. */
  committed(): number[];
  stop(): Promise<void>;
}

/** `databaseUrl` makes it a Harbor on PostgreSQL. */
export async function found(root: string, databaseUrl: string | undefined): Promise<Business> {
  const folder = join(root, 'harbor');
  const keys = join(root, 'keys');
  for (const made of [folder, keys, join(root, 'state')]) mkdirSync(made, { mode: 0o700 });
  cpSync(join(harborCode, 'config'), join(folder, 'config'), { recursive: true });
  const settings = [
    'PORT=0',
    databaseUrl ? `DATABASE_URL=${databaseUrl}` : 'DATABASE=data/harbor.db',
    'UPLOADS_DIR=data/uploads',
    `SESSION_SECRET=${crypto.randomUUID()}${crypto.randomUUID()}`,
  ];
  writeFileSync(join(folder, 'config/harbor.env'), `${settings.join('\n')}\n`);
  chmodSync(join(folder, 'config/harbor.env'), 0o600);

  const identities = { daily: join(keys, 'daily.txt'), offline: join(keys, 'offline.txt') };
  const recipients: string[] = [];
  for (const file of [identities.daily, identities.offline]) {
    const { identity, recipient } = generateIdentity();
    writeFileSync(file, `${identity}\n`, { mode: 0o600 });
    recipients.push(recipient);
  }
  writeFileSync(join(folder, 'lifeboat.yaml'), configuration(databaseUrl !== undefined, recipients));

  const base = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? root, LC_ALL: 'C.UTF-8' };
  const environment: Record<string, string> = {
    ...base,
    LIFEBOAT_STATE_DIR: join(root, 'state'),
    HARBOR_PASSWORD: password,
    ...(databaseUrl && { DATABASE_URL: databaseUrl }),
    ...(process.env.NO_COLOR && { NO_COLOR: process.env.NO_COLOR }),
    ...(process.env.TERM && { TERM: process.env.TERM }),
  };
  const seedEnvironment = { ...base, HARBOR_PASSWORD: password };

  return {
    folder,
    identities,
    environment,
    async seed({ customers, invoices, uploads }) {
      const many = ['--customers', customers, '--invoices', invoices, '--uploads', uploads].map(String);
      const script = join(harborCode, 'seed.ts');
      const { stdout } = await run(process.execPath, [script, ...many], { cwd: folder, env: seedEnvironment });
      return stdout.trim();
    },
    async open() {
      const visit = await startHarbor(base, folder);
      try {
        await visit.signIn(email, password);
        return visit;
      } catch (error) {
        await visit.stop();
        throw error;
      }
    },
    startWriter: () => startWriter(folder, join(root, 'writer.txt'), base),
    async writersInvoices(after) {
      const database = await openDatabase(
        databaseUrl ? { url: databaseUrl } : { file: join(folder, 'data/harbor.db') },
      );
      try {
        return await database.query<{ id: number; lines: number }>(
          `select i.id, (select count(*) from invoice_lines l where l.invoice_id = i.id) as lines
           from invoices i where i.id > $1 order by i.id`,
          [after],
        );
      } finally {
        await database.close();
      }
    },
  };
}

/** The configuration that the example ships, with this demo's keys and with the application's code where it lies. */
function configuration(postgres: boolean, recipients: readonly string[]): string {
  const shipped = readFileSync(join(harborCode, postgres ? 'lifeboat.postgres.yaml' : 'lifeboat.yaml'), 'utf8');
  const node = join(harborCode, '../../bin/node');
  let recipient = 0;
  return shipped
    .replace(/age1\w+/g, () => recipients[recipient++]!)
    .replace(/^\s+# These two are examples.*\n/m, '')
    .replace('directory: .', `directory: ${JSON.stringify(harborCode)}`)
    .replace('start: exec ../../bin/node server.ts', `start: ${JSON.stringify(`exec '${node}' server.ts`)}`);
}

async function startWriter(folder: string, log: string, env: Record<string, string>): Promise<Writer> {
  const writer = spawn(process.execPath, [join(harborCode, 'writer.ts'), '--log', log], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let trouble = '';
  writer.stderr.on('data', (text: Buffer) => {
    trouble = (trouble + text).slice(-2000);
  });
  const ended = once(writer, 'exit');
  const committed = () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1).map(Number) : []);
  const stop = async () => {
    writer.kill('SIGTERM');
    await ended;
    if (writer.exitCode !== 0) throw new Error(`the writer failed: ${trouble}`);
  };
  for (const deadline = performance.now() + 15_000; committed().length < 20; await pause(10)) {
    if (writer.exitCode !== null || performance.now() > deadline)
      throw new Error(`the writer does not write: ${trouble}`);
  }
  return { committed, stop };
}
