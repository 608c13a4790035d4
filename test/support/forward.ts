import { once } from 'node:events';
import { connect, createServer, type ListenOptions, type NetConnectOpts } from 'node:net';

export interface Forward extends AsyncDisposable {
  /** How many connections it has handed on. */
  connections(): number;
}

/** Hands on whatever connects to `at` to `to`, both ways. */
export async function forward(at: ListenOptions, to: NetConnectOpts): Promise<Forward> {
  const open = new Set<() => void>();
  let connections = 0;
  const server = createServer((near) => {
    connections++;
    const far = connect(to);
    const end = () => {
      near.destroy();
      far.destroy();
      open.delete(end);
    };
    open.add(end);
    for (const socket of [near, far]) socket.on('error', end).on('close', end);
    near.pipe(far).pipe(near);
  });
  server.listen(at);
  await once(server, 'listening');
  return {
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const end of [...open]) end();
      await once(server, 'close');
    },
  };
}
