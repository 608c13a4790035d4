import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Probed, ProbeOrder, ProbeTarget, User } from '../protocol.ts';

/** Tries to reach each target. Not reaching one is the proof; how it failed is kept. */
export async function probe({ targets, timeoutMs, user }: ProbeOrder): Promise<Probed[]> {
  return Promise.all(targets.map((target) => tryOne(target, timeoutMs, user)));
}

function tryOne(target: ProbeTarget, timeoutMs: number, user: User | undefined): Promise<Probed> {
  switch (target.kind) {
    case 'tcp':
      return knock(`tcp ${target.host}:${target.port}`, { host: target.host, port: target.port }, timeoutMs);
    case 'socket':
      return knock('socket of this host', { path: `\0${target.name}` }, timeoutMs);
    case 'path':
      return look(target.path);
    case 'act':
      return act(target.what, target.words, timeoutMs, user);
  }
}

/** Runs what must fail. One that could not be run was not tried, which proves nothing. */
function act(what: string, words: readonly string[], timeoutMs: number, user: User | undefined): Promise<Probed> {
  const [program, ...rest] = words as [string, ...string[]];
  return new Promise((resolve) => {
    execFile(program, rest, { timeout: timeoutMs, killSignal: 'SIGKILL', env: {}, ...user }, (error, _, stderr) => {
      const reached = error === null || typeof error.code !== 'number';
      const said = stderr.trim().split('\n').at(-1)?.slice(0, 200);
      resolve({ target: what, reached, what: error === null ? 'done' : said || String(error.code ?? error.message) });
    });
  });
}

function knock(
  target: string,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
  timeoutMs: number,
): Promise<Probed> {
  return new Promise((resolve) => {
    const socket = connect(where);
    const end = (reached: boolean, what: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ target, reached, what });
    };
    // A packet that goes out and gets no answer has left: silence is not isolation.
    const timer = setTimeout(() => end(true, 'no answer, but it was sent'), timeoutMs);
    socket.once('connect', () => end(true, 'connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message;
      const outside = ['ENETUNREACH', 'EHOSTUNREACH', 'ECONNREFUSED', 'EADDRNOTAVAIL', 'EPERM', 'EACCES'];
      end(!outside.includes(code), code);
    });
  });
}

async function look(path: string): Promise<Probed> {
  const target = `path ${path}`;
  const seen = (reached: boolean, what: string): Probed => ({ target, reached, what });
  try {
    const found = await stat(path);
    if (found.isDirectory()) {
      const names = await readdir(path);
      return names.length === 0 ? seen(false, 'empty') : seen(true, `${names.length} names`);
    }
    const bytes = await readFile(path);
    return bytes.length === 0 ? seen(false, 'empty') : seen(true, `${bytes.length} bytes`);
  } catch (error) {
    return seen(false, (error as NodeJS.ErrnoException).code ?? String(error));
  }
}

/** A port of the loopback that nobody uses now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
