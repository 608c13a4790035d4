import { connect } from 'node:net';

/** Whether somebody takes connections there. */
export function answers(host: string, port: number, waitMs = 300): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: waitMs });
    const end = (open: boolean) => {
      socket.destroy();
      done(open);
    };
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
    socket.on('timeout', () => end(false));
  });
}
