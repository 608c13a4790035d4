import { spawnSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { expect, test } from 'vitest';
import { usualPackSizes } from '../../src/vault/write/packing.ts';
import type { TestSystem } from '../support/system.ts';
import { aSystem } from '../support/vault.ts';

const MiB = 2 ** 20;
const launcher = new URL('../../bin/lifeboat', import.meta.url).pathname;
const node = new URL('../../bin/node', import.meta.url).pathname;
const largeBytes = 600 * MiB;
const smallFiles = 20_000;

test('600 MiB in one file and 20,000 small ones: neither backup nor restore holds 400 MiB', async () => {
  const system = await aSystem({ packSizes: usualPackSizes });
  makeLarge(`${system.source()}/large`);
  makeSmall(`${system.source()}/small`);
  expect(mostMemory(system, 'backup')).toBeLessThan(400);
  rmSync(system.source(), { recursive: true });
  expect(mostMemory(system, 'restore')).toBeLessThan(400);
  const restored = `${system.folder}/restored/0`;
  expect(statSync(`${restored}/large`).size).toBe(largeBytes);
  expect(readdirSync(`${restored}/small`, { recursive: true }).length).toBe(smallFiles + 100);
});

/** In a process of its own, started as the command is; in MiB. */
function mostMemory({ folder, config, identity, packSizes }: TestSystem, action: 'backup' | 'restore'): number {
  const program = new URL('../support/measured-run.ts', import.meta.url).pathname;
  const [starts = ''] = /^exec .*$/m.exec(readFileSync(launcher, 'utf8')) ?? [];
  const flags = starts.match(/(?<= )--[a-z-]+(=\d+)?(?= )/g) ?? [];
  expect(flags).not.toEqual([]);
  const { stdout, stderr } = spawnSync(node, [...flags, program], {
    input: JSON.stringify({ base: { folder, config, identity, packSizes }, action }),
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return Number(stdout);
}

function makeLarge(path: string): void {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  const zeros = Buffer.alloc(8 * MiB);
  const file = openSync(path, 'wx');
  for (let made = 0; made < largeBytes; made += zeros.length) writeSync(file, noise.update(zeros));
  closeSync(file);
}

function makeSmall(folder: string): void {
  for (let number = 0; number < smallFiles; number++) {
    const part = `${folder}/${number % 100}`;
    if (number < 100) mkdirSync(part, { recursive: true });
    writeFileSync(`${part}/${number}`, `${number} `.repeat(300));
  }
}
