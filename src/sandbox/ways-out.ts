import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Probed, ProbeTarget } from './protocol.ts';

export interface HostListener extends AsyncDisposable {
  readonly port: number;
  readonly name: string;
}

export function waysOut({ port, name }: HostListener): ProbeTarget[] {
  return [
    { kind: 'tcp', host: '192.0.2.1', port: 443 },
    { kind: 'tcp', host: '127.0.0.1', port },
    { kind: 'socket', name },
  ];
}

const act = (what: string, ...words: string[]): ProbeTarget => ({ kind: 'act', what, words });
/** What an application would try, tried with the application's rights, before any of it runs. */
export const ownActs: readonly ProbeTarget[] = [
  act('mount', '/usr/bin/mount', '-t', 'tmpfs', 'tmpfs', '/mnt'),
  act('unmount', '/usr/bin/umount', '/usr'),
  act('remount', '/usr/bin/mount', '-o', 'remount,bind,rw', '/usr'),
  act('write to programs', '/usr/bin/touch', '/usr/bin/.lifeboat-probe'),
  act('make a user namespace', '/usr/bin/unshare', '--user', '/usr/bin/true'),
  act('enter the namespaces of another process', '/usr/bin/nsenter', '--target', '1', '--mount', '/usr/bin/true'),
  act('make a device', '/usr/bin/mknod', '/tmp/.lifeboat-probe', 'b', '8', '0'),
  act('signal a process of this host', '/bin/sh', '-c', `kill -0 ${process.pid}`),
  act('read the log of the kernel', '/usr/bin/dmesg'),
  act('change a setting of the kernel', '/bin/sh', '-c', ': >> /proc/sys/kernel/core_pattern'),
];

/** Whether it is about the network, and not about files or the kernel. */
export function isOfNetwork({ target }: Probed): boolean {
  return target.startsWith('tcp ') || target.startsWith('socket ');
}

/** Listeners of this host, on its loopback and under an abstract name, which the sandbox must not reach. */
export async function listenOnHost(): Promise<HostListener> {
  const name = `lifeboat-probe-${randomUUID()}`;
  const [tcp, local] = [createServer((socket) => socket.destroy()), createServer((socket) => socket.destroy())];
  tcp.listen(0, '127.0.0.1');
  local.listen(`\0${name}`);
  await Promise.all([once(tcp, 'listening'), once(local, 'listening')]);
  const address = tcp.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    name,
    async [Symbol.asyncDispose]() {
      await Promise.all([tcp, local].map((server) => new Promise((done) => server.close(done))));
    },
  };
}
