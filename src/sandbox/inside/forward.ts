import { once } from 'node:events';
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
}
