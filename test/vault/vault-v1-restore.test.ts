import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLocal } from '../../src/destinations/local/destination.ts';
import { readOnly } from '../../src/destinations/wrap/read-only.ts';
import { parseIdentityFile } from '../../src/vault/age/identity.ts';
import { escapeBytes } from '../../src/vault/format/escape.ts';
import { openVault } from '../../src/vault/open.ts';
import { pictureOf, pictureOfContents } from '../support/pictures.ts';
import { temporaryFolder } from '../support/temp.ts';

// A vault that was written once with format 1, and what was in it: test/fixtures/make-vault.ts.
const FIXTURE = join(import.meta.dirname, '../fixtures/vault-v1');
const identities = parseIdentityFile(readFileSync(join(FIXTURE, 'identity.txt'), 'utf8'));
const expected = readFileSync(join(FIXTURE, 'tree.txt'), 'latin1')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t'));

const opened = async () =>
  openVault([readOnly(await openLocal({ name: 'fixture', path: join(FIXTURE, 'vault') }))], {
    onDamage: (damage) => expect.fail(JSON.stringify(damage)),
  });

test('every restore point of a vault of format 1 reads as it was', async () => {
  const vault = await opened();
  const { points, suspect } = await vault.pointsOfAll();
  expect(suspect).toEqual([]);
  const lines: string[][] = [];
  for (const point of points.toSorted((a, b) => (a.record.id < b.record.id ? -1 : 1))) {
    const picture = await pictureOfContents(await vault.open(point, identities));
    for (const [path, { facts, mtimeNs }] of picture)
      lines.push([point.record.id, escapeBytes(path), facts, `${mtimeNs}`]);
  }
  const wanted = expected.map(([id, type, path, mode, uid, gid, mtime, sha256, target]) => {
    const what = { file: `file ${sha256}`, folder: 'folder', hardlink: `is ${target}`, symlink: `-> ${target}` }[type!];
    return [id, path, `${what ?? 'special'} ${mode} ${uid}:${gid}`, mtime];
  });
  expect(lines).toEqual(wanted);
});

test('every restore point of a vault of format 1 is written out as it was', async () => {
  const vault = await opened();
  for (const point of (await vault.pointsOfAll()).points) {
    const contents = await vault.open(point, identities);
    const folder = await temporaryFolder();
    await contents.extract(folder);
    const [found, recorded] = [pictureOf(folder), await pictureOfContents(contents)];
    const shown = (picture: typeof found) =>
      [...picture]
        .filter(([, { facts }]) => !facts.startsWith('special'))
        .map(([path, { facts }]) => `${path} ${owned(facts)}`);
    expect(shown(found).sort()).toEqual(shown(recorded).sort());
    expect(readdirSync(folder).length).toBeGreaterThan(0);
  }
});

/** Only root can set owners. */
function owned(facts: string): string {
  return process.getuid?.() === 0 ? facts : facts.replace(/ \d+:\d+$/, '');
}
