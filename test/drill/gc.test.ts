import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';

import { collectGarbage } from '../../src/sandbox/remove.ts';
import { temporaryFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

const program = fileURLToPath(new URL('./hang-in-drill.ts', import.meta.url));

interface Hanging {
  readonly child: ChildProcess;
  readonly id: string;
  readonly folder: string;
  readonly link: string;
}

async function hang(stateDir: string, namespaces: 'with' | 'without'): Promise<Hanging> {
  const child = spawn(process.execPath, [program, stateDir, namespaces], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  const [line] = (await once(lines, 'line')) as [string];
  return { child, ...(JSON.parse(line) as Omit<Hanging, 'child'>) };
}

/** Processes of the drill: the stray by its mark, the server by its folder inside or outside. */
function left({ id, folder }: Hanging): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const root = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
      return words.includes(id) || words.includes(folder) || root.includes(id) ? [words] : [];
    } catch {
      return [];
    }
  });
}

describe('kill -9 in the middle of a drill', () => {
  for (const namespaces of ['with', 'without'] as const) {
    test(`V10: ${namespaces} namespaces, no process stays, and gc removes the rest`, async () => {
      const stateDir = join(await temporaryFolder({ open: true }), 'state');
      const hanging = await hang(stateDir, namespaces);
      // What was just started takes the words of its command line only when it gets a processor.
      await until(() => left(hanging).length > 1);

      const early = await collectGarbage(stateDir);
      expect(early).toMatchObject({ removed: [], running: [hanging.id] });
      expect(existsSync(hanging.folder)).toBe(true);

      hanging.child.kill('SIGKILL');
      await once(hanging.child, 'exit');
      await until(() => left(hanging).length === 0);
      expect(existsSync(hanging.folder)).toBe(true);

      expect(await collectGarbage(stateDir, { dryRun: true })).toMatchObject({ removed: [hanging.id] });
      expect(existsSync(hanging.folder)).toBe(true);
      expect(await collectGarbage(stateDir)).toMatchObject({ removed: [hanging.id], running: [], left: [] });
      expect(existsSync(hanging.folder)).toBe(false);
      expect(existsSync(hanging.link)).toBe(false);
      expect(readdirSync(join(stateDir, 'sandboxes'))).toEqual([]);
      expect(await collectGarbage(stateDir)).toMatchObject({ removed: [], running: [], left: [] });
    });
  }
});

describe('gc', () => {
  const id = '01KA0000000000000000000000';
  const dead = { pid: 2 ** 22 + 1, start: 'never' };

  async function registry(entry: unknown) {
    const folder = await temporaryFolder();
    const file = join(folder, 'sandboxes', `${id}.json`);
    mkdirSync(join(folder, 'sandboxes'));
    writeFileSync(file, typeof entry === 'string' ? entry : JSON.stringify(entry));
    return { stateDir: folder, file };
  }

  test('is not misled by a process number that was given out again', async () => {
    const base = await temporaryFolder();
    const folder = join(base, `lifeboat-drill-${id}`);
    mkdirSync(folder);
    const { stateDir } = await registry({ id, made: '', owner: { pid: process.pid, start: '1' }, folder });
    expect((await collectGarbage(stateDir)).removed).toEqual([id]);
    expect(existsSync(folder)).toBe(false);
  });

  test('removes nothing that does not carry the name of the sandbox', async () => {
    const precious = await temporaryFolder();
    writeFileSync(join(precious, 'data'), 'precious');
    for (const folder of [precious, join(precious, `lifeboat-drill-${id}`, '..'), '/', 'relative']) {
      const { stateDir, file } = await registry({ id, made: '', owner: dead, folder });
      const collected = await collectGarbage(stateDir);
      expect(collected.removed).toEqual([]);
      expect(collected.left.map((one) => one.file)).toEqual([file]);
    }
    expect(readFileSync(join(precious, 'data'), 'utf8')).toBe('precious');
  });

  test('leaves a file that it cannot read as an entry alone, and says so', async () => {
    for (const entry of [
      '',
      '{',
      '[]',
      'null',
      { id: 'x' },
      { id, owner: dead },
      { id, owner: { pid: 1 }, folder: '/' },
    ]) {
      const { stateDir, file } = await registry(entry);
      expect((await collectGarbage(stateDir)).left.map((one) => one.file)).toEqual([file]);
      expect(existsSync(file)).toBe(true);
    }
  });

  test('has nothing to do where no drill was', async () => {
    const none = await collectGarbage(join(await temporaryFolder(), 'absent'));
    expect(none).toEqual({ removed: [], running: [], left: [] });
  });
});
