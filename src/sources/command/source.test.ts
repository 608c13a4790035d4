// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { everything, newRun, type SourceFixture, sourceSuite } from '../../../test/suites/source.suite.ts';
import { contentsOf } from '../../../test/support/contents.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { remainsIn } from '../../../test/support/tree.ts';
import { commandSource } from './source.ts';
import type { Whole } from './whole.ts';

interface Made {
  readonly folder: string;
  readonly state: string;
  command(script: string): { words: string[]; shown: string } & typeof how;
}

const how = { env: {}, timeoutMs: 60_000, folder: '/' };

/** A system that two scripts know: one prints its state, one takes it in. */
async function made(): Promise<Made> {
  const folder = await temporaryFolder();
  const state = join(folder, 'state.json');
  writeFileSync(state, '{"flags":["dark"]}\n');
  return { folder, state, command: (script) => ({ ...how, words: ['/bin/sh', '-c', script], shown: script }) };
}

async function opened(): Promise<SourceFixture> {
  const { folder, state, command } = await made();
  const program = join(folder, 'print');
  writeFileSync(program, `#!/bin/sh\nexec cat '${state}'\n`);
  chmodSync(program, 0o700);
  let targets = 0;
  const run = { ...command('print'), words: [program] };
  return {
    source: commandSource({ name: 'flags', run, whole: { json: true }, file: state }),
    newTarget: async () => join(folder, `restored-${++targets}`),
    look: async (where) => readFileSync(where, 'utf8'),
    lookHome: async () => readFileSync(state, 'utf8'),
    change: async () => writeFileSync(state, '{"flags":[]}\n'),
    vanish: async () => {
      rmSync(state);
      rmSync(program);
    },
    remains: async () => remainsIn(folder),
  };
}

describe('what a program prints, and a file takes', () => sourceSuite(opened));

describe('what is not whole is no restore point', () => {
  const long: Whole = { json: false, minBytes: 1000 };
  const ended: Whole = { json: false, lastLine: 'END' };
  const json: Whole = { json: true };
  test.each([
    ['exit code 1 after all of it', 'cat state.json; exit 1', json, 'tool-failed'],
    ['nothing', 'true', json, 'output-not-whole'],
    ['half a document', 'printf \'{"flags":["da\'', json, 'output-not-whole'],
    ['bytes that are no text', 'printf \'"\\377"\'', json, 'output-not-whole'],
    ['too little', 'echo short', long, 'output-not-whole'],
    ['another last line', 'echo one; echo two', ended, 'output-not-whole'],
    ['a last line that only begins so', 'echo ENDING', ended, 'output-not-whole'],
    ['killed', 'echo END; kill -9 $$', ended, 'tool-failed'],
    ['a shell that knows no such program', 'no-such-program-anywhere', ended, 'tool-failed'],
  ] as const)('%s', async (_, script, whole, code) => {
    const { folder, command } = await made();
    const source = commandSource({ name: 'flags', run: { ...command(script), folder }, whole });
    const taken = (async () => contentsOf(await source.capture(newRun())))();
    await expect(taken).rejects.toMatchObject({ code });
  });

  test.each([
    ['a line and blank ones after it', 'echo END; echo; echo "  "', ended],
    ['so much', 'head -c 1000 /dev/zero', long],
    ['a document', 'echo "  [1, 2]  "', json],
  ] as const)('and what is, is one: %s', async (_, script, whole) => {
    const { command } = await made();
    const source = commandSource({ name: 'flags', run: command(script), whole });
    expect((await contentsOf(await source.capture(newRun()))).stored).toHaveLength(1);
  });
});

test('values of its environment reach the command, and no error shows them', async () => {
  const { command } = await made();
  const env = { TOKEN: { shown: '${file:/etc/token}', expand: async () => 'hunter2-secret' } };
  const run = { ...command('echo "refused: $TOKEN" >&2; exit 3'), env };
  const source = commandSource({ name: 'flags', run, whole: { json: true } });
  const error: unknown = await source.capture(newRun()).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'tool-failed' });
  expect(String((error as Error).message)).toContain('refused:');
  expect(JSON.stringify([String(error), (error as Error).message])).not.toContain('hunter2-secret');
});

test('one that hangs is stopped at its time limit', async () => {
  const { command } = await made();
  const run = { ...command('echo begun; sleep 1000'), timeoutMs: 200 };
  const source = commandSource({ name: 'flags', run, whole: { json: true } });
  const taken = (async () => contentsOf(await source.capture(newRun())))();
  await expect(taken).rejects.toMatchObject({ code: 'tool-timed-out' });
});

describe('back through a command', () => {
  async function through() {
    const { folder, state, command } = await made();
    const source = commandSource({
      name: 'flags',
      run: command(`cat '${state}'`),
      restore: command(`cat > '${state}.new' && mv '${state}.new' '${state}'`),
      whole: { json: true },
      workFolder: folder,
    });
    const old = readFileSync(state, 'utf8');
    return { folder, state, source, old, contents: await contentsOf(await source.capture(newRun())) };
  }

  test('where the system is gone, or prints nothing whole, it takes in what was there', async () => {
    const { folder, state, source, old, contents } = await through();
    for (const spoil of [() => rmSync(state), () => writeFileSync(state, ''), () => writeFileSync(state, '{"fl')]) {
      spoil();
      expect(await source.isBare(contents, newRun())).toBe(true);
      expect(await source.holdsOnly?.(contents, newRun())).toBe(false);
      const restored = await source.restore(contents, everything, newRun());
      expect(restored.where).toMatch(/^the other side of 'cat/);
      expect(readFileSync(state, 'utf8')).toBe(old);
    }
    expect(readdirSync(folder)).toEqual(['state.json']);
  });

  test('what is there and whole is left alone, unless it is the same or force says so', async () => {
    const { state, source, old, contents } = await through();
    expect(await source.holdsOnly?.(contents, newRun())).toBe(true);
    await source.restore(contents, everything, newRun());
    writeFileSync(state, '{"flags":["new"]}');
    expect(await source.holdsOnly?.(contents, newRun())).toBe(false);
    expect(await source.isBare(contents, newRun())).toBe(false);
    const refused = source.restore(contents, everything, newRun());
    await expect(refused).rejects.toMatchObject({ code: 'output-still-there' });
    expect(readFileSync(state, 'utf8')).toBe('{"flags":["new"]}');
    await source.restore(contents, { force: true, only: [] }, newRun());
    expect(readFileSync(state, 'utf8')).toBe(old);
  });

  test('it gets nothing of contents that turn out damaged, and a command that fails is an error', async () => {
    const { folder, state, source, contents } = await through();
    rmSync(state);
    const damaged = { ...contents, extract: () => Promise.reject(new Error('damaged')) };
    await expect(source.restore(damaged, everything, newRun())).rejects.toThrow('damaged');
    expect(existsSync(state)).toBe(false);
    const failing = commandSource({
      ...{ name: 'flags', whole: { json: true }, workFolder: folder },
      run: { ...how, words: ['/bin/false'], shown: 'false' },
      restore: { ...how, words: ['/bin/sh', '-c', 'echo no room >&2; exit 4'], shown: 'take' },
    });
    await expect(failing.restore(contents, everything, newRun())).rejects.toThrow(/no room/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('where nothing says where to, a restore asks for a place', async () => {
    const { command } = await made();
    const source = commandSource({ name: 'flags', run: command('echo "[]"'), whole: { json: true } });
    // Told on a calm day: `check` shows what an inspection finds.
    expect((await source.inspect(newRun())).problems).toMatchObject([{ code: 'output-has-no-place' }]);
    const contents = await contentsOf(await source.capture(newRun()));
    await expect(source.restore(contents, everything, newRun())).rejects.toMatchObject({ code: 'output-has-no-place' });
  });
});
