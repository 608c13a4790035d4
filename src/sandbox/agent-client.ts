import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess } from '../process/start.ts';
import { sandboxFailed } from './errors.ts';
import type { Answer, Ask, CallName, Footing, Reply } from './protocol.ts';

/** Our end of the agent's two pipes. */
export interface Agent extends AsyncDisposable {
  readonly footing: Footing;
  /** On the host: the process whose end is the end of everything inside. */
  readonly pid: number;
  /** @throws `sandbox-failed` with what the agent says, or when it is gone or does not answer in time */
  call<Name extends CallName>(name: Name, ask: Ask<Name>, options?: CallOptions): Promise<Answer<Name>>;
  /** Ends it and everything inside at once. What waits for it, and every later call, throws `why`. */
  kill(why: Error): void;
}

interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export const agentFile = fileURLToPath(new URL('./agent.ts', import.meta.url));
export const agentFlags = ['--disable-warning=ExperimentalWarning'];

/** Starts an agent by a command, and waits until it answers. */
export async function startAgent(words: readonly string[], footing: Footing): Promise<Agent> {
  const orders = openQueue();
  const [program, ...rest] = words as [string, ...string[]];
  // Without a namespace that dies with it, the agent must outlive us for the moment in which it ends what it started.
  const dieWithUs = footing !== 'none';
  const child = await startProcess(program, rest, {
    cwd: '/',
    env: makerEnv(),
    input: orders,
    stdout: 'stream',
    dieWithUs,
  });
  const agent = connect(child, footing, orders);
  try {
    await agent.call('hello', {}, { timeoutMs: 30_000 });
    return agent;
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    const said = child.tail().trim().split('\n').at(-1);
    throw said ? sandboxFailed({ doing: 'be started', why: said }, { cause: error }) : error;
  }
}

/** The system's own programs first: what makes a sandbox must not be something that an application put on the way. */
export function makerEnv(): Readonly<Record<string, string>> {
  return { PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${process.env.PATH ?? ''}` };
}

function connect(child: RunningProcess, footing: Footing, orders: Queue): Agent {
  const waiting = new Map<number, Waiting>();
  let last = 0;
  let gone: Error | undefined;
  const end = (why: Error) => {
    gone ??= why;
    for (const one of waiting.values()) one.reject(gone);
    waiting.clear();
  };

  const lines = createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    const reply = parseReply(line);
    const one = reply && waiting.get(reply.id);
    if (!reply || !one) return;
    waiting.delete(reply.id);
    if (reply.ok) one.resolve(reply.value);
    else one.reject(new AgentRefusal(reply.why));
  });
  void child.ended.then(() => end(new AgentRefusal('its first process ended')));

  return {
    footing,
    pid: child.pid,
    async call(name, ask, { timeoutMs = 60_000, signal } = {}) {
      signal?.throwIfAborted();
      if (gone) throw gone instanceof AgentRefusal ? sandboxFailed({ doing: doing[name], why: gone.message }) : gone;
      const id = ++last;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      waiting.set(id, { resolve, reject });
      // Who stops the agent stops its answers: it is not asked, and waited for, again.
      const timer = setTimeout(() => end(new AgentRefusal(`no answer in ${timeoutMs} ms`)), timeoutMs);
      const onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      orders.push(`${JSON.stringify({ id, call: name, ask })}\n`);
      try {
        return (await promise) as never;
      } catch (error) {
        if (!(error instanceof AgentRefusal)) throw error;
        throw sandboxFailed({ doing: doing[name], why: error.message }, { cause: error });
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        waiting.delete(id);
      }
    },
    kill(why) {
      end(why);
      void child.stop('SIGKILL');
    },
    async [Symbol.asyncDispose]() {
      orders.end();
      const timer = setTimeout(() => void child.stop('SIGKILL'), gone === undefined ? 5000 : 0);
      await child.ended;
      clearTimeout(timer);
      lines.close();
      await child[Symbol.asyncDispose]();
    },
  };
}

/** The agent's own word for what went wrong, before it becomes a sentence of ours. */
class AgentRefusal extends Error {}

const doing: Readonly<Record<CallName, string>> = {
  hello: 'be started',
  probe: 'test its isolation',
  port: 'find a free port',
  listening: 'see which ports are open',
  forward: 'listen in place of a database server',
  start: 'start a process',
  run: 'run a command',
  look: 'look at a process',
  stop: 'stop a process',
  http: 'make the request',
};

function parseReply(line: string): Reply | undefined {
  try {
    return JSON.parse(line) as Reply;
  } catch {
    return undefined;
  }
}

interface Queue extends AsyncIterable<Uint8Array> {
  push(line: string): void;
  end(): void;
}

/** Lines on their way to the agent's input. The input stays open until `end`: its end is the agent's. */
function openQueue(): Queue {
  const lines: string[] = [];
  let ended = false;
  let wake = () => {};
  return {
    push(line) {
      lines.push(line);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const line = lines.shift();
        if (line !== undefined) yield Buffer.from(line);
        else if (ended) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
