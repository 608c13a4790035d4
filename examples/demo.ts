/**
 * `npm run demo`: a small application is backed up while it is written to, destroyed, brought back and proved.
 *   --postgres    with PostgreSQL instead of SQLite
 *   --keep        leave the folder for a look around
 *   --invoices N  how many it starts with (3000)
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { sentenceOf } from '../src/core/errors.ts';
import { type Business, found } from './demo/business.ts';
import { createNarrator, StoryBroken } from './demo/narrator.ts';
import { needPostgres, needSandbox } from './demo/need.ts';
import { type PrivatePostgres, startPostgres } from './private-postgres.ts';
import type { Visit } from './visit.ts';

const { values: flags } = parseArgs({
  options: {
    postgres: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    invoices: { type: 'string', default: '3000' },
  },
});
const seeded = Number(flags.invoices);
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
const tell = createNarrator(process.stdout.isTTY === true && !process.env.NO_COLOR, interrupted.signal);
const program = join(import.meta.dirname, '../bin/lifeboat');
const started = performance.now();

// Whatever was started, newest last; all of it ends, however the story ends.
const running: (() => Promise<void>)[] = [];

let root: string | undefined;
try {
  await story();
} catch (error) {
  console.error(`\n✗ ${interrupted.signal.aborted ? 'Interrupted.' : `The demo failed: ${sentenceOf(error)}`}`);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
} finally {
  await end();
}

async function story(): Promise<void> {
  if (!Number.isInteger(seeded) || seeded < 10) throw new StoryBroken('--invoices takes a number from 10 on.');
  needSandbox(tell.say);
  if (flags.postgres) needPostgres(tell.say);
  root = mkdtempSync(join(tmpdir(), 'lifeboat-demo-'));
  const server = flags.postgres ? await privateServer() : undefined;

  tell.chapter('A small business');
  const business = await found(root, server && (await newDatabase(server)));
  const many = { customers: 200, invoices: seeded, uploads: Math.min(300, seeded) };
  tell.say(`Harbor writes invoices. It has ${await business.seed(many)}.`);
  tell.say(`Database: ${server ? `PostgreSQL ${server.version.split(' ')[0]}` : 'SQLite'}. Everything is in ${root}.`);
  const before = await look(business);
  tell.proved(`Ada signs in and opens a receipt of ${before.upload.bytes.toLocaleString('en')} bytes.`);

  tell.chapter('A backup, while people work');
  const writer = await business.startWriter();
  running.push(writer.stop);
  const lifeboat = commandOf(business);
  const early = writer.committed();
  await lifeboat('backup');
  await running.pop()?.();
  const all = writer.committed();
  tell.proved(`Meanwhile ${all.length - early.length} invoices were committed, and no one had to wait for the backup.`);

  tell.chapter('The disaster');
  await destroy(business, server);
  tell.say(`What is left of Harbor: ${readdirSync(business.folder).join(', ')}`);
  const dead = await business.open().then(
    (visit) => visit.stop().then(() => undefined),
    (error: Error) => /Error: .*/.exec(error.message)?.[0] ?? error.message,
  );
  if (dead === undefined) throw new StoryBroken('Harbor still starts: nothing was destroyed.');
  tell.proved('Harbor no longer starts.');

  tell.chapter('Back, on the same paths, with the key from the safe');
  const identity = ['--identity', '../keys/offline.txt'];
  for (const dataset of ['app-db', 'uploads', 'config']) await lifeboat('restore', dataset, ...identity);
  const after = await look(business);
  if (after.invoice !== before.invoice) throw new StoryBroken('Invoice 1 does not read as before.');
  tell.proved('Harbor starts, Ada signs in, and invoice 1 reads as before.');
  if (after.upload.sha256 !== before.upload.sha256) throw new StoryBroken('The receipt is not the one that was lost.');
  tell.proved(`The receipt opens, byte for byte: SHA-256 ${after.upload.sha256.slice(0, 16)}…`);
  await compareWithPromises(business, early, all);

  tell.chapter('The proof');
  tell.say(
    'A drill restores everything into a sandbox, starts the application there and compares with what was recorded.',
  );
  await lifeboat('drill', ...identity);
  await lifeboat('status');

  tell.proved(
    `Backed up, destroyed, brought back and proved in ${((performance.now() - started) / 1000).toFixed(1)} s.`,
  );
}

function commandOf(business: Business) {
  const { folder: cwd, environment: env } = business;
  return (...words: string[]) => tell.command(['lifeboat', ...words], { program, cwd, env });
}

/** What a person sees: invoice 1 and its first document. */
async function look(business: Business): Promise<{ invoice: string; upload: { bytes: number; sha256: string } }> {
  const visit: Visit = await business.open();
  running.push(visit.stop);
  try {
    const invoice = await (await visit.get('/invoices/1')).text();
    const link = /href="(\/uploads\/\d+)"/.exec(invoice)?.[1];
    if (!link) throw new StoryBroken('Invoice 1 shows no document.');
    const answer = await visit.get(link);
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (answer.status !== 200 || bytes.length === 0) throw new StoryBroken(`The document answers ${answer.status}.`);
    return { invoice, upload: { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') } };
  } finally {
    await running.pop()?.();
  }
}

async function destroy(business: Business, server: PrivatePostgres | undefined): Promise<void> {
  if (server) {
    tell.say('drop database harbor with (force)');
    await onServer(server, 'drop database harbor with (force)');
  }
  tell.say('rm -rf data config');
  for (const gone of ['data', 'config']) rmSync(join(business.folder, gone), { recursive: true });
}

/** The backup is one moment: of the writer's invoices the first so many, each with its lines, and none that came later. */
async function compareWithPromises(business: Business, early: readonly number[], all: readonly number[]) {
  const back = await business.writersInvoices(seeded);
  if (back.length < early.length)
    throw new StoryBroken('Invoices committed before the backup began did not come back.');
  // The writer may be between its commit and its note of it, so one more than noted may be there.
  const cut = back.every(({ id, lines }, at) => lines > 0 && id === (all[at] ?? id)) && back.length <= all.length + 1;
  if (!cut) throw new StoryBroken('The restored invoices are not one moment of the history.');
  tell.proved(
    `Of the ${all.length} new invoices the first ${back.length} are back, each whole: the moment of the backup.`,
  );
  tell.say('What came later is the price of this disaster. The objective (RPO) says how much it may be.');
}

async function privateServer(): Promise<PrivatePostgres> {
  // A folder of its own: as root the server runs as another user, who must not need to enter the demo's.
  const folder = mkdtempSync(join(tmpdir(), 'lifeboat-demo-pg-'));
  running.push(async () => rmSync(folder, { recursive: true, force: true }));
  const server = await startPostgres(folder);
  running.push(server.stop);
  return server;
}

async function newDatabase(server: PrivatePostgres): Promise<string> {
  await onServer(server, 'create database harbor');
  return server.url('harbor');
}

async function onServer(server: PrivatePostgres, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server.url('postgres') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function end(): Promise<void> {
  for (let stop = running.pop(); stop; stop = running.pop()) {
    await stop().catch((error: Error) => console.error(`While cleaning up: ${error.message}`));
  }
  if (root === undefined) return;
  if (flags.keep) console.log(`\nKept: ${root}`);
  else rmSync(root, { recursive: true, force: true });
}
