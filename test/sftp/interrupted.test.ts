import { createHash, randomBytes, randomInt } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Destination } from '../../src/destinations/destination.ts';
import { createSftp, openSftp } from '../../src/destinations/sftp/destination.ts';
import { withRetry } from '../../src/destinations/wrap/retry.ts';
import { runCommand } from '../../src/process/run.ts';
import { startProcess } from '../../src/process/start.ts';
import { listAll } from '../suites/destination.suite.ts';
import { type Openssh, startOpenssh } from '../support/openssh.ts';
import { until } from '../support/until.ts';

let server: Openssh;
beforeAll(async () => {
  server = await startOpenssh({ hostKeyTypes: ['ed25519'] });
});
afterAll(() => server?.[Symbol.asyncDispose]());

const newName = () => randomBytes(4).toString('hex');
const incomingOf = (name: string) => readdirSync(join(server.folder, name, '.incoming'));
const keysOf = async (destination: Destination) => (await listAll(destination)).map(({ key }) => key);
const node = (program: string, env: Record<string, string>) =>
  startProcess(process.execPath, ['--disable-warning=ExperimentalWarning', program], { secretEnv: env });

test('kill -9 in the middle of sending leaves whole objects, all that were confirmed, and no litter', async () => {
  let interrupted = 0;
  const oneRun = async () => {
    const name = newName();
    const options = server.options(name);
    await createSftp(options);
    const program = join(import.meta.dirname, '../support/put-sftp-until-killed.ts');
    await using child = await node(program, { SFTP_OPTIONS: JSON.stringify(options) });
    const confirmed: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.length === 64) confirmed.push(line);
      // Anywhere within a put: what follows the first confirmation.
      if (confirmed.length === 1) void sleep(randomInt(60)).then(() => child.stop('SIGKILL'));
    }
    await child.ended;
    const litter = incomingOf(name);
    interrupted += litter.length > 0 ? 1 : 0;
    const destination = await openSftp(options);
    const keys = await keysOf(destination);
    await destination.put('packs/next', Buffer.from('x'));
    expect(incomingOf(name).filter((left) => litter.includes(left))).toEqual([]);
    for (const key of keys) {
      const sha256 = createHash('sha256')
        .update(await destination.get(key))
        .digest('hex');
      expect(key).toBe(`packs/${sha256.slice(0, 2)}/${sha256}.age`);
    }
    expect(keys).toEqual(
      expect.arrayContaining(confirmed.map((sha256) => `packs/${sha256.slice(0, 2)}/${sha256}.age`)),
    );
  };
  for (let run = 0; run < 24; run += 2) await Promise.all([oneRun(), oneRun()]);
  expect(interrupted).toBeGreaterThan(6);
});

test('a connection that is cut while objects are sent and fetched is opened anew, and nothing is half', async () => {
  const name = newName();
  let again = 0;
  const destination = withRetry(await createSftp(server.options(name)), {
    attempts: 10,
    sleep: async () => {
      again++;
    },
  });
  const bodies = new Map(Array.from({ length: 24 }, (_, n) => [`packs/${n}`, randomBytes(3 << 20)]));
  for (let at = 0; at < bodies.size; at += 4) {
    const four = [...bodies].slice(at, at + 4);
    const putting = Promise.all(four.map(([key, body]) => destination.put(key, body)));
    await until(() => incomingOf(name).length > 0);
    await server.signalSessions('SIGKILL');
    await putting;
    const getting = Promise.all(
      four.map(async ([key, body]) => expect(Buffer.compare(await destination.get(key), body)).toBe(0)),
    );
    await server.signalSessions('SIGKILL');
    await getting;
  }
  expect(again).toBeGreaterThan(12);
  expect(await keysOf(destination)).toEqual([...bodies.keys()].sort());
});

test('without retries a cut connection is destination-unreachable, for every verb that waits', async () => {
  const name = newName();
  const destination = await createSftp(server.options(name));
  await destination.put('a/1', Buffer.from('x'));
  await server.signalSessions('SIGSTOP');
  const verbs = [
    destination.put('a/2', Buffer.alloc(1 << 20)),
    destination.get('a/1'),
    destination.stat('a/1'),
    destination.delete('a/1'),
    destination.freeBytes(),
    listAll(destination),
  ];
  const settled = Promise.allSettled(verbs);
  await server.signalSessions('SIGKILL');
  for (const result of await settled) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'destination-unreachable' } });
  }
  expect(await keysOf(destination)).toEqual(['a/1']);
});

test('a server that is there and gives no answer is given up after its time', async () => {
  const name = newName();
  await using silent = await startOpenssh({ hostKeyTypes: ['ed25519'] });
  const destination = await createSftp(silent.options(name), { times: { answerMs: 300 } });
  await destination.put('a/1', Buffer.from('x'));
  await silent.signalSessions('SIGSTOP');
  const unreachable = {
    code: 'destination-unreachable',
    message: expect.stringContaining('the server gave no answer for 0.3 s'),
  };
  await expect(destination.get('a/1')).rejects.toMatchObject(unreachable);
  expect(Buffer.from(await destination.get('a/1')).toString()).toBe('x');
});

test('a server that does not even greet is given up after its time', async () => {
  await using silent = await startOpenssh({ hostKeyTypes: ['ed25519'] });
  const options = silent.options('vault');
  await createSftp(options);
  await using _ = await stopped(silent);
  await expect(openSftp(options, { times: { connectMs: 200 } })).rejects.toMatchObject({
    code: 'destination-unreachable',
    message: expect.stringContaining('did not let us in within 0.2 s'),
  });
});

/** The whole server, for as long as this lives. */
async function stopped(one: Openssh): Promise<AsyncDisposable> {
  process.kill(one.pid, 'SIGSTOP');
  return {
    async [Symbol.asyncDispose]() {
      process.kill(one.pid, 'SIGCONT');
    },
  };
}

test('a put that is aborted on the way leaves nothing, also when the server does not answer any more', async () => {
  const name = newName();
  const destination = await createSftp(server.options(name));
  const stop = new AbortController();
  const putting = destination.put('packs/1', Buffer.alloc(96 << 20), { signal: stop.signal });
  await until(() => incomingOf(name).length > 0);
  stop.abort(new Error('the user said stop'));
  await expect(putting).rejects.toThrow('the user said stop');
  expect(incomingOf(name)).toEqual([]);
  expect(await keysOf(destination)).toEqual([]);

  const again = new AbortController();
  await destination.stat('packs/1').catch(() => {});
  await server.signalSessions('SIGSTOP');
  const getting = destination.get('packs/1', undefined, { signal: again.signal });
  again.abort(new Error('stop at once'));
  await expect(getting).rejects.toThrow('stop at once');
  await server.signalSessions('SIGKILL');
});

test('a connection that nobody uses is closed, and opened again when it is needed', async () => {
  await using own = await startOpenssh({ hostKeyTypes: ['ed25519'] });
  const destination = await createSftp(own.options('vault'), { times: { idleMs: 50 } });
  await destination.put('a', Buffer.from('x'));
  await until(async () => (await own.sessions()).length === 0);
  expect(Buffer.from(await destination.get('a')).toString()).toBe('x');
});

test('a destination that is open keeps no process alive', async () => {
  const name = newName();
  const options = server.options(name);
  await createSftp(options);
  const script = `
    import { openSftp } from ${JSON.stringify(join(import.meta.dirname, '../../src/destinations/sftp/destination.ts'))};
    const destination = await openSftp(JSON.parse(process.env.SFTP_OPTIONS));
    await destination.put('packs/1', Buffer.alloc(5_000_000, 1));
    for await (const _ of destination.list('')) break;
    console.log((await destination.get('packs/1')).length);`;
  const { stdout } = await runCommand(process.execPath, ['--input-type=module', '--eval', script], {
    secretEnv: { SFTP_OPTIONS: JSON.stringify(options) },
    // Far less than the time after which an idle connection is closed.
    deadlineMs: 30_000,
  });
  expect(stdout.toString()).toBe('5000000\n');
});

test('what a living writer has half written stays, and an object may only be read, by its owner', async () => {
  const name = newName();
  const destination = await createSftp(server.options(name));
  const putting = destination.put('packs/1', Buffer.alloc(48 << 20));
  await until(() => incomingOf(name).length > 0);
  await openSftp(server.options(name));
  expect(incomingOf(name)).toHaveLength(1);
  await putting;
  const { size, mode } = statSync(join(server.folder, name, 'packs/1'));
  expect([size, mode & 0o777]).toEqual([48 << 20, 0o400]);
  expect(incomingOf(name)).toEqual([]);
});
