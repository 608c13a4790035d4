import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { temporaryFolder } from '../support/temp.ts';

const daily = ['--identity', 'lifeboat-keys/daily.txt'];

interface Entry {
  readonly kind: string;
  readonly body: Record<string, unknown>;
  readonly writer: string;
  readonly who: { host: string; user: string } | null;
}

async function backedUp(): Promise<string> {
  const folder = await project();
  await lifeboat(folder, ['init']);
  const ran = await lifeboat(folder, ['backup']);
  expect(ran.code, ran.stderr).toBe(0);
  return folder;
}

async function audit(folder: string, ...words: string[]): Promise<Entry[]> {
  const ran = await lifeboat(folder, ['audit', '--json', ...words]);
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  return (JSON.parse(ran.stdout) as { entries: Entry[] }).entries;
}

const kinds = (entries: readonly Entry[]) => entries.map(({ kind }) => kind);
const ledger = (folder: string) => join(folder, 'backups/ledger');

describe('U5: the audit log', () => {
  test('tells of backups, restores, uses of keys and changes of the configuration, newest first, without secrets', async () => {
    const folder = await backedUp();
    await lifeboat(folder, ['restore', 'uploads', '--into', 'elsewhere', ...daily]);
    await lifeboat(folder, ['verify', ...daily]);
    writeFileSync(join(folder, 'lifeboat.yaml'), `${readFileSync(join(folder, 'lifeboat.yaml'), 'utf8')}# changed\n`);
    await lifeboat(folder, ['backup', 'uploads']);
    const entries = await audit(folder);
    expect(kinds(entries)).toEqual(['backup', 'configuration', 'key', 'restore', 'backup', 'configuration']);
    const [second, changed, key, restore, first, noted] = entries.map(({ body }) => body);
    expect(second).toMatchObject({ restorePoints: [{ dataset: 'uploads' }], configuration: expect.any(String) });
    expect(first).toMatchObject({
      restorePoints: [{ dataset: 'app-db' }, { dataset: 'uploads' }],
      failed: [],
      behind: [],
    });
    expect(noted).toMatchObject({ old: null });
    expect(changed).toMatchObject({ old: noted?.new, new: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const print = /^[0-9a-f]{32}$/;
    expect(key).toMatchObject({ by: 'verify', keys: [expect.stringMatching(print)] });
    expect(restore).toMatchObject({
      target: 'elsewhere',
      keys: key?.keys,
      restores: [{ dataset: 'uploads', outcome: 'done', files: 1, bytes: 5, restorePoint: expect.any(String) }],
      rtoMs: expect.any(Number),
    });
    const text = JSON.stringify(entries);
    for (const secret of ['AGE-SECRET', 'age1', folder, 'elsewhere/', hostname()]) expect(text).not.toContain(secret);
    const [withWho] = await audit(folder, '--kind', 'restore', ...daily);
    expect(withWho?.who).toEqual({ host: hostname(), user: userInfo().username });

    const said = (await lifeboat(folder, ['audit'])).stdout.split('\n');
    expect(said[0]).toMatch(/backup +this host +uploads: .* stored; lifeboat\.yaml kept/);
    expect(said[1]).toMatch(/configuration +this host +lifeboat\.yaml changed: [0-9a-f]{8} became [0-9a-f]{8}/);
    expect(await audit(folder, '--since', '2100-01-01T00:00:00Z')).toEqual([]);
    expect(await lifeboat(folder, ['audit', '--kind', 'nothing'])).toMatchObject({ code: 64 });
  });

  test('tells of an attempt with a key that does not fit, too', async () => {
    const folder = await backedUp();
    await lifeboat(folder, ['keys', 'new', 'stray.txt']);
    await lifeboat(folder, ['restore', 'uploads', '--into', 'x', '--identity', 'stray.txt']);
    const [attempt] = await audit(folder);
    expect(attempt?.body).toMatchObject({ restores: [{ outcome: 'failed', code: 'no-identity-fits' }], rtoMs: null });
  });

  test('never keeps a restore from succeeding: what could not be written is said', async () => {
    const folder = await backedUp();
    rmSync(join(folder, 'state'), { recursive: true });
    // Read-only for everyone: also for root, to whom permissions mean nothing.
    rmSync(ledger(folder), { recursive: true });
    writeFileSync(ledger(folder), 'in the way');
    chmodSync(join(folder, 'backups'), 0o555);
    const ran = await lifeboat(folder, ['restore', 'uploads', '--into', 'back', ...daily]);
    chmodSync(join(folder, 'backups'), 0o755);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain('The audit log does not tell of this restore');
    expect(readFileSync(join(folder, 'back/a.txt'), 'utf8')).toBe('hello');
  });

  test('is verified offline from a copied folder, where changed, missing and cut-off entries show', async () => {
    const folder = await backedUp();
    for (let at = 0; at < 2; at++) await lifeboat(folder, ['backup', 'uploads']);
    const away = await temporaryFolder();
    const copy = join(away, 'ledger');
    cpSync(ledger(folder), copy, { recursive: true });
    const verify = (where: string) => lifeboat(away, ['audit', 'verify', where]);
    expect(await verify(away)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('The ledger holds: 4 entries.'),
    });
    expect(await verify(copy)).toMatchObject({ code: 0 });
    const names = readdirSync(copy).sort();
    const middle = join(copy, names[1] ?? '');
    const bytes = readFileSync(middle);
    rmSync(middle);
    expect(await verify(copy)).toMatchObject({ code: 1, stdout: expect.stringContaining('is missing or was changed') });
    writeFileSync(middle, Buffer.from(bytes.toString().replace('"payload":"e', '"payload":"f')));
    expect(await verify(copy)).toMatchObject({ code: 1 });
    mkdirSync(join(away, 'empty'));
    expect(await verify(join(away, 'empty'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no-ledger-there'),
    });
    // This host knows what it wrote last; a folder alone cannot tell that its end was cut off.
    rmSync(join(ledger(folder), names.at(-1) ?? ''));
    const cut = await lifeboat(folder, ['audit', 'verify']);
    expect(cut).toMatchObject({ code: 1, stdout: expect.stringContaining('the end was cut off') });
    expect((await lifeboat(folder, ['evidence', 'verify'])).code).toBe(1);
  });

  test('a host that was set back to an older state of its own goes on with one chain', async () => {
    const folder = await backedUp();
    const older = join(folder, 'state-before');
    cpSync(join(folder, 'state'), older, { recursive: true });
    await lifeboat(folder, ['restore', 'uploads', '--into', 'one', ...daily]);
    rmSync(join(folder, 'state'), { recursive: true });
    cpSync(older, join(folder, 'state'), { recursive: true });
    // What it remembers is young all the same; so it is made to look old, as after a night.
    const system = readdirSync(join(folder, 'state'))[0] ?? '';
    const { DatabaseSync } = await import('node:sqlite');
    using cache = new DatabaseSync(join(folder, 'state', system, 'ledger.sqlite'));
    cache.exec(
      "UPDATE fact SET value = substr(value, 1, length(value) - 24) || '2020-01-01T00:00:00.000Z' WHERE name LIKE 'newest %'",
    );
    await lifeboat(folder, ['restore', 'uploads', '--into', 'two', ...daily]);
    expect(await lifeboat(folder, ['audit', 'verify'])).toMatchObject({ code: 0 });
    expect(kinds(await audit(folder))).toEqual(['restore', 'restore', 'backup', 'configuration']);
  });

  test('a destination that was away gets what it missed with the next entry', async () => {
    const folder = await backedUp();
    const file = join(folder, 'lifeboat.yaml');
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(/^destinations:$/m, '$&\n  other: { type: local, path: ./other }'),
    );
    await lifeboat(folder, ['backup']);
    cpSync(join(folder, 'other'), join(folder, 'other-away'), { recursive: true });
    rmSync(join(folder, 'other'), { recursive: true });
    await lifeboat(folder, ['restore', 'uploads', '--into', 'one', ...daily]);
    cpSync(join(folder, 'other-away'), join(folder, 'other'), { recursive: true });
    await lifeboat(folder, ['restore', 'uploads', '--into', 'two', ...daily]);
    expect(readdirSync(join(folder, 'other/ledger')).sort()).toEqual(readdirSync(ledger(folder)).sort());
    expect(statSync(join(folder, 'other/ledger')).isDirectory()).toBe(true);
  });

  test('V7: a restore is evidence, and a proof is found behind many entries of other kinds', async () => {
    const folder = await backedUp();
    const drill = await lifeboat(folder, ['drill', ...daily]);
    expect(drill.code, drill.stdout).toBe(0);
    await lifeboat(folder, ['restore', 'uploads', '--into', 'back', ...daily]);
    const list = await lifeboat(folder, ['evidence', 'list']);
    expect(list.stdout.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(/restored +1 of 1 dataset .*uploads/),
      expect.stringMatching(/proved +\d+ of \d+ checks/),
    ]);
    rmSync(join(folder, 'state'), { recursive: true });
    expect((await lifeboat(folder, ['status'])).stdout).toMatch(/^Proved /m);
  });
});
