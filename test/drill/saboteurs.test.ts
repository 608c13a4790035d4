import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { runSabotage } from '../../src/operations/drill/run-drill.ts';
import type { SabotageOutcome, Try } from '../../src/operations/drill/sabotage.ts';
import { openSystem } from '../../src/operations/system.ts';
import type { Sabotage } from '../../src/sources/sabotage.ts';
import type { Source } from '../../src/sources/source.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { rounds } from '../support/rounds.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { describeTree } from '../support/tree.ts';
import { notesDatabase, shopDatabase, shopProperties, shopRoles } from './sabotage-schema.ts';
import { type Stage, setStage } from './stage.ts';

const isRoot = process.geteuid?.() === 0;
let folder: TemporaryFolder;
let server: Postgres;
let stage: Stage;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  server = await startPostgres();
  await server.script(shopRoles);
  await server.createDatabase('shop', 'OWNER shop');
  await server.script(shopDatabase, 'shop');
  await server.script(shopProperties);
  stage = await setStage(folder.path, {
    datasets: `  shop: { type: postgres, url: '\${SHOP_URL}', rpo: 15m, rto: 10m }
  notes: { type: sqlite, path: ./data/notes.db, rpo: 15m, rto: 10m }
  blank: { type: sqlite, path: ./data/blank.db, rpo: 15m, rto: 10m, mayBeEmpty: never used }`,
    drill: ' {}',
    env: { SHOP_URL: server.urlOf('shop') },
    prepare(at) {
      new DatabaseSync(join(at, 'data/notes.db')).exec(notesDatabase);
      fs.writeFileSync(join(at, 'data/blank.db'), '');
      makeUploads(join(at, 'data/uploads'));
    },
  });
  await stage.backUp();
});
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await server?.stop();
  await folder[Symbol.asyncDispose]();
});

function makeUploads(at: string): void {
  fs.mkdirSync(join(at, 'deep'));
  fs.writeFileSync(join(at, 'deep/Café.bin'), Buffer.alloc(20_000, 7));
  fs.symlinkSync('../1.pdf', join(at, 'deep/link'));
  fs.linkSync(join(at, '2.pdf'), join(at, 'deep/second name.pdf'));
  execFileSync('mkfifo', [join(at, 'pipe')]);
  execFileSync('setfattr', ['-n', 'user.kind', '-v', 'invoice', join(at, '3.pdf')]);
  execFileSync('setfacl', ['-m', 'u:12345:r', join(at, '4.pdf')]);
}

const open = () => openSystem(stage.system, { clock: systemClock });

async function sabotage(
  datasets: readonly string[],
  change: (source: Source) => Source = (source) => source,
): Promise<SabotageOutcome> {
  using opened = open();
  const system = { ...opened, source: async (name: string) => change(await opened.source(name)) };
  const { identity } = stage;
  const request = { datasets, withoutIsolation: false, trigger: 'test', identities: [identity], identityFiles: [] };
  return runSabotage(system, request, startRun({ clock: systemClock }));
}

/** One of so many. */
function some(every: number): (source: Source) => Source {
  return (source) => withSabotages(source, (all) => all.filter((_, at) => at % every === 0));
}

function only(name: string, change: (one: Sabotage) => Sabotage = (one) => one): (source: Source) => Source {
  return (source) => withSabotages(source, (all) => all.filter((one) => one.name === name).map(change));
}

function withSabotages(source: Source, choose: (all: readonly Sabotage[]) => Sabotage[]): Source {
  return {
    ...source,
    async openSaboteur(where, run) {
      const saboteur = await source.openSaboteur!(where, run);
      const dispose = () => saboteur[Symbol.asyncDispose]();
      return { sabotages: choose(saboteur.sabotages), [Symbol.asyncDispose]: dispose };
    },
  };
}

function triesOf(outcome: SabotageOutcome, verdict: Try['verdict']): string[] {
  return outcome.datasets.flatMap(({ tries }) =>
    tries.filter((one) => one.verdict === verdict).map(({ sabotage, message }) => `${sabotage}: ${message}`),
  );
}

describe('V9: whatever is broken is caught by the check whose matter it is, in words that name it', () => {
  test('PostgreSQL', async () => {
    const every = rounds({ short: 6, long: 1 });
    const outcome = await sabotage(['shop'], some(every));
    expect(outcome.why).toEqual([]);
    expect(triesOf(outcome, 'not-tried')).toEqual([]);
    expect(triesOf(outcome, 'caught').length).toBeGreaterThan(70 / every);
    expect(outcome.verdict).toBe('caught');
  });

  test.each(['notes', 'uploads'])('SQLite and files: %s', async (dataset) => {
    const every = rounds({ short: 3, long: 1 });
    const outcome = await sabotage([dataset], some(every));
    expect(outcome.why).toEqual([]);
    expect(triesOf(outcome, 'not-tried').filter((one) => isRoot || !one.includes('only root'))).toEqual([]);
    expect(triesOf(outcome, 'caught').length).toBeGreaterThan(30 / every);
    expect(outcome.verdict).toBe('caught');
  });

  test('production, the vault and the catalog are as before, and status is told of no proof', async () => {
    const seen = () => ['data', 'backups'].flatMap((name) => describeTree(join(stage.folder, name)));
    const drills = () => {
      using opened = open();
      return opened
        .catalog()
        .runs({ limit: 100 })
        .filter(({ operation }) => operation === 'drill');
    };
    const before = seen();
    const outcome = await sabotage(['uploads'], only('two files are swapped'));
    expect(outcome.verdict).toBe('caught');
    expect(seen()).toEqual(before);
    expect(drills()).toEqual([]);
    expect(fs.readdirSync(join(stage.stateDir, 'sandboxes'))).toEqual([]);
  });
});

describe('V9: what is not shown is not taken for shown', () => {
  const blind =
    (check: string) =>
    (source: Source): Source => ({
      ...only('a trigger is switched off')(source),
      async measure(...words) {
        const measured = await source.measure(...words);
        return { ...measured, integrity: measured.integrity.filter(({ name }) => name !== check) };
      },
    });

  test('a check that is broken shows as a sabotage that was not caught', async () => {
    const outcome = await sabotage(['shop'], blind('definitions'));
    expect(outcome.verdict).toBe('missed');
    expect(outcome.why).toEqual([
      expect.stringMatching(/^shop: a trigger is switched off \(.*touch\): every check passed/),
    ]);
  });

  test('a check that says nothing of what was hurt has not caught it', async () => {
    const vague = (source: Source): Source => ({
      ...only('a file is lost')(source),
      async measure(...words) {
        const measured = await source.measure(...words);
        return {
          ...measured,
          integrity: measured.integrity.map((one) => ({ ...one, detail: one.ok ? one.detail : 'not as it was' })),
        };
      },
    });
    const outcome = await sabotage(['uploads'], vague);
    expect(outcome.why).toEqual([expect.stringMatching(/it does not say what was hurt: not as it was/)]);
  });

  test('a sabotage that changes nothing is at fault itself', async () => {
    const idle = (one: Sabotage): Sabotage => ({
      ...one,
      async aim() {
        const aimed = await one.aim();
        return 'reason' in aimed ? aimed : { ...aimed, strike: async () => {} };
      },
    });
    const outcome = await sabotage(['notes'], only('a row is lost', idle));
    expect(outcome.why).toEqual([expect.stringMatching(/nothing was changed: the sabotage itself is at fault/)]);
  });

  test('one that is not undone is told', async () => {
    const lasting = (one: Sabotage): Sabotage => ({
      ...one,
      async aim() {
        const aimed = await one.aim();
        return 'reason' in aimed ? aimed : { ...aimed, [Symbol.asyncDispose]: async () => {} };
      },
    });
    const outcome = await sabotage(['uploads'], only('the first byte is another', lasting));
    expect(outcome.verdict).toBe('inconclusive');
    expect(outcome.why).toEqual([
      expect.stringMatching(/^uploads: it was not whole again afterwards: .*1\.pdf has other bytes/),
    ]);
  });

  test('nothing to break is no pass, and what cannot be broken is listed with its reason', async () => {
    const outcome = await sabotage(['blank'], only('a row is lost'));
    expect(outcome.verdict).toBe('inconclusive');
    expect(outcome.why).toEqual(['blank: there is nothing in it that could be broken, so nothing was shown.']);
    expect(triesOf(outcome, 'not-tried')).toEqual(['a row is lost: the file is empty']);
  });

  test('an engine without sabotages is said', async () => {
    const outcome = await sabotage(['notes'], ({ openSaboteur: _, ...source }) => source);
    expect(outcome.verdict).toBe('inconclusive');
    expect(outcome.why).toEqual(['notes: nobody has taught us to break such a source.']);
  });
});
