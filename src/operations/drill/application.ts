import { setTimeout as sleep } from 'node:timers/promises';
import { type AppConfig, restoredVariable } from '../../config/system.ts';
import { roughDuration } from '../../core/duration.ts';
import type { Expandable } from '../../core/references.ts';
import type { Run } from '../../core/run.ts';
import { variablesOf } from '../../core/template.ts';
import { redactor } from '../../process/redact.ts';
import type { Agent } from '../../sandbox/agent-client.ts';
import { sandboxNotIsolated } from '../../sandbox/errors.ts';
import type { Door, Placement } from '../../sandbox/protocol.ts';
import type { Isolation } from '../../sandbox/sandbox.ts';
import { engineOf, placeOf } from '../../sources/engines.ts';
import { ledOutSentence } from './led-out.ts';
import type { Drill, Finding } from './parts.ts';

const processName = 'application';

/**
 * Starts the application on the restored data and waits until it answers.
 * @throws `sandbox-not-isolated` when it could reach the network and that was not allowed
 */
export async function startApplication(app: AppConfig, drill: Drill, run: Run): Promise<Finding> {
  const { variables } = drill;
  const { signal } = run;
  const agent = await applicationCell(drill);
  const unseen = ledOutSentence(drill);
  if (unseen !== undefined) drill.notes.push(unseen);
  variables.PORT = String((await agent.call('port', {}, { signal })).port);
  for (const copy of drill.copies.values()) variables[restoredVariable(copy.dataset)] = copy.inside;
  const env = await bareEnvironment(drill);
  for (const [name, value] of Object.entries(app.env)) env[name] = await expandNoting(value, drill);
  const ready = await expandNoting(app.ready, drill);

  const order = { name: processName, words: ['/bin/sh', '-c', app.start], env, directory: app.directory };
  await agent.call('start', order, { signal });
  const finding = await untilReady(app, ready, drill, run);
  if (finding.verdict === 'pass') drill.application = { origin: new URL(ready).origin };
  return finding;
}

/** Where the application and the operator's commands run. @throws `sandbox-not-isolated` */
export async function applicationCell(drill: Drill): Promise<Agent> {
  if (drill.sandbox.footing === 'none') refuseWithoutIsolation(drill);
  const agent = await drill.sandbox.application(placementsOf(drill), doorsOf(drill));
  // By now it was tried, and nothing restored runs there yet.
  refuseWithoutIsolation(drill);
  return agent;
}

export async function stopApplication(drill: Drill): Promise<void> {
  const agent = await drill.sandbox.application([]);
  await agent.call('stop', { name: processName, signal: 'SIGTERM', graceMs: 5000 }).catch(() => {});
}

async function untilReady(app: AppConfig, ready: string, drill: Drill, run: Run): Promise<Finding> {
  const agent = await applicationCell(drill);
  const expected = `${app.ready.shown} answers within ${roughDuration(app.readyTimeoutMs)}`;
  const deadline = run.clock.elapsed() + app.readyTimeoutMs;
  let last = 'it was never asked';
  let looked = 0;
  while (run.clock.elapsed() < deadline) {
    const order = { method: 'GET', url: ready, headers: {}, timeoutMs: 10_000 };
    const answer = await agent.call('http', order, { signal: run.signal });
    looked++;
    last = 'failed' in answer ? answer.failed : `status ${answer.status}`;
    if (!('failed' in answer) && answer.status >= 200 && answer.status < 400) {
      return { verdict: 'pass', looked, expected, actual: last, message: `The application answers (${last}).` };
    }
    const { running, exitCode, signal, tail } = await agent.call('look', { name: processName }, { signal: run.signal });
    if (!running) {
      const how = exitCode === null ? `signal ${signal}` : `exit code ${exitCode}`;
      const said = lastLines(tail, drill.secrets);
      const message = `The application ended with ${how} before it was ready. It said: ${said}${whereItMayWrite(tail)}`;
      return { verdict: 'fail', looked, expected, actual: how, message };
    }
    await sleep(100, undefined, { signal: run.signal });
  }
  const { tail } = await agent.call('look', { name: processName }, { signal: run.signal });
  const said = lastLines(tail, drill.secrets);
  const message = `The application was not ready after ${roughDuration(app.readyTimeoutMs)}; last: ${last}. ${await whereItListens(agent, ready, drill)}It said: ${said || 'nothing'}${whereItMayWrite(tail)}`;
  return { verdict: 'fail', looked, expected, actual: last, message };
}

/** Only its own folder, and what it is told here, is seen with the rights that it has in production. */
function whereItMayWrite(tail: string): string {
  return /permission denied|read-only file system|\bE(ACCES|PERM|ROFS)\b/i.test(tail)
    ? ' A folder that it writes to, besides its own, is named in drill.app.writes; elsewhere on this host it reads what everybody may.'
    : '';
}

/** A file of the application's own may set another port than the one that it was given. Without walls the ports are this host's. */
async function whereItListens(agent: Agent, ready: string, drill: Drill): Promise<string> {
  if (drill.sandbox.footing === 'none') return '';
  const { protocol, port } = new URL(ready);
  const asked = Number(port) || (protocol === 'https:' ? 443 : 80);
  const { ports } = await agent.call('listening', {});
  if (ports.length === 0) return 'Nothing listens on any port. ';
  if (ports.includes(asked)) return '';
  const it = `It listens on port ${ports.join(', ')} and not on ${asked}`;
  return `${it}: something sets it to another port than PORT. Name the right one in drill.app.ready, or set its own variable in drill.app.env. `;
}

/** Only what a program needs to run, and what the drill says: production's environment stays outside. */
export async function bareEnvironment(drill: Drill): Promise<Record<string, string>> {
  const { sandbox, variables } = drill;
  return {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin',
    HOME: sandbox.inside(`${sandbox.folder}/home`),
    TMPDIR: sandbox.inside(`${sandbox.folder}/tmp`),
    LANG: 'C.UTF-8',
    ...variables,
  };
}

/** The text with its references filled in. What came from outside the drill is a secret from then on. */
export async function expandNoting(
  text: Expandable,
  drill: Drill,
  variables: Readonly<Record<string, string>> = drill.variables,
): Promise<string> {
  const value = await text.expand(variables);
  const outside = variablesOf(text.shown).filter((name) => !Object.hasOwn(variables, name));
  const hidden = outside.length > 0 || /\$\{(file|command):|\*{4}/.test(text.shown);
  for (const secret of hidden ? [value, ...outside.map((name) => process.env[name] ?? '')] : []) {
    // Shorter values are words like `true`: without them no message would be left.
    if (secret.length >= 6) drill.secrets.add(secret);
  }
  return value;
}

/** The end of what a program printed, as one line, without secrets. */
export function lastLines(tail: string, secrets: ReadonlySet<string>): string {
  const lines = redactor([...secrets])
    .redact(tail)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a program's log must not reach a report
    .replace(/\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const last = lines.slice(-5).join(' · ');
  return last.length > 600 ? `…${last.slice(-600)}` : last;
}

/** What comes from the operator or the backup runs only where it cannot reach anything. @throws `sandbox-not-isolated` */
function refuseWithoutIsolation({ sandbox, options }: Drill): void {
  const { isolation } = sandbox;
  const held = isolation.footing !== 'none' && isolation.network && isolation.files;
  if (!held && !options.withoutIsolation) throw sandboxNotIsolated({ why: whyOpen(isolation) });
}

function whyOpen({ footing, notes, probes }: Isolation): string {
  if (footing === 'none') return notes.at(-1) ?? 'this system has no namespaces for it';
  const reached = probes.filter((one) => one.reached).map((one) => `${one.target} (${one.what})`);
  return reached.length === 0
    ? (notes.at(-1) ?? 'something stayed in sight')
    : `from inside it reached ${reached.join(', ')}`;
}

function doorsOf({ copies }: Drill): Door[] {
  return [...copies.values()].flatMap(({ door }) => door ?? []);
}

/** Restored files and folders, on their production paths too; what is out of scope is hidden there. */
function placementsOf(drill: Drill): Placement[] {
  const ledOut = [...drill.ledOut].map((to): Placement => ({ from: null, to, gone: [] }));
  const copies = Object.values(drill.parts.system.datasets).flatMap((config) => {
    const place = placeOf(config);
    if (!('path' in place)) return [];
    const { path, parts } = place;
    const name = path.slice(path.lastIndexOf('/') + 1);
    const gone = (engineOf(config.type).companions ?? []).map((end) => `${name}${end}`);
    const from = drill.copies.get(config.name)?.outside ?? null;
    if (parts === undefined) return [{ from, to: path, gone }];
    return parts.map((to) => ({ from: from === null ? null : `${from}${to}`, to, gone }));
  });
  return [...ledOut, ...copies];
}
