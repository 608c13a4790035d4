import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { checkExpectations } from '../../src/operations/drill/checks/expectations.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temp.ts';

const run = promisify(execFile);
const room = { maxBuffer: 1 << 30 };
const needed =
  'The tests of PostgreSQL come with its Debian source package: this machine must reach deb.debian.org with apt-get, and have its archive keyring.';

/** The server's own tests in its very version, by a list of sources of our own: nothing of this host's apt is changed. */
async function fetchTests(folder: string, major: string): Promise<string> {
  for (const part of ['lists/partial', 'cache/archives/partial', 'headers'])
    mkdirSync(join(folder, part), { recursive: true });
  const [{ stdout: version }, { stdout: suite }] = await Promise.all([
    run('dpkg-query', ['-W', '-f', `\${source:Version}`, `postgresql-${major}`]),
    run('/bin/sh', ['-c', '. /etc/os-release && printf %s "$VERSION_CODENAME"']),
  ]);
  const by = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org';
  const suites = [`${by}/debian ${suite} main`, `${by}/debian-security ${suite}-security main`];
  const lines = suites.flatMap((one) => [`deb-src ${one}`, `deb ${one}`]);
  writeFileSync(join(folder, 'sources.list'), `${lines.join('\n')}\n`);
  const own = { 'Dir::Etc::sourcelist': 'sources.list', 'Dir::State::lists': 'lists', 'Dir::Cache': 'cache' };
  const words = Object.entries(own).flatMap(([name, path]) => ['-o', `${name}=${join(folder, path)}`]);
  const apt = (...more: string[]) =>
    run('apt-get', [...words, '-o', 'Dir::Etc::sourceparts=/nonexistent', '-q', ...more], { cwd: folder, ...room });
  try {
    await apt('update');
    await apt('source', '--download-only', `postgresql-${major}=${version}`);
    await apt('download', `postgresql-server-dev-${major}`);
  } catch (error) {
    throw new Error(`${needed} ${String(error)}`, { cause: error });
  }
  const file = (end: RegExp) => join(folder, readdirSync(folder).find((name) => end.test(name)) ?? 'none');
  await run('dpkg', ['-x', file(/^postgresql-server-dev.*\.deb$/), join(folder, 'headers')]);
  await run('tar', ['-xf', file(/\.orig\.tar\.\w+$/), '--strip-components=4', '--wildcards', '*/src/test/regress/*'], {
    cwd: folder,
  });
  const include = join(folder, 'headers/usr/include/postgresql');
  const library = [
    '-shared',
    '-fPIC',
    '-I',
    join(include, major, 'server'),
    '-I',
    include,
    '-o',
    'regress.so',
    'regress.c',
  ];
  await run('gcc', library, { cwd: folder });
  return folder;
}

/** As pg_regress does; what a test of theirs says is not looked at. */
async function loadAll(server: Postgres, tests: string, database: string): Promise<void> {
  await server.createDatabase(database);
  for (const setting of ["lc_messages TO 'C'", "bytea_output TO 'hex'", "timezone_abbreviations TO 'Default'"])
    await server.query(`ALTER DATABASE ${database} SET ${setting}`);
  const env = {
    ...process.env,
    ...{ PG_ABS_SRCDIR: tests, PG_ABS_BUILDDIR: tests, PG_LIBDIR: tests, PG_DLSUFFIX: '.so' },
    ...{
      PGTZ: 'PST8PDT',
      PGDATESTYLE: 'Postgres, MDY',
      PGHOST: server.socketDir,
      PGPORT: String(server.port),
      PGUSER: 'postgres',
    },
  };
  const schedule = readFileSync(join(tests, 'parallel_schedule'), 'utf8').matchAll(/^test: (.*)$/gm);
  for (const name of [...schedule].flatMap(([, names = '']) => names.trim().split(/\s+/))) {
    const script = join(tests, 'sql', `${name}.sql`);
    if (!existsSync(script)) continue;
    const psql = run(join(server.programs, 'psql'), ['-X', '-q', '-d', database], { env, cwd: tests, ...room });
    psql.child.stdin?.end(readFileSync(script));
    await psql;
  }
}

/** What pg_dump says of it, with the rows of each table in one order: where on disk they lie is nothing that comes back. */
async function dumpOf(server: Postgres, database: string): Promise<string> {
  const words = ['-h', server.socketDir, '-p', String(server.port), '-U', 'postgres', database];
  const { stdout } = await run(join(server.programs, 'pg_dump'), words, { ...room, encoding: 'latin1' });
  return stdout
    .replace(/^\\(un)?restrict .*$/gm, '')
    .replace(
      /^(COPY .* FROM stdin;\n)([\s\S]*?)^\\\.$/gm,
      (_, head: string, rows: string) => head + rows.split('\n').sort().join('\n'),
    );
}

test("PostgreSQL's own regression database comes back as pg_dump and pg_restore alone bring it back, and every comparison passes", async () => {
  const folder = await temporaryFolder({ open: true });
  await using server = await startPostgres();
  const tests = await fetchTests(folder, server.programs.split('/')[4]!);
  for (const name of ['results', 'testtablespace']) {
    mkdirSync(join(tests, name), { recursive: true });
    chmodSync(join(tests, name), 0o777);
  }
  await loadAll(server, tests, 'regression');
  const [{ tables }] = (await server.query(
    "SELECT count(*)::int AS tables FROM pg_class WHERE relkind IN ('r', 'p') AND oid > 16383",
    'regression',
  )) as [{ tables: number }];
  expect(tables).toBeGreaterThan(500);

  const work = startRun({ clock: systemClock });
  const source = postgresSource({ name: 'db', url: server.urlOf('regression'), exclude: [] });
  const contents = await contentsOf(await source.capture(work));
  const into = server.urlOf('back');
  const { problems, notCompared } = await source.restore(
    contents,
    { into, force: false, only: [], trustCode: true },
    work,
  );
  expect(problems).toEqual([]);
  const measured = await source.measure(into, contents.expectations!, work, contents);
  expect(measured.integrity.filter(({ ok }) => !ok)).toEqual([]);
  expect(checkExpectations(contents.expectations, measured.actual, contents.facts, notCompared)).toMatchObject({
    verdict: 'pass',
  });

  await server.createDatabase('plain');
  const at = ['-h', server.socketDir, '-p', String(server.port), '-U', 'postgres'];
  const dump = join(folder, 'plain.dump');
  await run(join(server.programs, 'pg_dump'), [...at, '-Fc', '-f', dump, 'regression']);
  await run(join(server.programs, 'pg_restore'), [...at, '-d', 'plain', dump]);
  const [plain, back] = await Promise.all(['plain', 'back'].map((database) => dumpOf(server, database)));
  expect(back!.length).toBeGreaterThan(1_000_000);
  // Compared here: a difference of megabytes is nothing to print.
  const lines = plain!.split('\n');
  const different = back!
    .split('\n')
    .flatMap((line, at) => (line === lines[at] ? [] : [`${line} instead of ${lines[at]}`]));
  expect(different.slice(0, 20)).toEqual([]);
  expect(back!.length).toBe(plain!.length);
});
