import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { smallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/temp.ts';
import { lifeboat, project } from './lifeboat.ts';

const daily = ['--identity', 'lifeboat-keys/daily.txt'];

/** A system in a folder, and the state of a machine beside it. */
async function installed() {
  const base = await temporaryFolder();
  const [folder, state] = [join(base, 'app'), join(base, 'state')];
  cpSync(await project(), folder, { recursive: true });
  const on = async (where: string, words: readonly string[], env: Record<string, string> = {}) =>
    lifeboat(where, words, { LIFEBOAT_STATE_DIR: state, ...env });
  const well = async (where: string, words: readonly string[]) => {
    const ran = await on(where, words);
    expect(ran.code, `${words.join(' ')}: ${ran.stdout}${ran.stderr}`).toBe(0);
    return ran;
  };
  await well(folder, ['init']);
  await well(folder, ['backup']);
  return { base, folder, state, on, well };
}

const writersIn = (vault: string) => readdirSync(join(vault, 'index')).length;

describe('moved-folder-new-writer: the state belongs to a system in a vault', () => {
  test('a moved folder, a release folder and a second configuration find it', async () => {
    const { base, folder, state, well } = await installed();
    const moved = join(base, 'moved');
    renameSync(folder, moved);
    const second = await well(moved, ['backup']);
    expect(second.stderr).not.toContain('for the first time');
    expect(second.stdout).toMatch(/uploads: .* 0 B new/);

    // A release folder, whose destination is named by its whole path.
    const text = readFileSync(join(moved, 'lifeboat.yaml'), 'utf8');
    const release = join(base, 'releases/2');
    mkdirSync(release, { recursive: true });
    const there = (path: string) => path.replaceAll(/path: \.\//g, `path: ${moved}/`);
    writeFileSync(join(release, 'lifeboat.yaml'), there(text));
    await well(release, ['backup']);
    // Another file beside it, in which the destination has another name.
    writeFileSync(join(moved, 'other.yaml'), text.replace(/^ {2}local:/m, '  disk:'));
    await well(moved, ['backup', '--config', 'other.yaml']);
    await well(moved, ['backup']);

    expect(readdirSync(state)).toHaveLength(1);
    expect(writersIn(join(moved, 'backups'))).toBe(1);
    const verified = await well(moved, ['verify', '--all']);
    expect(verified.stdout).not.toContain('doubtful');
    await well(moved, ['audit', 'verify']);
  });

  test('another system of the same name, and what came out of a vault, get one of their own', async () => {
    const { base, folder, state, on, well } = await installed();
    const other = join(base, 'other/app');
    cpSync(await project(), other, { recursive: true });
    await well(other, ['init']);
    await well(other, ['backup']);
    expect(readdirSync(state)).toHaveLength(2);

    await on(folder, ['bootstrap', join(folder, 'backups'), ...daily, '--into', join(base, 'rehearsal'), '--trust']);
    expect(readdirSync(state)).toHaveLength(3);
    // The living system goes on as it was.
    expect((await well(folder, ['backup'])).stderr).not.toContain('for the first time');
    expect(writersIn(join(folder, 'backups'))).toBe(1);
  });

  test('where it cannot be found, because it is another user has it, the new writer is told', async () => {
    const { base, folder, on } = await installed();
    const ran = await on(folder, ['backup', '--quiet'], { LIFEBOAT_STATE_DIR: join(base, 'elsewhere') });
    expect(ran.code).toBe(0);
    expect(ran.stderr).toMatch(/for the first time: \d+ restore points of .* are another writer's/);
    const again = await on(folder, ['backup', '--quiet'], { LIFEBOAT_STATE_DIR: join(base, 'elsewhere') });
    expect(again.stderr).toBe('');
  });
});

test('files-16: a full state disk is named at once, and restoring does not need it', async () => {
  const { folder, on } = await installed();
  const disk = await smallDisk(4);
  const full = { LIFEBOAT_STATE_DIR: join(disk.path, 'state') };
  const refused = await on(folder, ['backup'], full);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/state folder .*disk is full: .* free/) });
  try {
    writeFileSync(join(disk.path, 'filled'), Buffer.alloc(8 << 20));
  } catch {
    // Until nothing more fits.
  }
  const restored = await on(folder, ['restore', 'uploads', '--into', 'out', ...daily], full);
  expect(restored.code, restored.stderr).toBe(0);
  expect(readFileSync(join(folder, 'out/a.txt'), 'utf8')).toBe('hello');
});

test('files-16: a state disk that is read-only, or has no room for another file, is named too, and is no fault of the backups', async () => {
  const { folder, state, on } = await installed();
  const few = await smallDisk(16, 24);
  const noted = await on(folder, ['backup'], { LIFEBOAT_STATE_DIR: join(few.path, 'state') });
  expect(noted).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/room for \d+ more files.*\n.*\n.*state-folder-unusable/),
  });
  const disk = await smallDisk(16);
  cpSync(state, join(disk.path, 'state'), { recursive: true });
  await disk.remount('ro');
  const readOnly = { LIFEBOAT_STATE_DIR: join(disk.path, 'state') };
  for (const words of [['backup'], ['prune'], ['keep']]) {
    const ran = await on(folder, words, readOnly);
    expect(ran.stderr, words.join()).toContain('[state-folder-unusable');
  }
  const drill = await on(folder, ['drill', ...daily], readOnly);
  expect(drill.stdout).toMatch(/^INCONCLUSIVE/);
});

test('files-17: a home that cannot be used is named, and none is made up', async () => {
  const { folder } = await installed();
  const nobody = process.getuid?.() === 0 ? 65534 : undefined;
  if (nobody !== undefined) {
    execFileSync('chown', ['-R', '65534:65534', folder]);
    chmodSync(join(folder, '..'), 0o755);
  }
  const as = (HOME: string) => lifeboat(folder, ['backup'], { HOME, LIFEBOAT_STATE_DIR: '' }, nobody);
  for (const home of ['/nonexistent', 'relative/home']) {
    const ran = await as(home);
    expect(ran.stderr, home).toMatch(/LIFEBOAT_STATE_DIR[\s\S]*\[state-folder-unusable/);
    expect(ran.code, home).toBe(2);
  }
  expect(existsSync(join(folder, 'relative'))).toBe(false);
  const nowhere = { HOME: '/nonexistent', LIFEBOAT_STATE_DIR: '' };
  expect((await lifeboat(folder, ['check'], nowhere, nobody)).stdout).toMatch(/✗ configuration .*state folder/);
  const restored = await lifeboat(folder, ['restore', 'uploads', '--into', 'out', ...daily], nowhere, nobody);
  expect(restored.code, restored.stderr).toBe(0);
  const inAFile = await lifeboat(folder, ['backup'], { LIFEBOAT_STATE_DIR: '/etc/hostname' }, nobody);
  expect(inAFile.stderr).toContain('[state-folder-unusable');
  const relative = await lifeboat(folder, ['status'], { LIFEBOAT_STATE_DIR: 'here' });
  expect(relative.stderr).toContain('LIFEBOAT_STATE_DIR is no absolute path');
  expect(existsSync(join(folder, 'here'))).toBe(false);
});

test('check says of a folder that the first backup is to make whether it could', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  const file = join(folder, 'lifeboat.yaml');
  const yaml = readFileSync(file, 'utf8');
  for (const [above, said] of [
    ['.', 'The first backup makes it.'],
    ['/dev/null', 'The first backup could not make it: /dev/null/not cannot be written to'],
  ]) {
    writeFileSync(file, yaml.replace('path: ./backups', `path: ${above}/not/yet`));
    expect((await lifeboat(folder, ['check'])).stdout, above).toContain(said);
  }
});
