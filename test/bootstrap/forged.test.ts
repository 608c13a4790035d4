import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadSystem } from '../../src/config/load.ts';
import { trustOf } from '../../src/operations/known-writers.ts';
import { forgery } from './forger.ts';

describe('C2: a forged vault on a bare machine', () => {
  test('C2: is not believed where nothing vouches for its only writer, and nothing in it is used or written', async () => {
    const { run, vault, key, forger, harm, bare } = await forgery();
    for (const more of [[], ['--trust'], ['--into', 'here', '--trust'], ['--at', 'latest', '--json']]) {
      const ran = await run('bootstrap', vault, '--identity', key, ...more);
      expect(ran, more.join(' ')).toMatchObject({ code: 64 });
      expect(ran.stdout + ran.stderr).toContain('writers-unclear');
      expect(ran.stdout + ran.stderr).toContain(forger);
    }
    expect(harm()).toEqual([]);
    expect(readdirSync(bare)).toEqual([]);
  });

  test('C2: accepted by mistake, it writes into the named folder alone, and runs, reads and reaches nothing before a yes', async () => {
    const { run, vault, key, forger, harm, bare } = await forgery();
    const accepted = ['--identity', key, '--accept-writer', forger];
    const nowhere = await run('bootstrap', vault, ...accepted);
    expect(nowhere.code).toBe(1);
    expect(nowhere.stdout).toContain('Nothing was written, and nothing in it was used.');
    expect(readdirSync(bare)).toEqual([]);

    const ran = await run('bootstrap', vault, ...accepted, '--into', 'here');
    expect(ran.code, ran.stderr).toBe(0);
    for (const shown of [
      '${command:',
      'EXECUTED',
      'AWS_SECRET_ACCESS_KEY',
      key,
      'sftp://x@127.0.0.1',
      'http://127.0.0.1',
    ]) {
      expect(ran.stdout, shown).toContain(shown);
    }
    const here = join(bare, 'here');
    expect(readdirSync(here).sort()).toEqual(['host', 'lifeboat.yaml']);
    const config = ['--config', join(here, 'lifeboat.yaml')];
    for (const words of [
      ['recover', '--identity', key],
      ...[['status'], ['list'], ['check'], ['backup'], ['drill', '--identity', key], ['verify'], ['copy'], ['prune']],
      ['restore', 'uploads', '--into', 'x', '--identity', key],
      ['keys', 'check', '--identity', key],
    ]) {
      const refused = await run(...words, ...config);
      expect(refused, words.join(' ')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('configuration-unconfirmed'),
      });
    }
    expect(harm()).toEqual([]);
  });

  test('C2: even after a yes nothing goes to where the system, a login or a timer would obey it', async () => {
    const { run, vault, key, forger, etc, original } = await forgery();
    const words = ['--identity', key, '--accept-writer', forger, '--trust'];
    const ran = await run('bootstrap', vault, ...words, '--json');
    expect(ran.code, ran.stderr).toBe(0);
    expect(existsSync(join(etc, 'cron.d'))).toBe(false);
    expect(existsSync(join(etc, 'authorized_keys'))).toBe(false);
    expect(existsSync(join(original, 'host', etc, 'cron.d/zz'))).toBe(true);
    expect(existsSync(join(etc, 'app/token'))).toBe(true);
    const { offer } = JSON.parse(ran.stdout);
    expect(offer.places.filter(({ why }: { why?: string }) => why !== undefined)).toHaveLength(2);
  });

  test('C2: links, pipes and strangers in the named folder lead no file elsewhere, and stop nothing for ever', async () => {
    const { run, vault, key, forger, bare, root, harm } = await forgery();
    const words = ['bootstrap', vault, '--identity', key, '--accept-writer', forger, '--into'];
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    for (const [name, plant] of [
      ['a', (folder: string) => symlinkSync(elsewhere, join(folder, 'host'))],
      ['b', (folder: string) => symlinkSync(join(elsewhere, 'lifeboat.yaml'), join(folder, 'lifeboat.yaml'))],
      ['c', (folder: string) => symlinkSync('/dev/zero', join(folder, 'lifeboat.yaml'))],
      ['d', (folder: string) => writeFileSync(join(folder, 'host'), 'a file')],
    ] as const) {
      mkdirSync(join(bare, name));
      plant(join(bare, name));
      const ran = await run(...words, name);
      expect(ran.code, `${name}: ${ran.stdout}`).toBe(2);
      expect(ran.stderr).toMatch(/place-refused|files-in-the-way/);
    }
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(harm()).toEqual([]);
  });

  test('C2: writers and pruners that a restored configuration lists widen nothing, were they ten thousand', async () => {
    const writers = Array.from({ length: 10_000 }, () => randomBytes(32).toString('base64'));
    const { run, vault, key, forger, bare } = await forgery({ writers });
    const ran = await run(
      'bootstrap',
      vault,
      '--identity',
      key,
      '--accept-writer',
      forger,
      '--into',
      'here',
      '--trust',
    );
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stdout).not.toContain(writers[0]);
    const { stateDir } = JSON.parse(
      (await run('bootstrap', vault, '--identity', key, '--accept-writer', forger, '--into', 'here', '--json')).stdout,
    ).restored;
    const config = loadSystem(join(bare, 'here/lifeboat.yaml'), { LIFEBOAT_STATE_DIR: join(bare, 'state') });
    expect(config.stateDir).toBe(stateDir);
    const seen = JSON.parse((await run('bootstrap', vault, '--json')).stdout).survey.vault;
    const trust = trustOf(config, seen);
    expect(trust.writers?.has(forger)).toBe(true);
    expect(writers.filter((one) => trust.writers?.has(one) || trust.pruners?.has(one))).toEqual([]);
    expect(trust.writers?.size).toBeLessThan(4);
  });

  test.runIf(process.getuid?.() === 0)(
    'C2: to an ordinary user it does no more than to root',
    async () => {
      const { run, vault, key, forger, harm, bare } = await forgery({ user: 65_534 });
      expect(await run('bootstrap', vault, '--identity', key)).toMatchObject({ code: 64 });
      const ran = await run('bootstrap', vault, '--identity', key, '--accept-writer', forger, '--into', 'here');
      expect(ran.code, ran.stderr).toBe(0);
      const recovered = await run('recover', '--config', join(bare, 'here/lifeboat.yaml'), '--identity', key);
      expect(recovered).toMatchObject({ code: 2, stderr: expect.stringContaining('configuration-unconfirmed') });
      expect(harm()).toEqual([]);
    },
    120_000,
  );
});
