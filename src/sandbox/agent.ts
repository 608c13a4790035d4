/** The first process inside a cell, with no more rights than what it starts. Never imported: `agent-client.ts` starts it. */
import { createInterface } from 'node:readline';
import { sentenceOf } from '../core/errors.ts';
import { forward, listeningPorts } from './inside/forward.ts';
import { request } from './inside/http.ts';
import { freePort, probe } from './inside/probe.ts';
import { endAll, look, run, start, stop } from './inside/processes.ts';
import type { Answer, Ask, CallName, Reply } from './protocol.ts';

type Handlers = { [Name in CallName]: (ask: Ask<Name>) => Promise<Answer<Name>> | Answer<Name> };

const handlers: Handlers = {
  hello: () => ({ pid: process.pid }),
  probe,
  port: async () => ({ port: await freePort() }),
  listening: async () => ({ ports: await listeningPorts() }),
  forward: (door) => forward(door).then(() => ({})),
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
// The end of our input means that lifeboat is gone. With us ends the namespace of processes, and so everyone in it.
lines.on('close', end);
process.on('SIGTERM', end);
process.stdout.on('error', end);
