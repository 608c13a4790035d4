import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { bin, lifeboat } from '../cli/lifeboat.ts';
import { temporaryFolder } from '../support/temp.ts';
import { disaster, isThere, secondCommand } from './bare-machine.ts';

describe('B3: bootstrap', () => {
  test('without a key prints what a vault holds, and writes nothing', async () => {
    const { run, vault, lost } = await disaster();
    const ran = await run('bootstrap', vault, '--json');
    expect(ran.code, ran.stderr).toBe(0);
    const { survey, next } = JSON.parse(ran.stdout);
    expect(next).toBeNull();
    expect(survey.systems).toMatchObject([
      {
        datasets: [
          { dataset: 'app-db', kind: 'sqlite', restorePoints: 1, newest: { sizeBytes: expect.any(Number) } },
          { dataset: 'uploads', kind: 'files', restorePoints: 1 },
        ],
        writers: [{ key: expect.stringMatching(/^.{43}=$/), restorePoints: 3 }],
        configuration: { id: expect.any(String) },
      },
    ]);
    expect(existsSync(lost)).toBe(false);
    expect((await run('bootstrap', vault)).stdout).toMatch(
      /Nobody is believed yet[\s\S]*pass the key: --identity FILE/,
    );
  });

  test('brings the configuration back to where it was, says what differs, and prints the second command', async () => {
    const { run, vault, key, lost } = await disaster((folder) => {
      const file = join(folder, 'lifeboat.yaml');
      writeFileSync(join(folder, 'app.env'), 'A=1\n', { mode: 0o640 });
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^system: .*$/m, '$&\nenvFile: app.env'));
    });
    const first = await run('bootstrap', `file://${vault}`, '--identity', key, '--trust');
    expect(first.code, first.stderr).toBe(0);
    expect(readFileSync(join(lost, 'app.env'), 'utf8')).toBe('A=1\n');
    expect(statSync(join(lost, 'app.env')).mode & 0o777).toBe(0o640);
    expect(first.stdout).toContain(`Destination local (${lost}/backups) cannot be reached`);
    // The copy that was addressed is not one that the configuration names, so the second command names it.
    const words = secondCommand(first.stdout);
    expect(words).toContain('--from');
    const second = await run(...words);
    expect(second.code, second.stderr).toBe(0);
    expect(second.stdout).toContain('All of it is back: 2 datasets');
    expect(second.stdout).toContain('As recorded: 1 row in 1 table');
    expect(readFileSync(join(lost, 'data/uploads/a.txt'), 'utf8')).toBe('hello');
  });

  test('overwrites nothing: files that differ are named before anything is written, equal ones are left', async () => {
    const { run, vault, key, lost } = await disaster();
    mkdirSync(lost);
    writeFileSync(join(lost, 'lifeboat.yaml'), 'mine\n');
    const refused = await run('bootstrap', vault, '--identity', key);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('files-in-the-way') });
    expect(readFileSync(join(lost, 'lifeboat.yaml'), 'utf8')).toBe('mine\n');
    const aside = await run('bootstrap', vault, '--identity', key, '--into', 'aside');
    expect(aside.code, aside.stderr).toBe(0);
    const again = await run('bootstrap', vault, '--identity', key, '--into', 'aside');
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain('was there already, the same');
    rmSync(lost, { recursive: true });
  });

  test('into a folder, what lay outside of the lost one goes below it, and is told', async () => {
    const outside = join(await temporaryFolder(), 'token');
    writeFileSync(outside, 'secret\n');
    const { run, vault, key } = await disaster((folder) => {
      const file = join(folder, 'lifeboat.yaml');
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^system: .*$/m, `$&\nenvFile: ${outside}`));
    });
    rmSync(outside);
    const ran = await run('bootstrap', vault, '--identity', key, '--into', 'here', '--json');
    expect(ran.code, ran.stderr).toBe(0);
    const { restored } = JSON.parse(ran.stdout);
    expect(restored.differences.notes.join('\n')).toContain(
      `The configuration looks for ${outside}, which is not there`,
    );
    expect(existsSync(outside)).toBe(false);
  });

  test('says clearly what is wrong: the key, the place, the address, the format', async () => {
    const { run, vault, key } = await disaster();
    const stranger = join(dirname(key), 'stranger.txt');
    await run('keys', 'new', stranger);
    const empty = join(dirname(key), 'empty');
    mkdirSync(empty);
    const answers: [string[], number, string][] = [
      [[vault, '--identity', stranger], 64, 'writers-unclear'],
      [[empty], 2, 'the folder is empty'],
      [[dirname(vault)], 2, `name one of them: ${vault}`],
      [['/no/such/folder'], 2, 'There is no vault at /no/such/folder: it is not there.'],
      [['s3:/bucket'], 64, 'address-unclear'],
      [['sftp://user:password@host/x'], 64, 'could be read by every user'],
      [['s3://bucket?endpoint=http://127.0.0.1:1&region=x'], 2, 'no credentials were found'],
      [[vault, '--system', 'other', '--identity', key], 64, 'system-unclear'],
      [[vault, '--accept-writer', `${'A'.repeat(43)}=`, '--identity', key], 64, 'writers-unclear'],
    ];
    for (const [words, code, said] of answers) {
      const ran = await run('bootstrap', ...words);
      expect(ran, words.join(' ')).toMatchObject({ code, stderr: expect.stringContaining(said) });
      expect(ran.stderr).not.toContain('password@');
    }
    const credentials = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
    const dead = await lifeboat(empty, ['bootstrap', 's3://bucket?endpoint=http://127.0.0.1:1&region=x'], credentials);
    expect(dead).toMatchObject({ code: 2, stderr: expect.stringContaining('destination-unreachable') });
    const file = join(vault, 'vault.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"format":1', '"format":2'));
    expect(await run('bootstrap', vault)).toMatchObject({ code: 2, stderr: expect.stringContaining('format-newer') });
  });
});

describe('B3: recover', () => {
  test('goes on after a dataset that fails, and a second run brings back only what is missing', async () => {
    const done = await disaster();
    const { run, vault, key, lost } = done;
    const words = secondCommand((await run('bootstrap', vault, '--identity', key, '--trust')).stdout);
    // Something is where the database belongs.
    mkdirSync(join(lost, 'data'));
    writeFileSync(join(lost, 'data/app.db'), 'something else');
    const first = await run(...words);
    expect(first.code).toBe(2);
    expect(first.stdout).toContain('Not back: app-db.');
    expect(isThere(done, 'data/uploads/a.txt')).toBe(true);
    rmSync(join(lost, 'data/app.db'));
    // What the application changed since is not touched.
    writeFileSync(join(lost, 'data/uploads/a.txt'), 'changed since');
    const second = await run(...words, '--json');
    expect(second.code, second.stdout).toBe(0);
    const { datasets } = JSON.parse(second.stdout);
    expect(datasets).toMatchObject([
      { dataset: 'app-db', state: 'back', compared: { verdict: 'as recorded', looked: expect.any(Number) } },
      { dataset: 'uploads', state: 'was back' },
    ]);
    expect(readFileSync(join(lost, 'data/uploads/a.txt'), 'utf8')).toBe('changed since');
    const again = await run(...words, 'uploads', '--again');
    expect(again.code, again.stderr).toBe(0);
    expect(readFileSync(join(lost, 'data/uploads/a.txt'), 'utf8')).toBe('hello');
    // Gone once more, from under it.
    rmSync(join(lost, 'data'), { recursive: true });
    const third = await run(...words, '--json');
    expect(third.code, third.stdout).toBe(0);
    expect(JSON.parse(third.stdout).datasets).toMatchObject([{ state: 'back' }, { state: 'back' }]);
    expect(readFileSync(join(lost, 'data/uploads/a.txt'), 'utf8')).toBe('hello');
  });

  test('killed at any moment, it goes on where it was when it is run again', async () => {
    const { run, vault, key, lost } = await disaster();
    const words = secondCommand((await run('bootstrap', vault, '--identity', key, '--trust')).stdout);
    const events = ['app-db', 'uploads', 'app-db/compare'];
    for (const step of events) await killedAt(dirname(key), words, step);
    const last = await run(...words, '--json');
    expect(last.code, last.stdout).toBe(0);
    const { datasets } = JSON.parse(last.stdout);
    expect(datasets.map(({ state }: { state: string }) => state)).toEqual(['was back', 'was back']);
    expect(readFileSync(join(lost, 'data/uploads/a.txt'), 'utf8')).toBe('hello');
  });

  test('a destination of the lost host is not silently begun anew by the next backup', async () => {
    const { run, vault, key, lost } = await disaster();
    const words = secondCommand((await run('bootstrap', vault, '--identity', key, '--trust')).stdout);
    await run(...words);
    const config = ['--config', join(lost, 'lifeboat.yaml')];
    const backup = await run('backup', ...config);
    expect(backup).toMatchObject({ code: 2, stderr: expect.stringContaining('destination-unreachable') });
    const told = await run('backup', '--refill', ...config);
    expect(told.code, told.stderr).toBe(0);
    expect(readFileSync(join(lost, 'backups/vault.json'))).toEqual(readFileSync(join(vault, 'vault.json')));
  });
});

/** Runs the command and kills it when `step` has ended. */
async function killedAt(folder: string, words: readonly string[], step: string): Promise<void> {
  const env = { PATH: process.env.PATH, HOME: folder, LIFEBOAT_STATE_DIR: join(folder, 'bare/state') };
  const child = spawn(bin, [...words, '--json-events'], {
    cwd: join(folder, 'bare'),
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as { type: string; step?: string };
    if (event.type === 'step-ended' && event.step === step) child.kill('SIGKILL');
  }
  await ended;
}
