import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';

const daily = ['--identity', 'lifeboat-keys/daily.txt'];

interface Listed {
  readonly datasets: ReadonlyArray<{ dataset: string; restorePoints: { id: string; destinations: string[] }[] }>;
}

async function configured(): Promise<string> {
  const folder = await project();
  await lifeboat(folder, ['init']);
  writeFileSync(join(folder, 'secrets.env'), 'SESSION_SECRET=of-the-application\n', { mode: 0o600 });
  writeFileSync(join(folder, 'token'), 'a-token\n', { mode: 0o400 });
  change(folder, (text) =>
    text.replace(/^system: .*$/m, '$&\nenvFile: secrets.env').replace(
      /^drill:.*$/m,
      `drill:
  app:
    start: exit 0
    ready: http://127.0.0.1/
    env: { TOKEN: "\${file:token}", MISSING: "\${file:/nowhere/at all}", KEY: "\${file:lifeboat-keys/offline.txt}" }`,
    ),
  );
  return folder;
}

function change(folder: string, edit: (text: string) => string): void {
  const file = join(folder, 'lifeboat.yaml');
  writeFileSync(file, edit(readFileSync(file, 'utf8')));
}

async function backUp(folder: string, ...words: string[]) {
  const ran = await lifeboat(folder, ['backup', '--json', ...words]);
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  return JSON.parse(ran.stdout) as {
    configuration: { dataset: string; entries: number; problems: { message: string }[] } | null;
  };
}

async function points(folder: string) {
  const { stdout } = await lifeboat(folder, ['list', 'lifeboat-config', '--json']);
  return (JSON.parse(stdout) as Listed).datasets[0]?.restorePoints ?? [];
}

describe('P10: the configuration is a dataset of every vault', () => {
  test('lifeboat.yaml, its envFile and the files that it names are kept, private keys of age never', async () => {
    const folder = await configured();
    const { configuration } = await backUp(folder);
    expect(configuration).toMatchObject({ dataset: 'lifeboat-config', entries: 3 });
    expect(configuration?.problems.map(({ message }) => message)).toEqual([
      '/nowhere/at all is not kept with the configuration: ENOENT.',
      `${folder}/lifeboat-keys/offline.txt is not kept with the configuration: it holds a private key of age.`,
    ]);
    const back = await lifeboat(folder, ['restore', 'lifeboat-config', '--into', 'back', ...daily]);
    expect(back.code, back.stderr).toBe(0);
    for (const name of ['lifeboat.yaml', 'secrets.env', 'token']) {
      expect(readFileSync(join(folder, 'back/here', name), 'utf8')).toBe(readFileSync(join(folder, name), 'utf8'));
    }
  });

  test('a restore point of it is taken for each change, not for each backup', async () => {
    const folder = await configured();
    await backUp(folder);
    expect((await backUp(folder)).configuration).toBeNull();
    expect((await backUp(folder, 'uploads')).configuration).toBeNull();
    writeFileSync(join(folder, 'secrets.env'), 'SESSION_SECRET=another\n');
    expect((await backUp(folder, 'uploads')).configuration).not.toBeNull();
    expect(await points(folder)).toHaveLength(2);
    change(folder, (text) => `${text}\n# a remark\n`);
    await backUp(folder);
    expect(await points(folder)).toHaveLength(3);
  });

  test('a destination that lost it, or that is new, holds it after the next backup', async () => {
    const folder = await configured();
    await backUp(folder);
    change(folder, (text) => text.replace(/^destinations:$/m, '$&\n  other: { type: local, path: ./other }'));
    await backUp(folder);
    expect(await points(folder)).toMatchObject([
      { destinations: ['other', 'local'] },
      { destinations: ['other', 'local'] },
    ]);
    const [system = ''] = readdirSync(join(folder, 'other/snapshots'));
    rmSync(join(folder, 'other/snapshots', system, 'lifeboat-config'), { recursive: true });
    await backUp(folder);
    expect((await points(folder))[0]?.destinations).toEqual(['other', 'local']);
  });

  test('status shows it, and neither misses an objective of it nor takes it for a dataset', async () => {
    const folder = await configured();
    await backUp(folder);
    const { stdout } = await lifeboat(folder, ['status']);
    expect(stdout).toMatch(/lifeboat\.yaml as of .* is kept with them, at local\./);
    expect(stdout).not.toMatch(/dataset-not-configured|lifeboat-config/);
  });

  test('no dataset of a user may have its name', async () => {
    const folder = await configured();
    change(folder, (text) =>
      text.replace(/^datasets:$/m, '$&\n  lifeboat-config: { type: files, path: ./data/uploads }'),
    );
    const ran = await lifeboat(folder, ['config', 'validate']);
    expect(ran).toMatchObject({ code: 64 });
    expect(ran.stderr).toContain("'lifeboat-config' is what Lifeboat calls its own copy of this file");
  });
});
