import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { runProgram } from '../../../src/cli/program.ts';
import { temporaryFolder } from '../../support/temp.ts';

/** The line in the registry that a kind of dataset has; everything else of this one is in this folder. */
vi.mock('../../../src/sources/registry.ts', async (original) => {
  const [{ engines }, { jotterEngine }] = await Promise.all([
    original<typeof import('../../../src/sources/registry.ts')>(),
    import('./engine.ts'),
  ]);
  return { engines: [...engines, jotterEngine] };
});

const notes = 'JOTTER 1\nmilk=two\nbread=one\nold=gone\n';

test('house-M4: a kind of dataset is one folder and a line in the registry: configured, found, backed up, restored, drilled, asked, sabotaged and recovered', async () => {
  const folder = await temporaryFolder();
  const at = (name: string) => join(folder, name);
  mkdirSync(at('data/uploads'), { recursive: true });
  writeFileSync(at('data/notes.txt'), notes);
  writeFileSync(at('data/uploads/a.txt'), 'hello');
  const lifeboat = async (...words: string[]) => {
    const said: string[] = [];
    const stdout = { isTTY: false, write: (text: string) => said.push(text) > 0 };
    const stderr = { isTTY: false, write: () => true };
    const env = { PATH: process.env.PATH, HOME: folder, LIFEBOAT_STATE_DIR: at('state') };
    const { signal } = new AbortController();
    const around = { env, stdout, stderr, signal, version: '0' };
    const code = await runProgram(['--config', at('lifeboat.yaml'), ...words, '--json'], around as never);
    return { code, document: JSON.parse(said.join('')) };
  };

  const { document: made } = await lifeboat('init');
  expect(made.found.datasets).toContainEqual({
    ...{ name: 'app-db', why: 'a Jotter database', type: 'jotter', keys: { path: './data/notes.txt' } },
  });
  const identity = at('lifeboat-keys/daily.txt');
  writeFileSync(
    at('lifeboat.yaml'),
    readFileSync(at('lifeboat.yaml'), 'utf8').replace(
      /{ type: jotter, path: (\S+), rpo: 5m, rto: 5m }/,
      '{ type: jotter, path: $1, rpo: 5m, rto: 5m, exclude: { old: nobody wants it } }',
    ) +
      `  checks:
    milk: { type: sql, dataset: app-db, query: note milk, expect: "= two" }
    files: { type: references, from: { dataset: app-db, query: count }, in: uploads, path: a.txt }
`,
  );
  const { document: shown } = await lifeboat('config', 'show');
  expect(shown.datasets['app-db']).toMatchObject({ type: 'jotter', path: at('data/notes.txt') });
  expect(shown.datasets['app-db'].leavesOut).toEqual([{ rule: 'old', by: 'exclude', reason: 'nobody wants it' }]);
  expect((await lifeboat('backup')).code).toBe(0);

  const kept = notes.replace('old=gone\n', '');
  expect((await lifeboat('restore', 'app-db', '--into', at('beside'), '--identity', identity)).code).toBe(0);
  expect(readFileSync(at('beside'), 'utf8')).toBe(kept);
  const taken = await lifeboat('restore', 'app-db', '--identity', identity);
  expect(taken).toMatchObject({ code: 2, document: { error: { code: 'target-not-empty' } } });

  const { document: drilled } = await lifeboat('drill', '--identity', identity);
  expect([drilled.verdict, drilled.why]).toEqual(['proved', []]);
  expect(drilled.checks).toContainEqual(expect.objectContaining({ id: 'milk', verdict: 'pass', looked: 1 }));
  const { document: sabotaged } = await lifeboat('drill', 'app-db', '--sabotage', '--identity', identity);
  expect(sabotaged.datasets[0].tries).toMatchObject([{ sabotage: 'a note is lost', verdict: 'caught' }]);

  rmSync(at('data'), { recursive: true });
  const { document: recovered } = await lifeboat('recover', '--identity', identity);
  expect(recovered.datasets[0]).toMatchObject({
    dataset: 'app-db',
    state: 'back',
    compared: { verdict: 'as recorded' },
  });
  expect(readFileSync(at('data/notes.txt'), 'utf8')).toBe(kept);
  expect(existsSync(at('data/uploads/a.txt'))).toBe(true);
});
