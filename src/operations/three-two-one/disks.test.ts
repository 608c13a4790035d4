import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { storageOf } from './disks.ts';

/** A machine's /proc and /sys with a partitioned disk, a volume over two disks, a share, memory. */
async function machine() {
  const root = await temporaryFolder();
  const block = join(root, 'sys/class/block');
  mkdirSync(join(root, 'proc/self'), { recursive: true });
  mkdirSync(block, { recursive: true });
  const disk = (name: string, parts: readonly string[] = []) => {
    const real = join(root, 'sys/devices', name);
    mkdirSync(real, { recursive: true });
    symlinkSync(real, join(block, name));
    for (const part of parts) {
      mkdirSync(join(real, part));
      writeFileSync(join(real, part, 'partition'), '1\n');
      symlinkSync(join(real, part), join(block, part));
    }
  };
  disk('vda', ['vda1', 'vda2']);
  disk('sdb');
  disk('sdc', ['sdc1']);
  mkdirSync(join(block, 'dm-0/slaves/sdb'), { recursive: true });
  mkdirSync(join(block, 'dm-0/slaves/sdc1'), { recursive: true });
  mkdirSync(join(root, 'dev/mapper'), { recursive: true });
  writeFileSync(join(root, 'dev/dm-0'), '');
  symlinkSync('../dm-0', join(root, 'dev/mapper/vg-data'));
  const folder = await temporaryFolder();
  for (const name of ['', 'srv', 'data', 'nas', 'win', 'ram', 'pool', 'with space'])
    mkdirSync(join(folder, name), { recursive: true });
  const lines = [
    ['/', 'ext4 /dev/vda1'],
    [join(folder, 'srv'), 'ext4 /dev/vda2'],
    [join(folder, 'data'), 'xfs /dev/mapper/vg-data'],
    [join(folder, 'nas'), 'nfs4 NAS.example.com:/export/backups'],
    [join(folder, 'win'), 'cifs //filer/share'],
    [join(folder, 'ram'), 'tmpfs tmpfs'],
    [join(folder, 'pool'), 'zfs tank/backups'],
    [join(folder, 'with\\040space'), 'ext4 /dev/sdb'],
  ].map(([point, after], at) => `${30 + at} 1 0:${at} / ${point} rw - ${after} rw`);
  writeFileSync(join(root, 'proc/self/mountinfo'), `${lines.join('\n')}\n`);
  return (path: string) => storageOf(join(folder, path), root);
}

test('two partitions are one disk, a volume is all disks under it, a share is another machine', async () => {
  const at = await machine();
  expect(at('not/there/yet')).toEqual({ kind: 'disk', disks: ['/dev/vda'] });
  expect(at('srv/backups')).toEqual({ kind: 'disk', disks: ['/dev/vda'] });
  expect(at('data')).toEqual({ kind: 'disk', disks: ['/dev/sdb', '/dev/sdc'] });
  expect(at('with space/x')).toEqual({ kind: 'disk', disks: ['/dev/sdb'] });
  expect(at('nas/x')).toEqual({ kind: 'network', disks: [], host: 'nas.example.com' });
  expect(at('win')).toEqual({ kind: 'network', disks: [], host: 'filer' });
  expect(at('ram')).toEqual({ kind: 'memory', disks: [] });
  expect(at('pool')).toEqual({ kind: 'disk', disks: ['pool tank'] });
});

test('on this very machine a path and its neighbour share what they lie on', () => {
  const here = storageOf(import.meta.dirname);
  expect(here).toBeDefined();
  expect(storageOf(join(import.meta.dirname, 'nothing'))).toEqual(here);
});

test('where the kernel does not tell, nothing is said', async () => {
  expect(storageOf('/', await temporaryFolder())).toBeUndefined();
});
