import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { type AddressInfo, connect as connectTo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mysqlEngine } from '../../src/sources/mysql/engine.ts';
import { mysqlSource } from '../../src/sources/mysql/source.ts';
import { newRun } from '../suites/source.suite.ts';
import { contentsOf } from '../support/contents.ts';
import { type Mariadb, startMariadb } from '../support/mariadb.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

let server: Mariadb;
let folder: TemporaryFolder;
let port: number;
let close: () => void;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  await makeCertificates(folder.path);
  server = await startMariadb(['ca', 'cert', 'key'].map((one) => `--ssl-${one}=${join(folder.path, `${one}.pem`)}`));
  await server.query(`CREATE DATABASE shop; CREATE TABLE shop.t (a int); INSERT INTO shop.t VALUES (1), (2);
    CREATE USER app@localhost IDENTIFIED BY 'hunter2' REQUIRE SSL; GRANT ALL ON *.* TO app@localhost;
    CREATE USER reader@localhost; GRANT SELECT ON shop.* TO reader@localhost`);
  // The server has no port: whoever comes here comes to its socket.
  const listener = createServer((client) => {
    const own = connectTo(server.socket);
    client.pipe(own).pipe(client);
    for (const one of [client, own]) one.on('error', () => client.destroy() && own.destroy());
  });
  await once(listener.listen(0, '127.0.0.2'), 'listening');
  port = (listener.address() as AddressInfo).port;
  close = () => listener.close();
});
afterAll(async () => {
  close?.();
  await server?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

async function makeCertificates(at: string): Promise<void> {
  const run = promisify(execFile);
  const openssl = (...words: string[]) => run('openssl', words, { cwd: at });
  await openssl(
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem'.split(
      ' ',
    ),
  );
  await openssl(
    ...'req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=db.example.com -keyout key.pem -out cert.csr'.split(
      ' ',
    ),
  );
  await openssl(
    ...'x509 -req -in cert.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -out cert.pem'.split(' '),
  );
  await openssl(
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other -keyout other-key.pem -out other.pem'.split(
      ' ',
    ),
  );
  await chmod(at, 0o755);
  await chmod(join(at, 'key.pem'), 0o644);
}

const inspect = (settings: string, password = 'hunter2') =>
  mysqlSource({ url: `mysql://app:${password}@127.0.0.2:${port}/shop?${settings}` }).inspect(newRun());

test('who asks for encryption has it, and a server that cannot show who it is gets no password', async () => {
  expect((await inspect('ssl-mode=REQUIRED')).problems).toEqual([]);
  const ca = (name: string) => `ssl-ca=${join(folder.path, name)}`;
  expect((await inspect(`ssl-mode=VERIFY_CA&${ca('ca.pem')}`)).problems).toEqual([]);
  for (const settings of [
    `ssl-mode=VERIFY_CA&${ca('other.pem')}`,
    `ssl-mode=REQUIRED&${ca('other.pem')}`,
    `ssl-mode=VERIFY_IDENTITY&${ca('ca.pem')}`,
    'ssl-mode=VERIFY_CA',
  ]) {
    await expect(inspect(settings)).rejects.toMatchObject({ code: 'mysql-server-unreachable' });
  }
  // The account demands encryption, and this URL has none.
  await expect(inspect('ssl-mode=DISABLED')).rejects.toMatchObject({ code: 'mysql-access-denied' });
});

test('a wrong password, a database that is not there and a server that is gone are told apart, without the password', async () => {
  const all = [
    [() => inspect('ssl-mode=REQUIRED', 'hunter3'), 'mysql-access-denied'],
    [() => mysqlSource({ url: server.urlOf('shops') }).inspect(newRun()), 'mysql-database-missing'],
    [() => mysqlSource({ url: 'mysql://app:hunter2@127.0.0.2:1/shop' }).inspect(newRun()), 'mysql-server-unreachable'],
    [
      () => mysqlSource({ url: 'mysql://app:hunter2@/shop?socket=/nowhere' }).inspect(newRun()),
      'mysql-server-unreachable',
    ],
  ] as const;
  for (const [attempt, code] of all) {
    const error = await attempt().then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error).toMatchObject({ code });
    expect(`${error?.message} ${JSON.stringify(error)} ${String(error?.cause)}`).not.toContain('hunter');
  }
});

test('a query is answered as text, in batches, with its columns also of no row; it can write nothing', async () => {
  const ask = async (query: string, timeoutMs = 60_000) => {
    const copy = { outside: server.urlOf('shop'), asked: server.urlOf('shop', 'reader'), dataset: 'shop' };
    const options = { timeoutMs, signal: new AbortController().signal };
    return Array.fromAsync(mysqlEngine.query!(copy, query, options));
  };
  const [answer] = await ask(
    "SELECT 1 one, 1.50 two, NULL three, x'00ff' four, 'ü' five, b'101' six, TIMESTAMP '2026-01-02 03:04:05' seven, TRUE eight;",
  );
  expect(answer).toEqual({
    columns: ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'],
    rows: [['1', '1.50', null, '00ff', 'ü', '05', '2026-01-02 03:04:05', '1']],
  });
  expect(await ask('SELECT a FROM t WHERE a > 99')).toEqual([{ columns: ['a'], rows: [] }]);
  const many = await ask('SELECT seq FROM seq_1_to_5000');
  expect([many.length > 2, many.flatMap(({ rows }) => rows).length]).toEqual([true, 5000]);
  for (const query of ['DELETE FROM t', 'INSERT INTO t VALUES (3)', 'DROP TABLE t'])
    await expect(ask(query)).rejects.toThrow(/READ ONLY|denied/i);
  expect(await server.query('SELECT COUNT(*) FROM shop.t')).toEqual([['2']]);
  await expect(ask('SELECT SLEEP(1000)', 200)).rejects.toMatchObject({ code: 'drill-query-too-slow' });
  await expect(ask('SELECT nothing')).rejects.toThrow('nothing');
});

test('a backup that is stopped leaves no session, and holds nothing any more', async () => {
  const stop = new AbortController();
  const capture = await mysqlSource({ url: server.urlOf('shop') }).capture(newRun(stop.signal));
  stop.abort(new Error('stopped'));
  await expect(contentsOf(capture)).rejects.toThrow('stopped');
  await server.query("ALTER TABLE shop.t COMMENT 'changed'");
  await until(async () => {
    const [row] = await server.query("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = 'shop'");
    return row?.[0] === '0';
  });
});

test('who wants no more of many rows goes, and a server that is lost in the midst of them is told', async () => {
  await server.query('CREATE TABLE shop.many AS SELECT seq, REPEAT(seq, 50) s FROM seq_1_to_60000');
  const copy = { outside: server.urlOf('shop'), asked: server.urlOf('shop', 'reader'), dataset: 'shop' };
  const options = { timeoutMs: 60_000, signal: new AbortController().signal };
  for await (const { rows } of mysqlEngine.query!(copy, 'SELECT * FROM many', options)) {
    expect(rows.length).toBeGreaterThan(0);
    break;
  }
  const source = mysqlSource({ url: server.urlOf('shop') });
  for (const lose of [false, true]) {
    await using capture = await source.capture(newRun());
    const read = async () => {
      for await (const entry of capture.entries) {
        if (entry.type !== 'file' || entry.content.from !== 'stream') continue;
        let bytes = 0;
        for await (const piece of entry.content.stream()) {
          bytes += piece.length;
          if (bytes < 1000) continue;
          if (!lose) return 'gone';
          const sessions = await server.query("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = 'shop'");
          for (const [id] of sessions) await server.query(`KILL ${id}`);
        }
      }
      return 'read';
    };
    if (lose) await expect(read()).rejects.toThrow(/clos|lost|kill/i);
    else expect(await read()).toBe('gone');
  }
  await server.query('DROP TABLE shop.many');
});
