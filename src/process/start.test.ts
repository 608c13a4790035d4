import { readFileSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temp.ts';
import { until } from '../../test/support/until.ts';
import { redactor } from './redact.ts';
import { runCommand } from './run.ts';
import { startProcess } from './start.ts';
import { startTail } from './tail.ts';

const sh = (script: string) => ['-c', script] as const;

/** Whether a process runs; a zombie, which nobody has waited for yet, does not. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

test('output comes at the pace at which it is read, and bounded memory holds an endless tool', async () => {
  await using endless = await startProcess('/bin/sh', sh('while :; do echo 0123456789abcdef; done'));
  let read = 0;
  for await (const chunk of endless.stdout) {
    read += (chunk as Uint8Array).length;
    if (read > 1 << 20) break;
  }
  await endless.stop();
  expect(runs(endless.pid)).toBe(false);
  expect(process.memoryUsage.rss()).toBeLessThan(1 << 30);
});

test('what it wrote is there for whoever begins to read after its end', async () => {
  await using child = await startProcess('/bin/sh', sh('echo rows'));
  await child.ended;
  await readFile('/proc/self/stat');
  const seen: Uint8Array[] = [];
  for await (const chunk of child.output()) seen.push(chunk);
  expect(Buffer.concat(seen).toString()).toBe('rows\n');
});

test('reading output to its end means that the tool succeeded', async () => {
  await using child = await startProcess('/bin/sh', sh('echo half; echo out of paper >&2; exit 3'));
  const seen: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of child.output()) seen.push(chunk);
  })();
  await expect(reading).rejects.toMatchObject({
    code: 'tool-failed',
    message: 'sh failed (exit code 3): out of paper',
  });
  expect(Buffer.concat(seen).toString()).toBe('half\n');
});

test('a consumer that leaves early takes the process with it', async () => {
  const child = await startProcess('/bin/sh', sh('while :; do echo y; done'));
  for await (const _ of child.output()) break;
  expect(runs(child.pid)).toBe(false);
});

test.each([
  ['the child ignores SIGTERM', 'trap "" TERM; sleep 1000 &', 'SIGKILL'],
  ['only its own child does', `sh -c 'trap "" TERM; exec sleep 1000' &`, 'SIGTERM'],
])('an abort ends the whole process group when %s', async (_, script, signal) => {
  const folder = await temporaryFolder();
  const stop = new AbortController();
  const publish = `echo $! > ${folder}/pid; mv ${folder}/pid ${folder}/grandchild; wait; sleep 1000`;
  const child = await startProcess('/bin/sh', sh(`${script} ${publish}`), { signal: stop.signal, graceMs: 100 });
  const grandchild = Number(await until(() => readFile(join(folder, 'grandchild'), 'utf8').catch(() => undefined)));
  await until(() => /sleep/.test(readFileSync(`/proc/${grandchild}/comm`, 'latin1')));
  stop.abort(new Error('the user said stop'));
  await expect(child.completed()).rejects.toThrow('the user said stop');
  expect((await child.ended).signal).toBe(signal);
  await until(() => !runs(child.pid) && !runs(grandchild));
});

test('a signal that is aborted already starts nothing', async () => {
  await expect(startProcess('/bin/true', [], { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
});

test('a child dies when we are killed', async () => {
  const folder = await temporaryFolder();
  const script = `
    import { startProcess } from ${JSON.stringify(join(import.meta.dirname, 'start.ts'))};
    const child = await startProcess('/bin/sleep', ['1000']);
    process.stdout.write(child.pid + '\\n');
    await child.ended;
  `;
  await writeFile(join(folder, 'parent.ts'), script);
  await using parent = await startProcess(process.execPath, [join(folder, 'parent.ts')]);
  const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
  // Only from then on setpriv has done its work.
  await until(() => readFileSync(`/proc/${pid}/comm`, 'latin1') === 'sleep\n');
  process.kill(parent.pid, 'SIGKILL');
  await until(() => !runs(pid));
});

test('the child sees PATH, HOME, LANG and what it is given, nothing else of ours', async () => {
  process.env.LIFEBOAT_TEST_CANARY = 'seen';
  const { stdout } = await runCommand('/usr/bin/env', [], { env: { PGUSER: 'app' }, secretEnv: { PGPASSWORD: 's3' } });
  delete process.env.LIFEBOAT_TEST_CANARY;
  const names = stdout
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0]);
  expect(names.sort()).toEqual(['HOME', 'LANG', 'PATH', 'PGPASSWORD', 'PGUSER']);
});

test('secrets never reach an error or the captured output, however they are written', async () => {
  const secret = 'päss/word with spaces';
  const script = 'echo "it is $SECRET" >&2; echo "url $URL" >&2; echo last >&2; exit 1';
  const error = await runCommand('/bin/sh', sh(script), {
    secretEnv: { SECRET: secret },
    env: { URL: `scheme:app:${encodeURIComponent(secret)}` },
  }).then(undefined, (e: Error) => e);
  expect((error as Error).message).toContain('it is [redacted] · url scheme:app:[redacted] · last');
});

test('half a secret is not left where the captured output was cut', () => {
  const secret = 'päss/word with spaces';
  for (let filler = 0; filler < 400; filler++) {
    const tail = startTail(60, redactor([secret]));
    tail.add(Buffer.from(`${'-'.repeat(200)}${secret}${'+'.repeat(filler)}`));
    for (let at = 0; at + 3 <= secret.length; at++) expect(tail.text()).not.toContain(secret.slice(at, at + 3));
  }
});

test('a password in a URL is taken out although nobody said that it is one', async () => {
  const running = runCommand('/bin/sh', sh('echo "no route to postgres://app:hunter2@db/x" >&2; exit 1'));
  await expect(running).rejects.toThrow('postgres://app:[redacted]@db/x');
});

test('a secret file is for the child only, and gone when it ended', async () => {
  const child = await startProcess('/bin/sh', sh('stat -c %a "$PGPASSFILE"; cat "$PGPASSFILE"; echo "$PGPASSFILE"'), {
    secretFiles: { PGPASSFILE: 'db:5432:*:app:hunter2' },
    asUser: { uid: 65534, gid: 65534 },
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of child.output()) chunks.push(chunk);
  const [mode, content] = Buffer.concat(chunks).toString().split('\n');
  const path = Buffer.concat(chunks).toString().trim().split('\n').at(-1) ?? '';
  expect([mode, content?.startsWith('db:5432')]).toEqual(['600', true]);
  expect(path).toMatch(/pgpassfile$/);
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a child runs as another user, without our groups, in a folder that it may enter', async () => {
  const user = { uid: 65534, gid: 65534 };
  const { stdout } = await runCommand('/bin/sh', sh('id -u; id -G; pwd'), { asUser: user });
  expect(stdout.toString()).toBe('65534\n65534\n/\n');
});

test('input that fails never looks like its end', async () => {
  const folder = await temporaryFolder();
  async function* input() {
    yield Buffer.from('half');
    throw new Error('chunk 7 is damaged');
  }
  const script = `cat > ${folder}/got && touch ${folder}/whole`;
  await expect(runCommand('/bin/sh', sh(script), { input: input() })).rejects.toThrow('chunk 7 is damaged');
  await expect(stat(join(folder, 'whole'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('input arrives whole, and a tool that does not want it decides alone', async () => {
  const body = Buffer.alloc(3_000_000, 'x');
  const { stdout } = await runCommand('/usr/bin/wc', ['-c'], { input: body });
  expect(stdout.toString().trim()).toBe('3000000');
  await runCommand('/bin/true', [], { input: body });
  await expect(runCommand('/bin/false', [], { input: body })).rejects.toMatchObject({ code: 'tool-failed' });
});

test('a child that stops reading says itself how that was meant, and its input is let go', async () => {
  let letGo = 0;
  async function* input() {
    try {
      for (;;) yield Buffer.alloc(100_000);
    } finally {
      letGo += 1;
    }
  }
  const enough = await runCommand('/bin/sh', sh('exec <&-; sleep 0.1; echo enough'), { input: input() });
  expect(enough.stdout.toString()).toBe('enough\n');
  const refuses = sh('exec <&-; sleep 0.1; echo no such table >&2; exit 3');
  await expect(runCommand('/bin/sh', refuses, { input: input() })).rejects.toThrow('no such table');
  expect(letGo).toBe(2);
});

test('a tool that does not end in time is stopped and named', async () => {
  const script = 'echo waiting for a lock >&2; sleep 1000';
  await expect(runCommand('/bin/sh', sh(script), { deadlineMs: 5000 })).rejects.toMatchObject({
    code: 'tool-timed-out',
    message: 'sh did not end within 5 s and was stopped: waiting for a lock',
  });
});

test('a server that a tool leaves behind does not hold us up, and lives', async () => {
  const { stdout } = await runCommand('/bin/sh', sh('sleep 1000 & echo $!'), { graceMs: 100 });
  const pid = Number(stdout.toString());
  expect(runs(pid)).toBe(true);
  process.kill(pid, 'SIGKILL');
});

test('a missing tool names its package; one that cannot start says why', async () => {
  const noPath = { path: process.env.PATH };
  process.env.PATH = '/nonexistent';
  const missing = await runCommand('pg_restore', []).then(undefined, (error: unknown) => error);
  process.env.PATH = noPath.path;
  expect(missing).toMatchObject({ code: 'tool-missing', hint: 'Install it: apt-get install postgresql-client' });
  await expect(runCommand('/etc/passwd', [])).rejects.toMatchObject({ code: 'tool-missing' });
  await expect(runCommand('/bin/true', [], { cwd: '/nonexistent', dieWithUs: false })).rejects.toMatchObject({
    code: 'tool-failed',
    message: expect.stringContaining('could not be started'),
  });
});

test('an exit by signal, other good exit codes, and too much output are told apart', async () => {
  await expect(runCommand('/bin/sh', sh('kill -SEGV $$'))).rejects.toThrow('sh failed (signal SIGSEGV)');
  expect((await runCommand('/bin/sh', sh('exit 2'), { okExitCodes: [0, 2] })).exitCode).toBe(2);
  const many = runCommand('/bin/sh', sh('while :; do echo y; done'), { maxStdoutBytes: 1000 });
  await expect(many).rejects.toThrow('it printed more than 1000 bytes');
});

test('the last lines of a long talk are kept, and terminal sequences are not', async () => {
  const script =
    'i=0; while [ $i -lt 20000 ]; do echo "line $i" >&2; i=$((i+1)); done; printf "\\033[31mred\\007\\n" >&2; exit 1';
  const error = await runCommand('/bin/sh', sh(script)).then(undefined, (e: Error) => e);
  expect((error as Error).message).toBe(
    'sh failed (exit code 1): line 19996 · line 19997 · line 19998 · line 19999 · red',
  );
});

test('a server may talk to the tail on both streams', async () => {
  await using server = await startProcess('/bin/sh', sh('echo out; echo err >&2; sleep 1000'), { stdout: 'tail' });
  await until(() => server.tail().includes('out') && server.tail().includes('err'));
});
