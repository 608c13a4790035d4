import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import type { Door } from '../protocol.ts';

/** Listens on a port of the loopback, and passes each connection on to a Unix socket, until we end. */
export async function forward({ port, socket }: Door): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: socket, allowHalfOpen: true });
    // However one side ends, the other hears of it by the same end.
    pipeline(near, far, () => {});
    pipeline(far, near, () => {});
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  doors.add(port);
}

const doors = new Set<number>();
/** TCP_LISTEN of the kernel's net/tcp_states.h, as /proc/net/tcp writes it. */
const listening = '0A';

/** Ports of this network on which somebody listens, but for the doors. */
export async function listeningPorts(): Promise<number[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  );
  const ports = tables
    .join('\n')
    .split('\n')
    .flatMap((line) => {
      const [, local, , state] = line.trim().split(/\s+/);
      return state === listening ? [Number.parseInt(local?.split(':')[1] ?? '', 16)] : [];
    });
  return [...new Set(ports)].filter((port) => !doors.has(port)).sort((a, b) => a - b);
}
