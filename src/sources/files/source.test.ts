import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { type SourceFixture, sourceSuite } from '../../../test/suites/source.suite.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { describeTree, remainsIn } from '../../../test/support/tree.ts';
import { filesSource } from './source.ts';

async function openFolder(): Promise<SourceFixture> {
  const place = await temporaryFolder();
  const path = join(place, 'uploads');
  makeTree(path);
  let targets = 0;
  return {
    source: filesSource({
      name: 'uploads',
      path,
      exclude: [],
      defaultExcludes: true,
      oneFileSystem: true,
      xattrs: true,
    }),
    newTarget: async () => join(place, `restored-${++targets}`),
    look: async (where) => describeTree(where),
    lookHome: async () => describeTree(path),
    async change() {
      fs.writeFileSync(join(path, 'a/new'), 'new');
      fs.rmSync(join(path, 'a/one'));
      fs.writeFileSync(join(path, 'z'), 'changed');
    },
    vanish: async () => fs.rmSync(path, { recursive: true }),
    remains: async () => remainsIn(place),
  };
}

function makeTree(path: string): void {
  fs.mkdirSync(join(path, 'a/deep/er'), { recursive: true });
  fs.mkdirSync(join(path, 'a.b'));
  fs.mkdirSync(join(path, 'empty'), { mode: 0o750 });
  fs.writeFileSync(join(path, 'a/one'), 'one');
  fs.writeFileSync(join(path, 'a/deep/er/two'), Buffer.alloc(100_000, 2), { mode: 0o640 });
  fs.writeFileSync(join(path, 'a.b/three'), '');
  fs.writeFileSync(join(path, 'z'), 'z', { mode: 0o4755 });
  fs.chmodSync(join(path, 'z'), 0o4755);
  fs.linkSync(join(path, 'a/one'), join(path, 'z-link'));
  fs.symlinkSync('../nowhere', join(path, 'a/dangling'));
  fs.writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0x6e, 0x0a, 0xff, 0x5c, 0x78])]), 'odd name');
  execFileSync('mkfifo', [join(path, 'fifo')]);
  const sparse = fs.openSync(join(path, 'sparse'), 'w');
  fs.writeSync(sparse, 'end', 5_000_000);
  fs.closeSync(sparse);
  execFileSync('setfattr', ['-n', 'user.kind', '-v', 'odd\nvalue', join(path, 'z')]);
  execFileSync('setfacl', ['-d', '-m', 'u:12345:rx', path]);
  execFileSync('setfacl', ['-m', 'u:12345:rx', join(path, 'a')]);
  if (process.getuid?.() === 0) fs.lchownSync(join(path, 'a/dangling'), 1234, 4321);
  fs.lutimesSync(join(path, 'a/dangling'), 1, 2);
  fs.utimesSync(join(path, 'a'), 1e9, -1234.5);
  fs.utimesSync(join(path, 'a.b/three'), 1e9, 1_700_000_000.5);
  fs.utimesSync(path, 1e9, 1_600_000_000);
}

async function openPlaces(): Promise<SourceFixture> {
  const place = await temporaryFolder();
  const [etc, file, uploads] = ['etc/app', 'etc/cron.d/a file', 'srv/app/uploads'].map((path) => join(place, path));
  fs.mkdirSync(etc!, { recursive: true });
  fs.writeFileSync(join(etc!, 'settings'), 'mode: production');
  fs.mkdirSync(join(file!, '..'), { mode: 0o711 });
  fs.writeFileSync(file!, '* * * * * root true', { mode: 0o600 });
  fs.mkdirSync(join(uploads!, '..'), { recursive: true, mode: 0o750 });
  makeTree(uploads!);
  const places = [uploads!, etc!, file!];
  let targets = 0;
  const look = (where: string) => places.flatMap((path) => [path, ...describeTree(join(where, path))]);
  const how = { exclude: [], defaultExcludes: true, oneFileSystem: true, xattrs: true };
  return {
    source: filesSource({ name: 'host', path: '/', places, ...how }),
    newTarget: async () => join(place, `restored-${++targets}`),
    look: async (where) => look(where),
    lookHome: async () => look('/'),
    async change() {
      fs.writeFileSync(file!, 'changed');
      fs.writeFileSync(join(uploads!, 'a/new'), 'new');
      fs.rmSync(join(uploads!, 'a/one'));
    },
    async vanish() {
      for (const path of places) fs.rmSync(path, { recursive: true });
    },
    // A copy has the folders on the way, so also the test's own.
    remains: async () => remainsIn(place).filter((name) => name.includes('lifeboat-restoring')),
  };
}

describe('a folder', () => sourceSuite(openFolder));
describe('several places', () => sourceSuite(openPlaces));
