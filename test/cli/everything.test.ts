import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { smallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/temp.ts';
import { capabilities, rsyncDifferences, tortureTree } from '../support/torture.ts';
import { describeTree } from '../support/tree.ts';
import { lifeboat } from './lifeboat.ts';

const isRoot = process.geteuid?.() === 0;

/** A system of one dataset, `tree`, and a command that runs in its folder and must end well. */
async function systemOf(place: string) {
  const { identity, recipient } = generateIdentity();
  const offline = generateIdentity();
  writeFileSync(join(place, 'id.txt'), `${identity}\n`, { mode: 0o600 });
  writeFileSync(
    join(place, 'lifeboat.yaml'),
    `version: 1
system: test
vault: { recipients: [${recipient}, ${offline.recipient}] }
destinations: { local: { type: local, path: ./vault } }
datasets: { tree: { type: files, path: ./tree, rpo: 1h, rto: 1h, defaultExcludes: false } }
`,
  );
  const tree = join(place, 'tree');
  mkdirSync(tree, { recursive: true });
  const run = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await lifeboat(place, args);
    expect([args[0], code, stderr]).toEqual([args[0], 0, stderr]);
    return JSON.parse(stdout);
  };
  return { tree, run, withKey: ['--identity', 'id.txt', '--json'] };
}

test('files/01, 11, 13: all that a file system can hold comes back, and a drill compares it', async () => {
  const folder = await temporaryFolder();
  const { tree, run, withKey } = await systemOf(folder);
  tortureTree(tree);
  const { backedUp } = await run('backup', '--json');
  expect(backedUp[0].problems.map(({ code }: { code: string }) => code)).toEqual(['link-leads-out']);
  const restored = await run('restore', 'tree', '--into', 'out', ...withKey);
  expect(restored.problems).toEqual([]);
  const out = join(folder, 'out');
  expect(rsyncDifferences(tree, out)).toBe('');
  expect(describeTree(out)).toEqual(describeTree(tree));
  expect(capabilities(out)).toBe(capabilities(tree));
  const { checks } = await run('drill', ...withKey);
  const contents = checks.find(({ id }: { id: string }) => id === 'tree/contents');
  expect(contents).toMatchObject({ verdict: 'pass' });
  expect(contents.message).toMatch(/^5\d entries as recorded/);
});

test.runIf(isRoot)(
  'files/09: what chattr forbids is forbidden again, comes last, and stops no drill from going',
  async () => {
    const { path } = await smallDisk(200);
    const { tree, run, withKey } = await systemOf(path);
    const at = (name: string) => join(tree, name);
    for (const name of ['log', 'closed', 'closed/folder']) mkdirSync(at(name));
    for (const name of ['law', 'log/lines', 'closed/inside', 'closed/folder/deep', 'no dump'])
      writeFileSync(at(name), name);
    linkSync(at('law'), at('log/another name'));
    const flags = [
      ['+i', 'law'],
      ['+a', 'log/lines'],
      ['+a', 'log'],
      ['+dA', 'no dump'],
      ['+i', 'closed'],
      ['+ia', 'closed/inside'],
      ['+i', '.'],
    ];
    for (const [letters, name] of flags) execFileSync('chattr', [letters!, name!], { cwd: tree });
    const loosened = (place: string) => execFileSync('chattr', ['-R', '-f', '-ia', place]);
    const shown = (place: string) =>
      execFileSync('lsattr', ['-R', '-a', '.'], { cwd: place, encoding: 'utf8' }).split('\n').sort();
    onTestFinished(() => void loosened(path));
    await run('backup', '--json');
    const restored = await run('restore', 'tree', '--into', 'out', ...withKey);
    expect(restored.problems).toEqual([]);
    expect(shown(join(path, 'out'))).toEqual(shown(tree));
    expect(() => rmSync(join(path, 'out/law'))).toThrow('EPERM');
    // A copy for a look is removed again.
    const { checks } = await run('drill', ...withKey);
    expect(checks.find(({ id }: { id: string }) => id === 'tree/contents')).toMatchObject({ verdict: 'pass' });
    expect(execFileSync('find', [join(path, 'state'), '-name', 'law'], { encoding: 'utf8' })).toBe('');
    // Chosen paths too, and what recover brings back.
    await run('restore', 'tree', 'log', '--into', 'chosen', ...withKey);
    expect(shown(join(path, 'chosen/log'))).toEqual(shown(at('log')));
    loosened(tree);
    rmSync(tree, { recursive: true });
    await run('recover', ...withKey);
    expect(shown(tree)).toEqual(shown(join(path, 'out')));
  },
);

test.runIf(isRoot)('who is not root gets back folders that he may not enter, and what is in them', async () => {
  const folder = await temporaryFolder({ open: true });
  const { tree, run } = await systemOf(folder);
  for (const name of ['shut', 'shut/open', 'shut/open/shut', 'open']) mkdirSync(join(tree, name));
  for (const name of ['shut/a', 'shut/open/b', 'shut/open/shut/c', 'open/d']) writeFileSync(join(tree, name), name);
  for (const [name, mode] of [
    ['shut/open/shut', 0o000],
    ['shut', 0o600],
  ] as const)
    chmodSync(join(tree, name), mode);
  await run('backup', '--json');
  const before = describeTree(tree);
  const user = 61234;
  execFileSync('chown', ['-R', `${user}:${user}`, folder]);
  const { code, stdout } = await lifeboat(
    folder,
    ['restore', 'tree', '--into', 'out', '--identity', 'id.txt', '--json'],
    { LIFEBOAT_STATE_DIR: join(folder, 'theirs') },
    user,
  );
  expect(code, stdout).toBe(0);
  expect(JSON.parse(stdout).problems.map(({ code }: { code: string }) => code)).toEqual(['owner-not-set']);
  const their = (lines: readonly string[]) => lines.map((line) => line.replaceAll(/ \d+:\d+ /g, ' '));
  expect(their(describeTree(join(folder, 'out')))).toEqual(their(before));
});

test.runIf(isRoot)('files/13: a year beyond what can be written as text is listed', async () => {
  const folder = await temporaryFolder();
  const { tree, run, withKey } = await systemOf(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'lifeboat-test', tree]);
  onTestFinished(() => void execFileSync('umount', [tree]));
  writeFileSync(join(tree, 'far'), '');
  execFileSync('touch', ['-d', '@99999999999999', join(tree, 'far')]);
  await run('backup', '--json');
  const listed = await run('list', 'tree', '--files', ...withKey);
  expect(JSON.stringify(listed)).toContain('"modified":null');
  await run('restore', 'tree', '--into', 'out', ...withKey);
  rmSync(join(folder, 'out'), { recursive: true });
});
