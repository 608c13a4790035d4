// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are Lifeboat's own references, as in its configuration
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { FreshnessCheck, HttpCheck, HttpStep, ReferencesCheck } from '../../src/config/system.ts';
import { meets } from '../../src/core/condition.ts';
import type { Expandable } from '../../src/core/references.ts';
import { fillTemplate } from '../../src/core/template.ts';
import { checkFreshness } from '../../src/operations/drill/checks/freshness.ts';
import { checkHttp } from '../../src/operations/drill/checks/http.ts';
import { checkReferences } from '../../src/operations/drill/checks/references.ts';
import { isFaultOfThePlace } from '../../src/operations/drill/faults.ts';
import type { Copy, Drill, Finding } from '../../src/operations/drill/parts.ts';
import { queryCopy } from '../../src/operations/drill/query.ts';
import { request } from '../../src/sandbox/inside/http.ts';
import type { HttpOrder } from '../../src/sandbox/protocol.ts';
import { extensionMissing } from '../../src/sources/postgres/errors.ts';
import { temporaryFolder } from '../support/temp.ts';
import { pdf } from './stage.ts';

const { signal } = new AbortController();

describe('references', () => {
  async function check(rows: string, change: Partial<ReferencesCheck> = {}): Promise<Finding> {
    const folder = await temporaryFolder();
    const uploads = join(folder, 'uploads');
    mkdirSync(join(uploads, '2026'), { recursive: true });
    writeFileSync(join(uploads, '2026', 'a.pdf'), pdf(1));
    writeFileSync(join(uploads, 'b.pdf'), pdf(2));
    writeFileSync(join(uploads, 'orphan.txt'), 'nobody');
    writeFileSync(join(folder, 'outside.pdf'), pdf(3));
    symlinkSync('../outside.pdf', join(uploads, 'leads-out.pdf'));
    symlinkSync('b.pdf', join(uploads, 'leads-in.pdf'));
    const file = join(folder, 'db');
    using database = new DatabaseSync(file);
    database.exec(`CREATE TABLE u (path TEXT, year INT, sha256 TEXT, size_bytes INT); ${rows}`);
    const base = { type: 'references', id: 'r', in: 'uploads', timeoutMs: 20_000 } as const;
    const from = { dataset: 'db', query: 'select * from u' };
    const copy = { dataset: 'db', kind: 'sqlite', outside: file } as Copy;
    const trees = [{ dataset: 'uploads', copy: uploads, homes: ['/srv/app/uploads'] }];
    const files = { trees, dataset: 'uploads' };
    return checkReferences({ ...base, from, opens: true, mayBeEmpty: false, ...change }, copy, files, signal);
  }
  const values = (...paths: string[]) => paths.map((path) => `INSERT INTO u (path) VALUES ('${path}');`).join('');

  test('V4: each exists and opens, whatever way the path is written; orphans are counted and are no fault', async () => {
    const finding = await check(values('2026/a.pdf', './b.pdf', '/b.pdf', '/srv/app/uploads/b.pdf', 'leads-in.pdf'));
    expect(finding).toMatchObject({ verdict: 'pass', looked: 5 });
    expect(finding.message).toContain('No reference names 1 file, for example orphan.txt');
  });

  test('a path may be put together from columns, and a row without one refers to nothing', async () => {
    const rows = "INSERT INTO u (path, year) VALUES ('a', 2026), (NULL, 2026);";
    expect(await check(rows, { path: '${year}/${path}.pdf' })).toMatchObject({ verdict: 'pass', looked: 1 });
    expect(await check('INSERT INTO u (path) VALUES (NULL);')).toMatchObject({ verdict: 'fail', looked: 0 });
  });

  test('a path or a link that leads out of the dataset is a fault, not a way out', async () => {
    const finding = await check(values('../outside.pdf', 'leads-out.pdf', '2026/../../outside.pdf'));
    expect(finding).toMatchObject({ verdict: 'fail', looked: 3 });
    expect(finding.message).toMatch(
      /3 of 3 references fail: .*no path inside.*leads-out\.pdf is in no backup: it is a link that leads out/,
    );
  });

  test('the hash and the size that the row holds must be those of the file', async () => {
    const right = createHash('sha256').update(pdf(2)).digest('hex');
    const row = (sha: string, size: number) => `INSERT INTO u VALUES ('b.pdf', 0, '${sha}', ${size});`;
    expect(await check(row(right.toUpperCase(), pdf(2).length))).toMatchObject({ verdict: 'pass' });
    expect((await check(row('0'.repeat(64), pdf(2).length))).message).toContain('other bytes than its row says');
    expect((await check(row(right, 5))).message).toMatch(/bytes instead of 5/);
  });

  test('many faults are counted, and the first few are named', async () => {
    const finding = await check(values(...Array.from({ length: 30 }, (_, at) => `gone-${at}.pdf`)));
    expect(finding.message).toMatch(
      /^30 of 30 references fail: gone-0\.pdf is missing, .*gone-4\.pdf is missing, and 25 more\.$/,
    );
  });

  test('drill-05: files of a type that nobody knows are named, with what was not looked at', async () => {
    const { verdict, message } = await check(values('orphan.txt', 'b.pdf'));
    expect(verdict).toBe('pass');
    expect(message).toContain('Of 1 the type is not checked, only that there is something in them: .txt.');
    expect((await check(values('orphan.txt'), { opens: false })).message).not.toContain('type');
  });

  test('no reference at all passes only where that was allowed', async () => {
    expect(await check('')).toMatchObject({ verdict: 'fail', looked: 0 });
    expect(await check('', { mayBeEmpty: true })).toMatchObject({ verdict: 'pass', emptyIsRight: true });
  });
});

describe('a query on a restored database', () => {
  async function database(sql: string): Promise<Copy> {
    const file = join(await temporaryFolder(), 'db');
    using made = new DatabaseSync(file);
    made.exec(sql);
    return { dataset: 'db', kind: 'sqlite', outside: file } as Copy;
  }

  test('gives all rows in batches, as text', async () => {
    const copy = await database(`CREATE TABLE t (n INTEGER, b BLOB, x TEXT);
      WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1700)
      INSERT INTO t SELECT n + 9007199254740993, x'00ff', NULL FROM c`);
    const batches = await Array.fromAsync(queryCopy(copy, 'select * from t', { timeoutMs: 20_000, signal }));
    const rows = batches.flatMap((batch) => batch.rows);
    expect(rows).toHaveLength(1700);
    expect(rows[0]).toEqual(['9007199254740994', '00ff', null]);
    expect(batches[0]?.columns).toEqual(['n', 'b', 'x']);
  });

  test('that never ends is ended, and one that writes is refused', async () => {
    const copy = await database('CREATE TABLE t (n)');
    const endless = 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c';
    const all = (query: string, timeoutMs: number) => Array.fromAsync(queryCopy(copy, query, { timeoutMs, signal }));
    await expect(all(endless, 700)).rejects.toMatchObject({ code: 'drill-query-too-slow' });
    await expect(all('INSERT INTO t VALUES (1) RETURNING n', 20_000)).rejects.toMatchObject({
      code: 'drill-query-failed',
    });
    await expect(all('SELECT * FROM absent', 20_000)).rejects.toThrow(/no such table: absent/);
  });

  test('is given its time without that of its reader: a sound backup of many files must not fail for it', async () => {
    const copy = await database('CREATE TABLE t (n); INSERT INTO t VALUES (1), (2)');
    let rows = 0;
    for await (const batch of queryCopy(copy, 'select * from t', { timeoutMs: 2500, signal })) {
      rows += batch.rows.length;
      // Longer than the query may take: what is waited for is that its clock stands still.
      if (batch.rows.length === 0) await wait(3000);
    }
    expect(rows).toBe(2);
  });
});

describe('freshness', () => {
  test('is measured from the newest record to the restore point', async () => {
    const file = join(await temporaryFolder(), 'db');
    using made = new DatabaseSync(file);
    made.exec("CREATE TABLE t (at TEXT); INSERT INTO t VALUES ('2026-11-20 10:00:00'), ('2026-11-20 11:30:00')");
    const point = { record: { time: '2026-11-20T12:00:00.000Z' } };
    const copy = { dataset: 'db', kind: 'sqlite', outside: file, point } as Copy;
    const base = {
      type: 'freshness',
      id: 'f',
      dataset: 'db',
      query: 'select max(at) from t',
      timeoutMs: 20_000,
    } as const;
    const check = (withinMs: number, change: Partial<FreshnessCheck> = {}) =>
      checkFreshness({ ...base, withinMs, mayBeEmpty: false, ...change }, copy, signal);

    expect(await check(30 * 60_000)).toMatchObject({ verdict: 'pass', newestMs: Date.UTC(2026, 10, 20, 11, 30) });
    expect(await check(29 * 60_000)).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('30 min before'),
    });
    const none = { query: "select max(at) from t where at < '2000'" };
    expect(await check(60_000, none)).toMatchObject({ verdict: 'fail', looked: 0 });
    expect(await check(60_000, { ...none, mayBeEmpty: true })).toMatchObject({ verdict: 'pass', emptyIsRight: true });
    expect(await check(60_000, { query: "select 'soon'" })).toMatchObject({ verdict: 'fail', looked: 1 });
    for (const future of ['2099-01-01', '2026-11-20 12:16:00', '4070908800', 'infinity', '1795176960000000']) {
      const finding = await check(Number.MAX_SAFE_INTEGER, { query: `select '${future}'` });
      expect(finding, `drill-04: ${future}`).toMatchObject({ verdict: 'fail' });
      expect(finding, future).not.toHaveProperty('newestMs');
    }
  });
});

describe('http', () => {
  const plain = (shown: string): Expandable => ({
    shown,
    expand: async (variables = {}) => fillTemplate(shown, (name) => variables[name]),
  });

  type Step = Partial<Omit<HttpStep, 'path' | 'expect'>> & { path: string; expect?: Partial<HttpStep['expect']> };

  type Serve = (request: IncomingMessage, response: ServerResponse) => unknown;

  async function check(serve: Serve, steps: Step[], timeoutMs = 60_000) {
    const server = createServer((...both) => void serve(...both));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const call = (_: string, order: HttpOrder) => request(order).catch((error: Error) => ({ failed: error.message }));
    const drill = {
      application: { origin: `http://127.0.0.1:${port}` },
      variables: {},
      secrets: new Set(),
      sandbox: { application: async () => ({ call }), isolation: { footing: 'user', network: true, files: true } },
    } as unknown as Drill;
    const full = steps.map((step) => ({
      method: 'GET',
      headers: {},
      followRedirects: false,
      capture: {},
      ...step,
      path: plain(step.path),
      expect: { status: [], contains: [], json: [], ...step.expect },
    }));
    return checkHttp({ type: 'http', id: 'h', timeoutMs, steps: full } satisfies HttpCheck, drill, signal);
  }

  test('keeps cookies, follows redirects when told to, and carries what it captured to the next request', async () => {
    const seen: string[] = [];
    const finding = await check(
      async (asked, answer) => {
        const body = Buffer.concat(await Array.fromAsync(asked)).toString();
        seen.push(`${asked.method} ${asked.url} ${asked.headers.cookie ?? '-'} ${body}`);
        if (asked.url === '/login') {
          answer.setHeader('set-cookie', ['sid=1; HttpOnly', 'gone=x; Max-Age=0']);
          answer.writeHead(302, { location: '/home' }).end();
        } else if (asked.url === '/home') answer.end('<input name="csrf" value="t0ken">');
        else answer.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end('{"items":[{"id":42}]}');
      },
      [
        {
          path: '/login',
          method: 'POST',
          body: { kind: 'form', fields: { name: plain('a & b') } },
          followRedirects: true,
          capture: { csrf: { from: 'regex', pattern: 'value="([^"]+)"' } },
        },
        {
          path: '/api?t=${csrf}',
          expect: {
            contentType: 'application/json',
            json: [
              { path: ['items', '0', 'id'], expect: { text: '= 42', kind: 'compare', operator: '=', operand: '42' } },
            ],
          },
          capture: { item: { from: 'json', path: ['items', '0', 'id'] } },
        },
        { path: '/items/${item}', expect: { status: [200] } },
      ],
    );
    expect(finding).toMatchObject({ verdict: 'pass', looked: 3 });
    expect(seen).toEqual([
      'POST /login - name=a+%26+b',
      'GET /home sid=1 ',
      'GET /api?t=t0ken sid=1 ',
      'GET /items/42 sid=1 ',
    ]);
  });

  test.each<[string, Step['expect'], RegExp]>([
    ['another status', { status: [404] }, /GET \/: status 200 instead of 404/],
    ['another type', { contentType: 'application/pdf' }, /content type text\/plain instead of application\/pdf/],
    ['too little', { minBytes: 100 }, /5 bytes instead of at least 100/],
    ['another text', { contains: [plain('bye')] }, /does not contain 'bye'/],
    ['another hash', { sha256: plain('0'.repeat(64)) }, /another SHA-256/],
    ['no JSON', { json: [{ path: ['a'], expect: { text: 'not empty', kind: 'not empty' } }] }, /is no JSON/],
  ])('an answer with %s fails, and the request is named', async (_, expected, message) => {
    const serve = (__: IncomingMessage, answer: ServerResponse) =>
      answer.writeHead(200, { 'content-type': 'text/plain' }).end('hello');
    const finding = await check(serve, [{ path: '/', ...(expected && { expect: expected }) }]);
    expect(finding).toMatchObject({ verdict: 'fail', message: expect.stringMatching(message) });
  });

  test('H7: an answer made to keep a pattern busy for ever is no match', async () => {
    const endless = (_: IncomingMessage, answer: ServerResponse) => answer.end('a'.repeat(5000));
    const capture = { x: { from: 'regex', pattern: '^(a+)+b' } } as const;
    const pattern = { text: 'matches', kind: 'matches', pattern: '^(a+)+b', flags: '' } as const;
    expect((await check(endless, [{ path: '/', capture }])).message).toMatch(/nothing to capture/);
    expect(meets('a'.repeat(5000), pattern)).toBe(false);
  });

  test('an answer that never comes, breaks off, or leads elsewhere fails in time', async () => {
    expect((await check(() => {}, [{ path: '/' }], 1200)).message).toMatch(/got no answer: no answer within \d+ ms/);
    const breaking = (_: IncomingMessage, answer: ServerResponse) => {
      answer.writeHead(200, { 'content-length': '100' }).write('part', () => answer.destroy());
    };
    expect((await check(breaking, [{ path: '/' }])).message).toMatch(/got no answer/);
    const away = (_: IncomingMessage, answer: ServerResponse) => {
      answer.writeHead(302, { location: 'https://example.org/' }).end();
    };
    expect((await check(away, [{ path: '/', followRedirects: true }])).message).toMatch(/outside the application/);
    const round = (_: IncomingMessage, answer: ServerResponse) => answer.writeHead(302, { location: '/' }).end();
    expect((await check(round, [{ path: '/', followRedirects: true }])).message).toMatch(/more than 10 times/);
  });
});

test('V6: what is the fault of the place is told apart, also deep in a chain of causes', () => {
  const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
  expect(isFaultOfThePlace(full)).toBe(true);
  expect(isFaultOfThePlace(new Error('outer', { cause: new Error('inner', { cause: full }) }))).toBe(true);
  expect(isFaultOfThePlace(Object.assign(new Error('too many clients'), { code: '53300' }))).toBe(true);
  expect(isFaultOfThePlace(Object.assign(new Error('relation does not exist'), { code: '42P01' }))).toBe(false);
  expect(isFaultOfThePlace(Object.assign(new Error('gone'), { code: 'ENOENT' }))).toBe(false);
  // pg-09: what this host's servers lack says nothing of the backup.
  const lacking = { server: 's', extensions: 'pgaudit', serverMajor: 15, debianPackage: 'postgresql-15-pgaudit' };
  expect(isFaultOfThePlace(extensionMissing(lacking))).toBe(true);
  expect(isFaultOfThePlace(new Error('sha256 does not fit'))).toBe(false);
  expect(isFaultOfThePlace('a text')).toBe(false);
});
