import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { newUlid } from '../../src/core/ulid.ts';
import { sandboxTooSmall } from '../../src/sandbox/errors.ts';
import type { Sandbox, SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { openSandbox } from '../../src/sandbox/sandbox.ts';
import { startPostgres } from '../../src/sources/postgres/sandbox-server.ts';
import { temporaryFolder } from '../support/temp.ts';

interface Place {
  readonly folder: string;
  readonly stateDir: string;
  readonly options: SandboxOptions;
}

async function place(change: Partial<SandboxOptions> = {}): Promise<Place> {
  const folder = await temporaryFolder();
  const stateDir = join(folder, 'state');
  const options = {
    stateDir,
    id: newUlid(Date.now(), randomBytes),
    made: new Date().toISOString(),
    needsBytes: 0,
    needsFiles: 0,
    limits: { timeMs: 3_600_000 },
    workFolders: [join(folder, 'app')],
    hidden: [stateDir, join(folder, 'backups'), join(folder, 'key.txt')],
    ...change,
  };
  for (const name of ['app', 'backups']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'backups', 'pack'), 'secret pack');
  writeFileSync(join(folder, 'key.txt'), 'AGE-SECRET-KEY-1…');
  return { folder, stateDir, options };
}

const footings = process.getuid?.() === 0 ? (['root', 'user'] as const) : (['user'] as const);

async function signIn(connectionString: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

async function sh(box: Sandbox, script: string, directory = '/', env: Record<string, string> = {}) {
  const agent = await box.application([]);
  const words = ['/bin/sh', '-c', script];
  const path = process.env.PATH ?? '/usr/bin:/bin';
  return agent.call('run', { name: 'test', words, env: { PATH: path, ...env }, directory, timeoutMs: 20_000 });
}

describe('the sandbox', () => {
  test('V1: reaches no network, neither outside nor on this host, and shows it by trying', async () => {
    const { options } = await place();
    await using box = await openSandbox(options);
    expect(box.isolation, 'what nothing tried').toMatchObject({ network: false, files: false });
    await box.tryOut();
    const footing = process.getuid?.() === 0 ? 'root' : 'user';
    expect(box.isolation).toMatchObject({ network: true, files: true, footing });
    const tcp = box.isolation.probes.filter(({ target }) => target.startsWith('tcp '));
    expect(tcp.map(({ reached, what }) => `${reached} ${what}`)).toEqual(['false ENETUNREACH', 'false ECONNREFUSED']);
  });

  test('shows no destination, no key and none of our state', async () => {
    const { folder, stateDir, options } = await place();
    await using box = await openSandbox(options);
    const { tail } = await sh(
      box,
      `cat ${folder}/key.txt; ls -A ${folder}/backups ${stateDir}; cat ${folder}/backups/pack`,
    );
    expect(tail).not.toContain('secret pack');
    expect(tail).not.toContain('AGE-SECRET-KEY');
    expect(tail).not.toContain('sandboxes');
  });

  test('lets the application write beside its code, and production sees none of it', async () => {
    const { folder, options } = await place();
    const app = join(folder, 'app');
    writeFileSync(join(app, 'state'), 'live');
    await using box = await openSandbox(options);
    const ended = await sh(
      box,
      'echo drilled > state && echo x > new && cat state; echo y > /usr/lifeboat-was-here',
      app,
    );
    expect(ended.tail).toContain('drilled');
    expect(ended.tail).toMatch(/Read-only file system/);
    expect(readFileSync(join(app, 'state'), 'utf8')).toBe('live');
    expect(readdirSync(app)).toEqual(['state']);
    expect(existsSync('/usr/lifeboat-was-here')).toBe(false);
  });

  test('lets the application to what is its own in a home that nobody else may enter, and shows nothing else of it', async () => {
    // Not below /tmp, of which a sandbox has its own.
    const home = mkdtempSync('/var/tmp/lifeboat-test-');
    onTestFinished(() => rmSync(home, { recursive: true }));
    for (const name of ['app', 'data', 'letters']) mkdirSync(join(home, name));
    for (const name of ['app/code', 'data/live', 'letters/one']) writeFileSync(join(home, name), name);
    chmodSync(home, 0o700);
    const { options } = await place({ workFolders: [join(home, 'app')] });
    await using box = await openSandbox(options);
    mkdirSync(join(box.restored, 'data'));
    writeFileSync(join(box.restored, 'data/restored'), '');
    await box.application([{ from: join(box.restored, 'data'), to: join(home, 'data'), gone: [] }]);
    expect(box.isolation.notes).toEqual([]);
    const { tail } = await sh(box, `cat code; ls ../data; cat ../letters/one && echo seen`, join(home, 'app'));
    expect(tail).toMatch(/^app\/coderestored\n/);
    expect(tail).not.toContain('seen');
  });

  test('puts the restored copy on the production path, without the old log beside it', async () => {
    const { folder, options } = await place();
    const live = join(folder, 'app', 'app.db');
    for (const name of [live, `${live}-wal`]) writeFileSync(name, 'live');
    await using box = await openSandbox(options);
    writeFileSync(join(box.restored, 'app.db'), 'restored');
    await box.application([{ from: join(box.restored, 'app.db'), to: live, gone: ['app.db-wal'] }]);
    expect(box.isolation.notes).toEqual([]);
    const { tail } = await sh(box, `cat ${live}; ls ${folder}/app; echo new > ${live}-wal`);
    expect(tail).toBe('restoredapp.db\n');
    expect(readFileSync(`${live}-wal`, 'utf8')).toBe('live');
  });

  test("never shows production's own data where the restored copy could not be placed", async () => {
    const { folder, options } = await place();
    const [file, data] = [join(folder, 'app', 'app.db'), join(folder, 'app', 'data')];
    mkdirSync(data);
    for (const name of [file, `${file}-wal`, join(data, 'x')]) writeFileSync(name, 'live');
    await using box = await openSandbox(options);
    await box.application([
      { from: '/nothing/here', to: file, gone: ['app.db-wal'] },
      { from: null, to: data, gone: [] },
    ]);
    expect(box.isolation.notes).toEqual([expect.stringContaining(`${file} is hidden`)]);
    expect((await sh(box, `cat ${file} ${file}-wal ${data}/x; ls -A ${data}`)).tail).not.toContain('live');
    expect(readFileSync(file, 'utf8')).toBe('live');
  });

  test('hides sockets on which programs of this host listen', async () => {
    const { folder, options } = await place();
    const socket = join(folder, 'live.sock');
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      await using box = await openSandbox(options);
      const { tail } = await sh(box, `test -S ${socket} && echo visible; ls -A /run`);
      expect(tail).not.toContain('visible');
      expect(tail).not.toContain('postgresql');
    } finally {
      server.close();
    }
  });

  test('gives what runs inside no way to undo it: no mounts, no devices, no look at the agent', async () => {
    const { folder, options } = await place();
    await using box = await openSandbox(options);
    const script = `umount ${folder}/backups; mount -t tmpfs none /mnt; cat /proc/1/environ; ls /dev; echo 1 > /proc/sys/kernel/sysrq; ls ${folder}/backups`;
    const { tail } = await sh(box, script);
    expect(tail).toMatch(/must be superuser|permission denied|not permitted/i);
    expect(tail).not.toMatch(/\bsda|\bvda|\bnvme|\bmem\b/);
    expect(tail).not.toContain('pack');
  });

  test('passes no variable of ours on', async () => {
    const { options } = await place();
    process.env.PRODUCTION_SECRET = 'planted';
    try {
      await using box = await openSandbox(options);
      const { tail } = await sh(box, 'env; cat /proc/1/environ 2>/dev/null', '/', { GIVEN: 'yes' });
      expect(tail).toContain('GIVEN=yes');
      expect(tail).not.toContain('planted');
    } finally {
      delete process.env.PRODUCTION_SECRET;
    }
  });

  test('ends everything that was started in it, also what went into the background', async () => {
    const { folder, options } = await place();
    const mark = `lifeboat-test-${newUlid(Date.now(), randomBytes)}`;
    {
      await using box = await openSandbox(options);
      const words = ['/bin/sh', '-c', `(setsid sh -c 'sleep 1000; : ${mark}' &) ; sleep 1000; : ${mark}`];
      const agent = await box.application([]);
      await agent.call('start', { name: 'long', words, env: { PATH: process.env.PATH ?? '' }, directory: folder });
      await expect.poll(() => processesWith(mark), { timeout: 240_000 }).toBeGreaterThan(0);
    }
    expect(processesWith(mark)).toBe(0);
  });

  test('V10: leaves no file and no entry, also of folders without rights', async () => {
    const { stateDir, options } = await place();
    {
      await using box = await openSandbox(options);
      await sh(box, 'mkdir -p /run/lifeboat/tmp/a/b && chmod 000 /run/lifeboat/tmp/a');
      expect(readdirSync(join(stateDir, 'sandboxes'))).toHaveLength(2);
    }
    expect(readdirSync(join(stateDir, 'sandboxes'))).toEqual([]);
  });

  test('is refused before anything is made when the disk is too small', async () => {
    const { stateDir, options } = await place({ needsBytes: 2 ** 60 });
    await expect(openSandbox(options)).rejects.toSatisfy(sandboxTooSmall.is);
    expect(readdirSync(join(stateDir, 'sandboxes'))).toEqual([]);
  });

  test('is as closed for users who are not root, and its PostgreSQL runs there too', async () => {
    const { folder, options } = await place({ footings: ['user'] });
    await using box = await openSandbox(options);
    const app = join(folder, 'app');
    const server = await startPostgres(box, {
      name: 'db',
      major: 9,
      facts: {},
      port: 5432,
      signal: new AbortController().signal,
    });
    await box.application([], [server.door]);
    const { tail } = await sh(
      box,
      `echo new > file && cat file; umount ${folder}/backups; ls -A ${folder}/backups`,
      app,
    );
    expect(tail).toMatch(/^new\n/);
    expect(tail).not.toContain('pack');
    expect(box.isolation).toMatchObject({ network: true, files: true, footing: 'user' });
    expect(readdirSync(app)).toEqual([]);
    const asked = await sh(box, `psql -XAtc 'select 6 * 7' '${server.inside('postgres', 'postgres')}'`);
    expect(asked.tail).toBe('42\n');
  });

  test('works without namespaces too, and says that it closes nothing off', async () => {
    const { stateDir, options } = await place({ footings: [] });
    {
      await using box = await openSandbox(options);
      expect(box.isolation).toMatchObject({ network: false, files: false, footing: 'none' });
      expect((await sh(box, 'echo works')).tail).toBe('works\n');
      expect(existsSync(box.folder)).toBe(true);
    }
    expect(readdirSync(join(stateDir, 'sandboxes'))).toEqual([]);
  });

  test('has a short path for sockets, however long the state folder is', async () => {
    const folder = await temporaryFolder();
    const stateDir = join(folder, 'x'.repeat(120));
    const { options } = await place({ stateDir, hidden: [] });
    let link = '';
    {
      await using box = await openSandbox(options);
      link = box.sockets.ours;
      expect(Buffer.byteLength(link)).toBeLessThan(86);
      symlinkSync('x', join(link, 'probe'));
      expect(readdirSync(join(box.folder, 'ways'))).toEqual(['probe']);
    }
    expect(existsSync(link)).toBe(false);
  });
});

describe.each(footings)('the sandbox of database servers, footing %s', (footing) => {
  test('code of one database server reaches neither another nor the application, nor our way to itself', async () => {
    const { options } = await place({ footings: [footing] });
    await using box = await openSandbox(options);
    const { signal } = new AbortController();
    const start = (name: string, port: number) => startPostgres(box, { name, major: 9, facts: {}, port, signal });
    const [hostile, other] = [await start('hostile', 5432), await start('other', 5433)];
    const app = await box.application([], [hostile.door, other.door]);
    await app.call('start', { name: 'app', words: ['/bin/sh', '-c', 'sleep 1000'], env: {}, directory: '/' });
    const servers = readdirSync(join(box.folder, 'servers')).map((name) =>
      readFileSync(join(box.folder, 'servers', name, 'data', 'PG_VERSION')),
    );
    expect(servers).toHaveLength(2);

    await using client = await signIn(hostile.outside('postgres'));
    const inside = async (script: string): Promise<string> => {
      await client.query('DROP TABLE IF EXISTS said; CREATE TABLE said (line text)');
      await client.query(`COPY said FROM PROGRAM $sh$exec 2>&1; ${script}; true$sh$ WITH (DELIMITER E'\\x01')`);
      const { rows } = await client.query<{ line: string }>('SELECT line FROM said');
      return rows.map(({ line }) => line).join('\n');
    };
    const own = box.inside(join(box.folder, 'servers', 'hostile'));
    expect(await inside(`ls -A ${own}/.. | tr '\\n' ' '; ls -A ${own}/data | grep -c PG_VERSION`)).toBe('hostile 1');
    expect(await inside(`ls -d ${own}/../other ${own}/../../s ${own}/../../ways ${own}/../../restored`)).not.toMatch(
      /^\/run/m,
    );
    // Its own processes only: nobody's that it could signal.
    expect(await inside('grep -l "port=543[3]\\|slee[p]" /proc/[0-9]*/cmdline')).not.toContain('cmdline');
    const knock = (port: number) =>
      `perl -MIO::Socket::INET -e 'print IO::Socket::INET->new("127.0.0.1:${port}") ? "REACHED" : $!'`;
    expect(await inside(`${knock(5433)}; echo; ${knock(5432)}`)).toBe('Connection refused\nConnection refused');
    // A socket, or a link to one of this host's, in the place of its own leads us nowhere.
    await inside(
      `cd ${own}/data && mv .s.PGSQL.5432 away && ln -s /run/postgresql/.s.PGSQL.5432 .s.PGSQL.5432 && rm -f away; chmod 777 ${own} ${own}/data`,
    );
    for (const server of [hostile, other]) {
      await using again = await signIn(server.outside('postgres'));
      expect(
        (await again.query('SELECT inet_server_port() AS port, current_setting($1) AS of', ['port'])).rows,
      ).toEqual([{ port: null, of: server === hostile ? '5432' : '5433' }]);
    }
    const asked = await sh(
      box,
      `psql -XAtc 'select 6 * 7' '${other.inside('postgres', 'postgres')}'; psql -XAtc 'select 7 * 7' -h /run/lifeboat/s -p 5432 -U postgres`,
    );
    expect(asked.tail).toBe('42\n49\n');
  });
});

function processesWith(mark: string): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  }).length;
}
