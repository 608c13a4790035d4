import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A running Harbor and a visitor of it, who keeps cookies and does not follow redirects. */
export interface Visit {
  readonly url: string;
  /** Its first line of output. */
  readonly greeting: string;
  get(path: string): Promise<Response>;
  post(path: string, body: URLSearchParams | FormData, headers?: Record<string, string>): Promise<Response>;
  /** Throws when the answer is not a session. */
  signIn(email: string, password: string): Promise<void>;
  /** The Cookie header that the next request carries. */
  cookie: string;
  stop(): Promise<void>;
}

const startLimitMs = 15_000;

/** Starts examples/harbor/server.ts with this environment, and waits until it listens. */
export async function startHarbor(environment: Record<string, string>, cwd: string): Promise<Visit> {
  const server = spawn(process.execPath, [join(import.meta.dirname, 'harbor/server.ts')], {
    env: environment,
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let trouble = '';
  server.stderr.on('data', (text: Buffer) => {
    trouble = (trouble + text).slice(-4000);
  });
  const ended = once(server, 'exit');
  const stop = async () => {
    server.kill('SIGTERM');
    await ended;
  };

  const lines = createInterface({ input: server.stdout });
  const limit = AbortSignal.timeout(startLimitMs);
  const first = await Promise.race([
    once(lines, 'line', { signal: limit }).then(([line]) => String(line)),
    ended.then(() => ''),
  ]).catch(() => '');
  const url = /http:\/\/\S+/.exec(first)?.[0];
  if (!url) {
    await stop();
    throw new Error(`Harbor did not start: ${trouble || 'it said nothing'}`);
  }

  const visit: Visit = {
    url,
    greeting: first,
    cookie: '',
    get: (path) => fetch(url + path, { redirect: 'manual', headers: { cookie: visit.cookie } }),
    post: (path, body, headers = {}) =>
      fetch(url + path, { method: 'POST', redirect: 'manual', body, headers: { cookie: visit.cookie, ...headers } }),
    async signIn(email, password) {
      const answer = await visit.post('/login', new URLSearchParams({ email, password }));
      const session = answer.headers.getSetCookie()[0]?.split(';')[0];
      if (answer.status !== 303 || !session) throw new Error(`signing in was answered with ${answer.status}`);
      visit.cookie = session;
    },
    stop,
  };
  return visit;
}
