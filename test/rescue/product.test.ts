import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { isSoundRescue } from '../../src/vault/format/rescue-script.ts';
import { temporaryFolder } from '../support/temp.ts';

const ROOT = join(import.meta.dirname, '../..');

// The other tests of rescue.sh read vaults that a test wrote. This one reads what the product writes.
test('rescue.sh restores what lifeboat backup stored, with the copy of it that lies in the vault', async () => {
  const folder = await temporaryFolder();
  const tree = join(folder, 'tree');
  const vault = join(folder, 'vault');
  fs.mkdirSync(join(tree, 'sub/deep'), { recursive: true });
  fs.mkdirSync(vault);
  fs.writeFileSync(join(tree, 'sub/deep/new\nline'), 'x');
  fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0x27, 0x25])]), 'not UTF-8');
  fs.writeFileSync(join(tree, '-large'), Buffer.alloc(3_000_000, 'a large file. '));
  fs.writeFileSync(join(tree, 'sparse'), 'begin');
  fs.truncateSync(join(tree, 'sparse'), 4_000_000);
  fs.linkSync(join(tree, '-large'), join(tree, 'twin'));
  fs.symlinkSync('nowhere at all', join(tree, 'sub/link'));
  fs.chmodSync(join(tree, 'sub/deep'), 0o2711);

  const pair = generateIdentity();
  const offline = generateIdentity();
  fs.writeFileSync(join(folder, 'offline.txt'), `${offline.identity}\n`);
  fs.writeFileSync(
    join(folder, 'lifeboat.yaml'),
    `version: 1
system: test
vault: { recipients: [${pair.recipient}, ${offline.recipient}] }
destinations: { local: { type: local, path: ./vault } }
datasets: { tree: { type: files, path: ./tree, rpo: 1h, rto: 1h } }
`,
  );
  const env = { ...process.env, LIFEBOAT_STATE_DIR: join(folder, 'state') };
  const lifeboat = (...args: string[]) =>
    execFileSync(join(ROOT, 'bin/lifeboat'), ['--config', join(folder, 'lifeboat.yaml'), ...args], {
      env,
      stdio: 'pipe',
    });
  lifeboat('backup');
  const before = listing(tree);
  fs.writeFileSync(join(tree, 'sub/later'), 'later');
  lifeboat('backup');

  const script = join(vault, 'rescue.sh');
  const own = fs.readFileSync(join(ROOT, 'rescue/rescue.sh'), 'utf8');
  expect(fs.readFileSync(script, 'utf8').slice(0, own.length)).toBe(own);
  expect(isSoundRescue(fs.readFileSync(script))).toBe(true);
  const points = fs.readdirSync(join(vault, 'snapshots/test/tree')).map((name) => name.replace(/^.*-|\.json$/g, ''));
  expect(points.length).toBe(2);
  for (const [at, id] of points.entries()) {
    const target = join(folder, id);
    const args = [script, 'restore', vault, join(folder, 'offline.txt'), `tree@${id}`, target];
    const said = execFileSync('bash', args, { encoding: 'utf8', stdio: 'pipe' });
    expect(said).toMatch(/\b([1-9]\d*) of \1 files match/);
    expect(listing(target)).toEqual(at === 0 ? before : listing(tree));
    execFileSync('diff', ['-r', ...(at === 0 ? ['-x', 'later'] : []), '--no-dereference', tree, target]);
  }
});

/** Names, kinds, modes, owners, links, times: everything but contents, and but the top folder itself. */
function listing(folder: string): string[] {
  const shown = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %U:%G %T@ %l %n\\0'], {
    cwd: folder,
    encoding: 'latin1',
  });
  return shown.split('\0').sort();
}
