import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { makeTemporaryFolder } from './temp.ts';

/**
 * A stick as people carry it: exFAT, so no links, fifos, owners or rights, many names that it does not take, and names that differ by
 * case alone are one. Needs root.
 */
export async function exfatDisk(sizeMiB: number): Promise<string> {
  const folder = await makeTemporaryFolder();
  const image = join(folder.path, 'disk.img');
  const path = join(folder.path, 'disk');
  fs.writeFileSync(image, '');
  fs.truncateSync(image, sizeMiB << 20);
  fs.mkdirSync(path);
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  execFileSync('mkfs.exfat', [image], { env, stdio: 'ignore' });
  const device = execFileSync('losetup', ['--find', '--show', image], { env, encoding: 'utf8' }).trim();
  onTestFinished(async () => {
    execFileSync('umount', [path], { env, stdio: 'ignore' });
    execFileSync('losetup', ['--detach', device], { env });
    await folder[Symbol.asyncDispose]();
  });
  execFileSync('mount.exfat-fuse', ['-o', 'umask=022', device, path], { env, stdio: 'ignore' });
  return path;
}
