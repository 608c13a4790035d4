/** The first process inside a sandbox. Never imported: `sandbox/isolation.ts` starts it. */
import { createInterface } from 'node:readline';
import { sentenceOf } from '../core/errors.ts';
import { request } from './inside/http.ts';
import { place, seal } from './inside/mounts.ts';
import { freePort, loopbackUp, probe } from './inside/network.ts';
import { endAll, look, run, start, stop, useFooting } from './inside/processes.ts';
import type { Answer, Ask, CallName, Reply } from './protocol.ts';

type Handlers = { [Name in CallName]: (ask: Ask<Name>) => Promise<Answer<Name>> | Answer<Name> };

const handlers: Handlers = {
  hello: () => ({ pid: process.pid }),
  async seal(ask) {
    useFooting(ask.footing, ask.self);
    if (ask.footing === 'none') return { notes: [] };
    const network = await loopbackUp();
    return { notes: [...network, ...seal(ask)] };
  },
  place: ({ places }) => ({ notes: place(places) }),
  probe: ({ targets, timeoutMs }) => probe(targets, timeoutMs),
  port: async () => ({ port: await freePort() }),
  start: (order) => start(order),
  run: (order) => run(order),
  look: ({ name }) => look(name),
  stop: ({ name, signal, graceMs }) => stop(name, signal, graceMs),
  http: (order) => request(order).catch((error: unknown) => ({ failed: sentenceOf(error) || String(error) })),
};

async function answer(line: string): Promise<void> {
  const { id, call, ask } = JSON.parse(line) as { id: number; call: CallName; ask: never };
  let reply: Reply;
  try {
    const value = await handlers[call](ask);
    reply = { id, ok: true, value };
  } catch (error) {
    reply = { id, ok: false, why: sentenceOf(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

function end(): void {
  endAll();
  process.exit(0);
}

const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
lines.on('line', (line) => void answer(line));
// The end of our input means that lifeboat is gone. As the first process of the namespace, our end is everyone's.
lines.on('close', end);
process.on('SIGTERM', end);
process.stdout.on('error', end);
