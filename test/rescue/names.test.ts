import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { comparePaths } from '../../src/core/paths.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { buildVault, type NewEntry, writeObjects } from '../support/build-vault.ts';
import { temporaryFolder } from '../support/temp.ts';

const SCRIPT = join(import.meta.dirname, '../../rescue/rescue.sh');

// What a terminal obeys: control characters, C1 ones too, marks that turn the order of letters, bytes that are no UTF-8.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach the terminal
const OBEYED = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]/;
const HOSTILE_NAMES = [
  'clear\x1b[2J\x1b[H',
  'title\x1b]0;owned\x07',
  'c1 \xc2\x9b31m raw \x9b31m',
  'order \xe2\x80\xaetxt.exe \xe2\x81\xa6 \xd8\x9c',
  'broken \xe2\x80 \xff \xc0\x9b \xed\xa0\x80',
  'over\rwritten\x7f\x08',
];

test('L: no name in a vault reaches the terminal as more than text, and none forges a line', async () => {
  const folder = await temporaryFolder();
  const vault = join(folder, 'vault');
  const { identity, recipient } = generateIdentity();
  fs.writeFileSync(join(folder, 'key'), `${identity}\n`);
  const builder = buildVault({
    recipients: [recipient],
    random: randomBytes,
    chunkSize: 20_000,
    frameSize: 60_000,
    packSize: 200_000,
  });
  const metadata = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n };
  const entries = HOSTILE_NAMES.map(
    (path): NewEntry => ({ type: 'file', path, ...metadata, parts: [randomBytes(100_000)] }),
  ).sort((a, b) => comparePaths(a.path, b.path));
  await builder.commit({ dataset: 'uploads', kind: 'files', time: '2026-01-02T00:00:00.000Z', entries });
  writeObjects(builder.objects, vault);
  const told = (...words: string[]) => {
    const { stdout, stderr } = spawnSync('bash', [SCRIPT, ...words], { encoding: 'utf8' });
    return stdout + stderr;
  };
  for (const name of HOSTILE_NAMES) {
    for (const place of ['snapshots', 'snapshots/example']) {
      // As a system's name, and as a dataset's.
      const folder = join(vault, place, name, ...(place === 'snapshots' ? ['uploads'] : []));
      fs.mkdirSync(Buffer.from(folder, 'latin1'), { recursive: true });
      fs.writeFileSync(Buffer.from(`${folder}/20261121T000000000Z-01ARZ3NDEKTSV4RRFFQ69G5FAV.json`, 'latin1'), '{}\n');
    }
  }
  fs.mkdirSync(join(vault, 'snapshots/example/a\n'), { recursive: true });
  fs.writeFileSync(join(vault, 'snapshots/example/a\n/20991231T000000000Z-01ARZ3NDEKTSV4RRFFQ69G5FAV.json'), '{}\n');
  fs.writeFileSync(join(vault, 'snapshots/example/uploads/20991231T000000000Z-\x1b[2J.json'), '{}\n');
  const listed = told('list', vault);
  expect(listed).not.toMatch(OBEYED);
  expect(
    listed
      .trim()
      .split('\n')
      .slice(1)
      .filter((line) => line.includes('@'))
      .map((line) => line.split('@')[0]),
  ).toEqual(['example/uploads']);

  // Every pack is damaged, so every name is told of.
  for (const pack of fs.globSync('packs/*/*.age', { cwd: vault })) {
    const bytes = fs.readFileSync(join(vault, pack));
    bytes[bytes.length - 20]! ^= 1;
    bytes[Math.floor(bytes.length / 2)]! ^= 1;
    fs.writeFileSync(join(vault, pack), bytes);
  }
  const restored = told('restore', vault, join(folder, 'key'), 'uploads', join(folder, 'target'));
  expect(restored).toMatch(/damaged/);
  expect(restored).not.toMatch(OBEYED);
});
