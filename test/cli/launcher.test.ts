import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';
import { bin } from './lifeboat.ts';

test('a crash leaves no picture of the memory in which identities lie', async () => {
  const folder = await temporaryFolder();
  // A configuration that never comes: the command waits for it.
  execFileSync('mkfifo', [join(folder, 'never.yaml')]);
  const words = ['-c', 'ulimit -S -c "$(ulimit -H -c)"; exec "$0" status --config never.yaml', bin];
  const child = spawn('sh', words, { cwd: folder, env: { PATH: process.env.PATH, HOME: folder }, stdio: 'ignore' });
  const ended = once(child, 'exit');
  try {
    await until(() => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').includes('main.ts'));
    // One byte: with 0 the kernel would still hand the memory to a program that core_pattern names.
    expect(readFileSync(`/proc/${child.pid}/limits`, 'utf8')).toMatch(/^Max core file size +1 +1 +bytes/m);
  } finally {
    child.kill('SIGABRT');
  }
  expect(await ended).toEqual([null, 'SIGABRT']);
  expect(readdirSync(folder).filter((name) => /^core/.test(name))).toEqual([]);
});

describe('compiled code is taken', () => {
  const isRoot = process.getuid?.() === 0;

  /** What the real launcher tells Node of the cache, in a home of its own. */
  async function stage() {
    const folder = await temporaryFolder();
    const home = join(folder, 'home');
    mkdirSync(home, { mode: 0o700 });
    mkdirSync(join(folder, 'bin'));
    copyFileSync(bin, join(folder, 'bin/lifeboat'));
    writeFileSync(join(folder, 'bin/node'), '#!/bin/sh\nprintenv NODE_COMPILE_CACHE || echo none\n', { mode: 0o755 });
    const cache = (env: Readonly<Record<string, string>> = { HOME: home }) =>
      execFileSync(join(folder, 'bin/lifeboat'), { env: { PATH: process.env.PATH, ...env }, encoding: 'utf8' }).trim();
    return { folder, home, cache };
  }

  test('from a folder of the user, made for him alone', async () => {
    const { folder, home, cache } = await stage();
    expect(cache()).toBe(join(home, '.cache/lifeboat'));
    expect(statSync(join(home, '.cache/lifeboat')).mode & 0o777).toBe(0o700);
    expect(cache({ HOME: home, XDG_CACHE_HOME: join(folder, 'other/place') })).toBe(
      join(folder, 'other/place/lifeboat'),
    );
    expect(cache({ NODE_COMPILE_CACHE: join(home, 'mine') })).toBe(join(home, 'mine'));
  });

  test('from no folder that others may write to, at any height, nor through a link to one', async () => {
    const { folder, home, cache } = await stage();
    expect(cache({})).toBe('none');
    expect(cache({ HOME: 'home' })).toBe('none');
    expect(cache()).not.toBe('none');
    const own = join(home, '.cache/lifeboat');
    for (const [path, mode] of [
      [own, 0o770],
      [own, 0o707],
      [own, 0o1777],
      [join(home, '.cache'), 0o775],
      [home, 0o777],
    ] as const) {
      const before = statSync(path).mode;
      chmodSync(path, mode);
      expect(cache(), `${path} ${mode.toString(8)}`).toBe('none');
      chmodSync(path, before);
    }
    mkdirSync(join(folder, 'open'));
    chmodSync(join(folder, 'open'), 0o777);
    mkdirSync(join(folder, 'open/lifeboat'), { mode: 0o700 });
    symlinkSync(join(folder, 'open'), join(home, 'link'));
    expect(cache({ HOME: home, XDG_CACHE_HOME: join(home, 'link') })).toBe('none');
    expect(cache({ NODE_COMPILE_CACHE: join(folder, 'open/lifeboat') })).toBe('none');
  });

  test.skipIf(!isRoot)("from no home of another user, as 'sudo -E' keeps it, and nothing is made there", async () => {
    const { folder, home, cache } = await stage();
    chmodSync(folder, 0o755);
    chownSync(home, 65534, 65534);
    expect(cache()).toBe('none');
    expect(readdirSync(home)).toEqual([]);
    mkdirSync(join(home, '.cache/lifeboat'), { recursive: true, mode: 0o700 });
    expect(cache()).toBe('none');
  });
});
