import { copyFile, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runCommand } from '../../src/process/run.ts';
import { howToBeRoot } from './setup.ts';
import { makeTemporaryFolder } from './temp.ts';

/** A real ext4 file system of a few MiB in a file, to fill up, make read-only or cut the power of. */
export interface SmallDisk {
  /** Where it is mounted. */
  readonly path: string;
  remount(mode: 'ro' | 'rw'): Promise<void>;
  /** Takes it away from under whoever uses it. The mount point stays, empty. */
  unmount(): Promise<void>;
  /** The disk as it would be found after a power cut now: what was not flushed is not on it. Gives where it is mounted. */
  afterPowerCut(): Promise<string>;
}

/** Makes a small disk for the running test. Fails where this may not mount: these tests need root or sudo without password. */
export async function smallDisk(sizeMiB: number, inodes = 1024): Promise<SmallDisk> {
  const prefix = await howToBeRoot();
  if (prefix === undefined) throw new Error('This test mounts a small disk: run the tests as root, or allow sudo.');
  const asRoot = async (...words: string[]) => {
    const [program, ...rest] = [...prefix, ...words] as [string, ...string[]];
    await runCommand(program, rest, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }, deadlineMs: 30_000 });
  };
  const folder = await makeTemporaryFolder();
  const mounted = new Set<string>();
  onTestFinished(async () => {
    for (const path of mounted) await asRoot('umount', '--lazy', path);
    await folder[Symbol.asyncDispose]();
  });
  const mount = async (image: string, path: string) => {
    await mkdir(path);
    await asRoot('mount', '-o', 'loop', image, path);
    mounted.add(path);
  };

  const image = join(folder.path, 'disk.img');
  const path = join(folder.path, 'disk');
  await using file = await open(image, 'wx');
  await file.truncate(sizeMiB << 20);
  const owner = `root_owner=${process.getuid?.()}:${process.getgid?.()},lazy_itable_init=0,lazy_journal_init=0`;
  await asRoot('mkfs.ext4', '-q', '-F', '-m', '0', '-N', `${inodes}`, '-E', owner, image);
  await mount(image, path);
  let cuts = 0;

  return {
    path,
    remount: (mode) => asRoot('mount', '-o', `remount,${mode}`, path),
    async unmount() {
      await asRoot('umount', path);
      mounted.delete(path);
    },
    async afterPowerCut() {
      const cut = join(folder.path, `cut${cuts++}`);
      await copyFile(image, `${cut}.img`);
      await mount(`${cut}.img`, cut);
      return cut;
    },
  };
}
