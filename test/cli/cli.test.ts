// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { loadSystem } from '../../src/config/load.ts';
import { definedErrors } from '../../src/core/errors.ts';
import { temporaryFolder } from '../support/temp.ts';
import { bin, lifeboat, project } from './lifeboat.ts';

describe('the first minutes', () => {
  test('init, check, backup, list, restore, drill, status: each says what is next, and it ends proved', async () => {
    const folder = await project();
    const init = await lifeboat(folder, ['init']);
    expect(init).toMatchObject({ code: 0, stderr: '' });
    expect(init.stdout).toMatch(/Move lifeboat-keys\/offline.txt away from this machine now/);
    for (const key of ['daily.txt', 'offline.txt']) {
      expect(statSync(join(folder, 'lifeboat-keys', key)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(join(folder, 'lifeboat-keys')).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(folder, 'lifeboat.yaml'), 'utf8')).not.toContain('AGE-SECRET-KEY');

    const check = await lifeboat(folder, ['check', '--json']);
    expect(check.code, check.stdout).toBe(0);
    expect(JSON.parse(check.stdout)).toMatchObject({ good: true });

    const before = await lifeboat(folder, ['status']);
    expect(before.code).toBe(1);
    expect(before.stdout).toMatch(/you would lose everything in app-db and uploads, and nobody has proved/);

    const backup = await lifeboat(folder, ['backup', '--json']);
    expect(backup.code, backup.stdout + backup.stderr).toBe(0);
    expect(backup.stderr).toBe('');
    const { backedUp } = JSON.parse(backup.stdout) as { backedUp: { dataset: string }[] };
    expect(backedUp.map((one) => one.dataset)).toEqual(['app-db', 'uploads']);

    const list = await lifeboat(folder, ['list', 'uploads']);
    expect(list.stdout).toMatch(
      /^uploads\n.* UTC {2}[0-9A-Z]{26} {2}5 B {2}\+5 B {2}local {2}kept: last 3, hourly, daily, weekly, monthly, until about \d{4}-\d\d-\d\d\n$/s,
    );

    const without = await lifeboat(folder, ['restore', 'uploads', '--into', 'back']);
    expect(without).toMatchObject({ code: 64, stderr: expect.stringContaining('--identity lifeboat-keys/daily.txt') });
    const key = { LIFEBOAT_IDENTITY: 'lifeboat-keys/daily.txt' };
    const restore = await lifeboat(folder, ['restore', 'uploads', '--into', 'back', '--quiet'], key);
    expect(restore).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(join(folder, 'back/a.txt'), 'utf8')).toBe('hello');
    const again = await lifeboat(folder, ['restore', 'uploads', '--into', 'back', '--json'], key);
    expect(again.code).toBe(2);
    expect(JSON.parse(again.stdout)).toMatchObject({ error: { code: 'target-not-empty', hint: expect.any(String) } });

    const files = await lifeboat(folder, ['list', 'uploads', '--files', '--json'], key);
    expect(JSON.parse(files.stdout)).toMatchObject([{ path: 'a.txt', sizeBytes: 5 }]);

    const keys = await lifeboat(folder, ['keys', 'check', '--identity', 'lifeboat-keys/offline.txt', '--json']);
    expect(JSON.parse(keys.stdout)).toMatchObject({ good: true, keys: [{ inConfiguration: true }] });
    const stray = await lifeboat(folder, ['keys', 'new', 'stray.txt']);
    expect(stray.stdout).toMatch(/age1[a-z0-9]{58}\n$/);
    const wrong = await lifeboat(folder, ['keys', 'check', '--identity', 'stray.txt']);
    expect(wrong).toMatchObject({ code: 1, stdout: expect.stringContaining('it was not made for this key') });

    const verify = await lifeboat(folder, ['verify', '--all', '--json']);
    expect(verify.code, verify.stdout).toBe(0);

    const drill = await lifeboat(folder, ['drill'], key);
    expect(drill.code, drill.stdout + drill.stderr).toBe(0);
    expect(drill.stdout).toContain('PROVED');

    const status = await lifeboat(folder, ['status']);
    expect(status.stdout).toMatch(/you would lose at most .* of data and be back in about .*\nProved .* checks, RTO /);
    expect(status.code, status.stdout).toBe(0);

    const prune = await lifeboat(folder, ['prune', '--dry-run']);
    expect(prune).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing was deleted.') });
  });

  test('init never replaces a configuration or a key that is there', async () => {
    const folder = await project();
    await lifeboat(folder, ['init']);
    const config = readFileSync(join(folder, 'lifeboat.yaml'), 'utf8');
    const key = readFileSync(join(folder, 'lifeboat-keys/daily.txt'), 'utf8');
    expect(await lifeboat(folder, ['init'])).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('config-exists'),
    });
    const dry = await lifeboat(folder, ['init', '--dry-run']);
    expect(dry.stdout).toContain('type: sqlite');
    expect(readFileSync(join(folder, 'lifeboat.yaml'), 'utf8')).toBe(config);

    const forced = await lifeboat(folder, ['init', '--force']);
    expect(forced.code).toBe(0);
    const recipients = /age1[a-z0-9]{58}/g;
    const anew = readFileSync(join(folder, 'lifeboat.yaml'), 'utf8');
    expect(anew.match(recipients)).toEqual(config.match(recipients));
    expect(readFileSync(join(folder, 'lifeboat.yaml.old'), 'utf8')).toBe(config);
    expect(readFileSync(join(folder, 'lifeboat-keys/daily.txt'), 'utf8')).toBe(key);
    expect(await lifeboat(folder, ['keys', 'new', 'lifeboat-keys/daily.txt'])).toMatchObject({ code: 64 });
    expect(readFileSync(join(folder, 'lifeboat-keys/daily.txt'), 'utf8')).toBe(key);
  });

  test('in a repository, keys and backups are kept out of it', async () => {
    const folder = await project();
    mkdirSync(join(folder, '.git'));
    writeFileSync(join(folder, '.gitignore'), 'node_modules');
    await lifeboat(folder, ['init']);
    expect(readFileSync(join(folder, '.gitignore'), 'utf8')).toBe('node_modules\n/lifeboat-keys/\n/backups/\n');
  });
});

describe('usage', () => {
  test('help, for all, a group and a command', async () => {
    const folder = await temporaryFolder();
    const all = await lifeboat(folder, []);
    expect(all.code).toBe(0);
    for (const { name } of commands) expect(all.stdout).toContain(`  ${name.split(' ')[0]}`);
    expect((await lifeboat(folder, ['--help'])).stdout).toBe(all.stdout);
    expect(await lifeboat(folder, ['keys'])).toMatchObject({ code: 64, stderr: expect.stringContaining('check') });
    const restore = await lifeboat(folder, ['restore', '--help']);
    expect(restore).toMatchObject({ code: 0, stdout: expect.stringContaining('--into <target>') });
    expect((await lifeboat(folder, ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('what is wrong is said, with exit code 64', async () => {
    const folder = await project();
    await lifeboat(folder, ['init']);
    await lifeboat(folder, ['backup', '--quiet', 'uploads']);
    const wrong: [string[], string][] = [
      [['stauts'], "Did you mean 'status'?"],
      [['status', '--nope'], "Unknown option '--nope'"],
      [['restore'], 'Missing required argument'],
      [['config', 'show', 'extra'], 'Too many arguments'],
      [['verify', '--part', '9/7'], "'9/7' is no part"],
      [['verify', '--all', '--part', '1/7'], 'exclude each other'],
      [['list', '--files'], 'exactly one dataset'],
      [['list', 'nothing'], "no dataset 'nothing'"],
      [['completion', 'tcsh'], 'no completion for tcsh'],
    ];
    for (const [args, said] of wrong) {
      const ran = await lifeboat(folder, args);
      expect(ran.stderr).toContain(said);
      expect(ran.code, args.join(' ')).toBe(64);
    }
  });

  test('errors are one JSON document when asked, wherever --json stands, and never a stack trace', async () => {
    const folder = await temporaryFolder();
    for (const args of [
      ['--json', 'status'],
      ['status', '--json'],
    ]) {
      const ran = await lifeboat(folder, args);
      expect(ran).toMatchObject({ code: 64, stderr: '' });
      expect(JSON.parse(ran.stdout)).toEqual({
        error: { code: 'config-missing', message: expect.any(String), hint: expect.stringContaining('lifeboat init') },
      });
    }
    const text = await lifeboat(folder, ['status'], { LIFEBOAT_JSON: '0' });
    expect(text.stderr).toMatch(
      /^lifeboat: There is no configuration at lifeboat.yaml\.\n {2}Run 'lifeboat init'.*\n {2}\[config-missing\]\n$/,
    );
    expect((await lifeboat(folder, ['status'], { LIFEBOAT_DEBUG: '1' })).stderr).toContain('    at ');
    expect((await lifeboat(folder, ['status'], { LIFEBOAT_JSON: 'maybe' })).stderr).toContain('it must be 1 or 0');
  });

  test('every flag is also a variable; the command line goes first', async () => {
    const folder = await project();
    await lifeboat(folder, ['init', '--config', 'other.yaml']);
    const show = (args: string[], env: Record<string, string>) => lifeboat(folder, ['config', 'show', ...args], env);
    expect((await show([], { LIFEBOAT_CONFIG: 'other.yaml', LIFEBOAT_JSON: '1' })).stdout).toMatch(/^\{/);
    expect((await show(['--config', 'none.yaml'], { LIFEBOAT_CONFIG: 'other.yaml' })).code).toBe(64);
  });

  test('events come one a line, the result last', async () => {
    const folder = await project();
    await lifeboat(folder, ['init']);
    const ran = await lifeboat(folder, ['backup', 'uploads', '--json-events']);
    const events = ran.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(events[0]).toMatchObject({ type: 'step-started' });
    expect(events.at(-1)).toMatchObject({ type: 'result', result: { failed: [] } });
  });
});

describe('the configuration', () => {
  test('is shown with its defaults and without its secrets', async () => {
    const folder = await temporaryFolder();
    writeFileSync(
      join(folder, 'lifeboat.yaml'),
      `version: 1
system: harbor
vault: { recipients: [age1${'q'.repeat(58)}] }
destinations: { local: { type: local, path: backups } }
datasets: { db: { type: postgres, url: "postgres://app:hunter2@\${HOST}/harbor" } }
drill:
  app: { start: ./run, ready: "http://x/", env: { SESSION_SECRET: hunter3, TOKEN: "\${TOKEN}" } }
`,
    );
    const ran = await lifeboat(folder, ['config', 'show'], { TOKEN: 'hunter4', HOST: 'db' });
    expect(ran.stdout).toContain('url: postgres://app:****@${HOST}/harbor');
    expect(ran.stdout).toContain('rpo: 1 h');
    expect(ran.stdout).not.toContain('hunter');
    expect((await lifeboat(folder, ['config', 'validate', '--json'])).stdout).toContain('"one-recipient"');
  });

  test('with a mistake is refused with its line, before anything is touched', async () => {
    const folder = await project();
    await lifeboat(folder, ['init']);
    const file = join(folder, 'lifeboat.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('rpo: 15m', 'rop: 15m'));
    const ran = await lifeboat(folder, ['backup']);
    expect(ran.code).toBe(64);
    expect(ran.stderr).toMatch(
      /lifeboat\.yaml:\d+:\d+: 'rop' is not a known key\n.*app-db.*\n +\| +\^\n += Did you mean 'rpo'\?/,
    );
    expect(existsSync(join(folder, 'backups'))).toBe(false);
  });
});

test('gc says no when it had to leave something alone', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  expect(await lifeboat(folder, ['gc'])).toMatchObject({ code: 0 });
  const { stateDir } = loadSystem(join(folder, 'lifeboat.yaml'), { LIFEBOAT_STATE_DIR: join(folder, 'state') });
  mkdirSync(join(stateDir, 'sandboxes'), { recursive: true });
  writeFileSync(join(stateDir, 'sandboxes/01KA0000000000000000000000.json'), 'no entry');
  const left = await lifeboat(folder, ['gc']);
  expect(left.code).toBe(1);
  expect(left.stdout).toContain('was left alone');
});

test('completions are made from the commands, and bash offers them', async () => {
  const folder = await temporaryFolder();
  const { stdout } = await lifeboat(folder, ['completion', 'bash']);
  writeFileSync(join(folder, 'lifeboat.bash'), stdout);
  const complete = `source lifeboat.bash; COMP_WORDS=(lifeboat keys ''); COMP_CWORD=2; _lifeboat; echo "\${COMPREPLY[@]}"`;
  const offered = await new Promise<string>((done, failed) => {
    execFile('bash', ['-c', complete], { cwd: folder }, (error, out) => (error ? failed(error) : done(out)));
  });
  expect(offered.split(' ')).toEqual(expect.arrayContaining(['list', 'check', 'new', '--identity']));
  expect((await lifeboat(folder, ['completion', 'zsh'])).stdout).toContain('#compdef lifeboat');
  expect((await lifeboat(folder, ['completion', 'fish'])).stdout).toContain('-a status');
});

test('Ctrl-C ends with 130 and says that nothing is half done', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  // A dataset whose secret never comes keeps the command waiting.
  const config = readFileSync(join(folder, 'lifeboat.yaml'), 'utf8');
  const url = "'${command:touch waiting; exec sleep 30}'";
  writeFileSync(
    join(folder, 'lifeboat.yaml'),
    config.replace('datasets:', `datasets:\n  pg: { type: postgres, url: ${url} }`),
  );
  const child = spawn(bin, ['backup'], {
    detached: true,
    cwd: folder,
    env: { ...process.env, LIFEBOAT_STATE_DIR: join(folder, 'state') },
  });
  let stderr = '';
  child.stderr.on('data', (piece) => {
    stderr += piece;
  });
  const ended = new Promise<number | null>((done) => child.on('exit', done));
  await expect.poll(() => existsSync(join(folder, 'waiting')), { timeout: 240_000 }).toBe(true);
  // A terminal sends it to the command and to all that it started.
  process.kill(-child.pid!, 'SIGINT');
  expect(await ended).toBe(130);
  expect(stderr).toContain('[interrupted]');
  expect(stderr).not.toContain('    at ');
});

test('all commands load side by side: no two errors share a code', async () => {
  for (const { load } of commands) await load();
  expect(definedErrors().size).toBeGreaterThan(20);
});
