import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makePdf, makePng } from '../../examples/harbor/documents.ts';
import { type PrivatePostgres, startPostgres } from '../../examples/private-postgres.ts';
import { startHarbor } from '../../examples/visit.ts';
import { makeTemporaryFolder, type TemporaryFolder, temporaryFolder } from '../support/temp.ts';

const run = promisify(execFile);
const harbor = join(import.meta.dirname, '../../examples/harbor');
const email = 'ada@harbor.example';
const password = 'a password for tests';

let postgresFolder: TemporaryFolder;
let postgres: PrivatePostgres;
let databases = 0;

beforeAll(async () => {
  postgresFolder = await makeTemporaryFolder({ open: true });
  postgres = await startPostgres(postgresFolder.path);
});
afterAll(async () => {
  await postgres?.stop();
  await postgresFolder?.[Symbol.asyncDispose]();
});

for (const engine of ['sqlite', 'postgres'] as const) {
  describe(`Harbor on ${engine}`, () => {
    test('signs in, creates an invoice, takes a document and gives it back byte for byte', async () => {
      const site = await open(await seeded(engine));
      await site.signIn(email, password);

      const lines: [string, string][] = [
        ['description', 'Berth <night>'],
        ['quantity', '3'],
        ['price', '99999.99'],
        ['description', 'Pilotage'],
        ['quantity', '9999'],
        ['price', '99999.00'],
      ];
      const head: [string, string][] = [
        ['customer', '2'],
        ['issued', '2026-02-01'],
        ['due', '2026-03-01'],
      ];
      const created = await site.post('/invoices', new URLSearchParams([...head, ...lines]));
      const invoice = created.headers.get('location');
      expect(invoice).toMatch(/^\/invoices\/\d+$/);
      const page = await (await site.get(invoice!)).text();
      expect(page).toContain('Berth &#60;night&#62;');
      expect(page).toContain('€ 1,000,190,000.97');

      const pdf = makePdf('A test', ['of bytes', 'with \r\n--breaks--\r\n in it']);
      const upload = new FormData();
      upload.append('document', new Blob([pdf], { type: 'text/plain' }), 'contract (signed).pdf');
      expect((await site.post(`${invoice}/uploads`, upload)).status).toBe(303);
      const link = /href="(\/uploads\/\d+)">contract \(signed\)\.pdf</.exec(await (await site.get(invoice!)).text());
      const opened = await site.get(link![1]!);
      expect(opened.headers.get('content-type')).toBe('application/pdf');
      expect(Buffer.from(await opened.arrayBuffer())).toEqual(pdf);
    });

    test('shows nothing but its health and the form to a visitor who has not signed in', async () => {
      const site = await open(await seeded(engine));
      expect(await (await site.get('/health')).json()).toEqual({ ok: true, engine, invoices: 30 });
      for (const path of ['/', '/customers', '/invoices', '/invoices/1', '/uploads/1']) {
        expect((await site.get(path)).headers.get('location')).toBe('/login');
      }
      const wrong = new URLSearchParams({ email, password: 'guessed' });
      expect((await site.post('/login', wrong)).status).toBe(401);
      await site.signIn(email, password);
      // A session that would last a second longer than the one that was signed.
      site.cookie = site.cookie.replace(/\.(\d+)\./, (_, end) => `.${Number(end) + 1}.`);
      expect((await site.get('/invoices')).headers.get('location')).toBe('/login');
    });

    test('is not healthy without its database', async () => {
      const settings = await seeded(engine);
      const site = await open(settings);
      if (engine === 'sqlite') {
        using file = new DatabaseSync(settings.DATABASE!);
        file.exec('drop table invoice_lines');
      } else await onServer(`drop database "${settings.DATABASE_NAME}" with (force)`);
      expect((await site.get('/health')).status).toBe(503);
    });

    test('the writer logs an invoice only after it is kept whole', async () => {
      const settings = await seeded(engine);
      const log = join(settings.FOLDER!, 'writer.log');
      const args = [join(harbor, 'writer.ts'), '--log', log, '--invoices', '12', '--pause-ms', '0'];
      await run(process.execPath, args, { env: settings });
      const logged = (await readFile(log, 'utf8')).trim().split('\n').map(Number);
      expect(logged).toEqual(Array.from({ length: 12 }, (_, at) => 31 + at));

      const site = await open(settings);
      await site.signIn(email, password);
      const page = await (await site.get('/invoices/36')).text();
      const upload = await site.get(/href="(\/uploads\/\d+)">waybill-36\.pdf</.exec(page)![1]!);
      expect((await upload.text()).slice(0, 5)).toBe('%PDF-');
    });
  });
}

test('the seed is the same on every run and on both engines', async () => {
  const seen = new Set<string>();
  for (const engine of ['sqlite', 'sqlite', 'postgres'] as const) {
    const site = await open(await seeded(engine));
    await site.signIn(email, password);
    const hash = createHash('sha256');
    for (const path of ['/customers', '/invoices', '/invoices/7', '/uploads/1', '/uploads/3']) {
      hash.update(await (await site.get(path)).text());
    }
    seen.add(hash.digest('hex'));
  }
  expect(seen.size).toBe(1);
});

test('refuses what is not a document, what is too large, and forms of other sites', async () => {
  const site = await open(await seeded('sqlite'));
  await site.signIn(email, password);
  const send = (bytes: Uint8Array<ArrayBuffer>) => {
    const form = new FormData();
    form.append('document', new Blob([bytes], { type: 'application/pdf' }), 'x.pdf');
    return site.post('/invoices/1/uploads', form);
  };
  expect((await send(Buffer.from('<script>alert(1)</script>'))).status).toBe(415);
  expect((await send(Buffer.alloc(11 * 1024 * 1024))).status).toBe(413);
  expect((await send(Uint8Array.from(makePng(4, 4, () => 0x336699)))).status).toBe(303);
  expect((await site.post('/invoices', new URLSearchParams({ customer: '1' }))).status).toBe(422);
  const foreign = await site.post('/logout', new URLSearchParams(), { origin: 'https://elsewhere.example' });
  expect(foreign.status).toBe(403);
});

test('an upload whose file is gone or cut short is an error, never an empty page', async () => {
  const settings = await seeded('sqlite');
  await run('find', [settings.UPLOADS_DIR!, '-name', '000001-*', '-delete']);
  await run('find', [settings.UPLOADS_DIR!, '-name', '000002-*', '-exec', 'truncate', '-s', '10', '{}', ';']);
  const site = await open(settings);
  await site.signIn(email, password);
  expect((await site.get('/uploads/1')).status).toBe(500);
  expect((await site.get('/uploads/2')).status).toBe(500);
  expect((await site.get('/uploads/3')).status).toBe(200);
});

type Environment = Record<string, string>;

/** The environment of a Harbor of its own with 30 invoices. */
async function seeded(engine: 'sqlite' | 'postgres'): Promise<Environment> {
  const folder = await temporaryFolder();
  const settings: Environment = {
    PATH: process.env.PATH ?? '',
    FOLDER: folder,
    PORT: '0',
    HARBOR_CONFIG: join(folder, 'none.env'),
    HARBOR_PASSWORD: password,
    SESSION_SECRET: 'only for this test, and long enough',
    UPLOADS_DIR: join(folder, 'uploads'),
  };
  if (engine === 'sqlite') settings.DATABASE = join(folder, 'harbor.db');
  else {
    const name = `harbor${databases++}`;
    await onServer(`create database ${name}`);
    Object.assign(settings, { DATABASE_URL: postgres.url(name), DATABASE_NAME: name });
  }
  const args = [join(harbor, 'seed.ts'), '--customers', '20', '--invoices', '30', '--uploads', '6'];
  await run(process.execPath, args, { env: settings });
  return settings;
}

async function open(settings: Environment) {
  const site = await startHarbor(settings, settings.FOLDER!);
  onTestFinished(() => site.stop());
  return site;
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url('postgres') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
