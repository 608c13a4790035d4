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

describe('a folder', () => sourceSuite(openFolder));
