import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { lifeboat } from '../cli/lifeboat.ts';
import { measured } from '../cli/measured.ts';
import { makeTemporaryFolder } from '../support/temp.ts';

/** A backup at two places, and a whole vault of somebody else's. */
let folder: string;
let kept: string;
let other: string;
const { identity, recipient } = generateIdentity();

async function systemAt(folder: string): Promise<void> {
  mkdirSync(join(folder, 'data'), { recursive: true });
  writeFileSync(join(folder, 'data/a.txt'), `kept in ${folder}`);
  writeFileSync(join(folder, 'key.txt'), `${identity}\n`, { mode: 0o600 });
  writeFileSync(
    join(folder, 'lifeboat.yaml'),
    `version: 1
system: harbor
vault: { recipients: [${recipient}] }
destinations: { hostile: { type: local, path: ./hostile }, honest: { type: local, path: ./honest } }
datasets: { uploads: { type: files, path: ./data } }
`,
  );
  expect(await lifeboat(folder, ['backup'])).toMatchObject({ stderr: expect.any(String) });
}

beforeAll(async () => {
  const folders = [await makeTemporaryFolder(), await makeTemporaryFolder(), await makeTemporaryFolder()];
  [folder, kept, other] = folders.map(({ path }) => path) as [string, string, string];
  for (const one of [folder, other]) await systemAt(one);
  cpSync(folder, kept, { recursive: true });
  return () => Promise.all(folders.map((one) => one[Symbol.asyncDispose]()));
});

/** What whoever holds the first destination does to it. */
const bad: Readonly<Record<string, (hostile: string) => void>> = {
  'says that it is of a later format': (hostile) => {
    const file = join(hostile, 'vault.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"format":1', '"format":2'));
  },
  'holds another whole vault': (hostile) => {
    rmSync(hostile, { recursive: true });
    cpSync(join(other, 'hostile'), hostile, { recursive: true });
  },
  'has garbage in vault.json': (hostile) => writeFileSync(join(hostile, 'vault.json'), '{'),
  'has a vault.json of 1.5 GB': (hostile) => truncateSync(join(hostile, 'vault.json'), 1.5e9),
  'has a link for its vault.json': (hostile) => {
    rmSync(join(hostile, 'vault.json'));
    symlinkSync(join(other, 'hostile/vault.json'), join(hostile, 'vault.json'));
  },
  'has records of 3 GB': (hostile) => {
    const folder = join(hostile, 'snapshots/harbor/uploads');
    for (const name of readdirSync(folder)) truncateSync(join(folder, name), 3 * 2 ** 30);
  },
  'has packs of 1.5 GB': (hostile) => {
    for (const name of readdirSync(join(hostile, 'packs'), { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.age')) truncateSync(join(hostile, 'packs', name), 1.5e9);
    }
  },
  'has linked its records elsewhere': (hostile) => {
    renameSync(join(hostile, 'snapshots'), join(hostile, 'moved'));
    symlinkSync('moved', join(hostile, 'snapshots'));
  },
};

describe('M3: one bad destination of two is left out loudly, and the other one serves', () => {
  for (const [what, spoil] of Object.entries(bad)) {
    test(`one that ${what}`, async () => {
      // In its own place: what a host remembers goes by where its configuration lies.
      rmSync(folder, { recursive: true });
      cpSync(kept, folder, { recursive: true });
      spoil(join(folder, 'hostile'));
      const key = ['--identity', 'key.txt'];
      const listed = await measured(folder, ['list']);
      expect(listed, listed.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('uploads') });
      const restored = await measured(folder, ['restore', 'uploads', '--into', 'back', ...key]);
      expect(restored, restored.stderr).toMatchObject({ code: 0 });
      expect(readFileSync(join(folder, 'back/a.txt'), 'utf8')).toBe(`kept in ${folder}`);
      const status = await measured(folder, ['status']);
      const verified = await measured(folder, ['verify', '--all', ...key]);
      rmSync(join(folder, 'data'), { recursive: true });
      const recovered = await measured(folder, ['recover', '--from', 'honest', '--trust', ...key]);
      expect(readFileSync(join(folder, 'data/a.txt'), 'utf8'), recovered.stderr).toBe(`kept in ${folder}`);
      expect(verified.stdout + verified.stderr, 'verify names it, and heals what it may').toContain('hostile');
      for (const { peakMb } of [listed, restored, status, verified, recovered]) expect(peakMb).toBeLessThan(500);
      if (!what.includes('packs')) expect(listed.stdout + listed.stderr + status.stdout).toContain('hostile');
    });
  }
});
