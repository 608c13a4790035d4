import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mount } from './mount.ts';

const nodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/** A /dev with nothing in it that leads out: no disks, no memory, no terminals of others. */
export function makeDevices(): void {
  const at = '/run/lifeboat/.dev';
  mkdirSync(at);
  mount('-t', 'tmpfs', '-o', 'mode=755,size=64k,nosuid,noexec', 'tmpfs', at);
  for (const name of nodes) {
    if (!existsSync(`/dev/${name}`)) continue;
    writeFileSync(`${at}/${name}`, '');
    mount('--bind', `/dev/${name}`, `${at}/${name}`);
  }
  mkdirSync(`${at}/shm`);
  // The databases' shared memory may be here. It counts as memory, so half of it is the kernel's own limit.
  mount('-t', 'tmpfs', '-o', 'mode=1777,nosuid,nodev', 'tmpfs', `${at}/shm`);
  mkdirSync(`${at}/pts`);
  mount('-t', 'devpts', '-o', 'newinstance,ptmxmode=0666', 'devpts', `${at}/pts`);
  symlinkSync('pts/ptmx', `${at}/ptmx`);
  symlinkSync('/proc/self/fd', `${at}/fd`);
  for (const [number, name] of ['stdin', 'stdout', 'stderr'].entries()) {
    symlinkSync(`/proc/self/fd/${number}`, `${at}/${name}`);
  }
  mount('--rbind', at, '/dev');
}
