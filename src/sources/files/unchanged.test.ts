import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { newRun } from '../../../test/suites/source.suite.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import type { Entry } from '../../core/entry.ts';
import { filesSource } from './source.ts';

const isRoot = process.getuid?.() === 0;

function captureOf(path: string) {
  const options = { exclude: [], defaultExcludes: false, oneFileSystem: true, xattrs: false };
  return filesSource({ name: 'data', path, ...options }).capture(newRun());
}

async function fingerprintOf(path: string, name: string): Promise<string | undefined> {
  await using capture = await captureOf(path);
  for await (const entry of capture.entries) {
    if (entry.path === name && entry.type === 'file' && entry.content.from === 'file') return entry.content.fingerprint;
  }
  throw new Error(`${name} was not captured`);
}

/** A program that keeps `file` mapped and writes to its first page when it is told to. */
async function mapped(file: string): Promise<(text: string) => Promise<void>> {
  const program = `
import mmap, sys
f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0)
for line in sys.stdin: m[0:5] = line[:5].encode(); print('written', flush=True)`;
  const child = spawn('python3', ['-c', program, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    child.stdin.end();
    await once(child, 'exit');
  });
  const said = createInterface(child.stdout)[Symbol.asyncIterator]();
  return async (text) => {
    child.stdin.write(`${text}\n`);
    await said.next();
  };
}

async function fileOf8KiB(folder: string): Promise<string> {
  const file = join(folder, 'db');
  fs.writeFileSync(file, 'x'.repeat(8192));
  // Its time must lie before the capture by more than a tick of the file system's clock.
  while (Date.now() - fs.statSync(file).ctimeMs < 200) await new Promise((resolve) => setTimeout(resolve, 20));
  return file;
}

test('files/06: a file that is written to through memory is not taken for unchanged', async () => {
  const path = await temporaryFolder();
  const write = await mapped(await fileOf8KiB(path));
  // The page is dirty from here on, and what is written to it before it goes to the disk sets no time.
  await write('first');
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = await fingerprintOf(path, 'db');
  await write('LATER');
  const after = await fingerprintOf(path, 'db');
  expect(after === undefined || after !== before).toBe(true);
});

test('files/06: what lies still is taken for unchanged', async () => {
  const path = await temporaryFolder();
  await fileOf8KiB(path);
  const before = await fingerprintOf(path, 'db');
  const isPrompt = execFileSync('stat', ['-f', '-c', '%T', path], { encoding: 'utf8' }).trim() !== 'tmpfs';
  expect(before !== undefined).toBe(isPrompt);
  expect(await fingerprintOf(path, 'db')).toBe(before);
});

test.runIf(isRoot)(
  'files/06: in memory, where nothing is ever written back, nothing is taken for unchanged',
  async () => {
    const path = join(await temporaryFolder(), 'memory');
    fs.mkdirSync(path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'lifeboat-test', path]);
    onTestFinished(() => void execFileSync('umount', [path]));
    await fileOf8KiB(path);
    expect(await fingerprintOf(path, 'db')).toBeUndefined();
  },
);

/** Removes all names of a file and makes another with its inode; undefined where the file system does not use it again. */
function reuse(names: readonly string[], folder: string): string | undefined {
  const { ino } = fs.statSync(names[0]!, { bigint: true });
  for (const name of names) fs.rmSync(name);
  for (let at = 0; at < 1000; at++) {
    const file = join(folder, `new-${at}`);
    fs.writeFileSync(file, 'letter of Grace');
    if (fs.statSync(file, { bigint: true }).ino === ino) return file;
  }
  return undefined;
}

/** Two names, a/x and another, then so many files that the walk must pause before it comes to z. */
async function twoNames(): Promise<{ path: string; outside: string; other: string }> {
  const place = await temporaryFolder();
  const [path, outside] = [join(place, 'data'), join(place, 'outside')];
  for (const folder of [outside, ...['a', 'm', 'z'].map((name) => join(path, name))]) {
    fs.mkdirSync(folder, { recursive: true });
  }
  fs.writeFileSync(join(path, 'a/x'), 'letter of Ada');
  const other = join(outside, 'x');
  fs.linkSync(join(path, 'a/x'), other);
  for (let at = 0; at < 600; at++) fs.writeFileSync(join(path, `m/${at}`), '');
  return { path, outside, other };
}

async function captured(path: string, inTheMiddle: () => void): Promise<Map<string, Entry>> {
  await using capture = await captureOf(path);
  const entries = new Map<string, Entry>();
  for await (const entry of capture.entries) {
    if (entry.path === 'm/0') inTheMiddle();
    entries.set(entry.path, entry);
  }
  return entries;
}

test('files/05: an inode that was used again during the walk is no hard link', async () => {
  const { path, outside, other } = await twoNames();
  let reused: string | undefined;
  const entries = await captured(path, () => {
    reused = reuse([join(path, 'a/x'), other], outside);
    if (reused === undefined) return;
    fs.linkSync(reused, join(outside, 'y'));
    fs.renameSync(reused, join(path, 'z/y'));
  });
  if (reused !== undefined) expect(entries.get('z/y')).toMatchObject({ type: 'file', sizeBytes: 15 });
});

test('files/05: nor is one whose first name leads to another file by now', async () => {
  const { path, other } = await twoNames();
  const entries = await captured(path, () => {
    fs.writeFileSync(join(path, 'a/new'), 'another letter');
    fs.renameSync(join(path, 'a/new'), join(path, 'a/x'));
    fs.linkSync(other, join(path, 'z/y'));
    fs.linkSync(other, join(path, 'z/z'));
  });
  expect(entries.get('z/y')).toMatchObject({ type: 'file' });
  expect(entries.get('z/z')).toMatchObject({ type: 'hardlink', target: 'z/y' });
});
