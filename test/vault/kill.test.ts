import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Fault, withFaults } from '../../src/destinations/wrap/fault.ts';
import { padme } from '../../src/vault/format/toc.ts';
import { backUpKilled } from '../support/backup-process.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import { rounds } from '../support/rounds.ts';
import type { TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, noise, objectsIn } from '../support/vault.ts';

/** Restore points that were whole before the next kill. */
type History = { id: string; picture: Picture }[];

const newBytes = 2500 * 1024;

/** New data that fills several packs. */
function change(system: TestSystem): void {
  rmSync(`${system.source()}/invoices/new`, { force: true });
  writeFileSync(`${system.source()}/invoices/new`, noise(newBytes));
}

async function take(system: TestSystem, history: History) {
  const picture = pictureOf(system.source());
  const { record } = await system.backUp();
  history.push({ id: record.id, picture });
  return record;
}

async function expectWhole(system: TestSystem, history: History): Promise<void> {
  for (const { id, picture } of history) expectSame(await system.readBack(id), picture);
}

/** Sizes of the packs of contents: those of the list of entries are smaller. */
function packsAt(system: TestSystem): Map<string, number> {
  const packs = [...objectsIn(system.at())].filter(
    ([key, { length }]) => key.startsWith('packs/') && length > 64 * 1024,
  );
  return new Map(packs.map(([key, { length }]) => [key, length]));
}

/** How many calls a backup of new data makes. */
async function boundaries(system: TestSystem, verb?: Fault['verb']): Promise<number> {
  let calls = () => 0;
  await system.backUp({
    wrap(destination) {
      const counted = withFaults(destination, []);
      calls = () => counted.calls(verb);
      return counted;
    },
  });
  return calls();
}

async function killAndGoOn(system: TestSystem, history: History, killing: Parameters<typeof backUpKilled>[1]) {
  const before = packsAt(system);
  const { completed } = await backUpKilled(system, killing);
  const sent = [...packsAt(system)].filter(([key]) => !before.has(key)).map(([, sizeBytes]) => sizeBytes);
  await expectWhole(system, history);
  const record = await take(system, history);
  await expectWhole(system, history.slice(-1));
  // Two packs may have been on their way: stored, and not yet noted.
  const noted = sent.sort((x, y) => x - y).slice(0, -2);
  const reusable = completed ? newBytes : noted.reduce((sum, sizeBytes) => sum + sizeBytes, 0) * 0.98;
  expect(record.sizes.added).toBeLessThanOrEqual(padme(Math.floor(newBytes - reusable)));
  return completed;
}

/** The first number, every so many, and the last. */
function isStruck(last: number, stride: number) {
  return (number: number) => number % stride === 1 % stride || number === last;
}

/** Runs `work` on the numbers up to `last`, two at once: most of the time each waits for its child. */
async function each(last: number, stride: number, work: (numbers: number[]) => Promise<void>): Promise<void> {
  const all = Array.from({ length: last }, (_, index) => index + 1).filter(isStruck(last, stride));
  await Promise.all([0, 1].map((rest) => work(all.filter((_, index) => index % 2 === rest))));
}

describe('kill -9 at every boundary', () => {
  const some = rounds({ short: 3, long: 1 });
  const scripts: [string, number, (nth: number) => Fault][] = [
    ['before calls', rounds({ short: 2, long: 1 }), (nth) => ({ kind: 'kill-before', nth })],
    ['after puts', some, (nth) => ({ kind: 'kill-after', verb: 'put', nth })],
  ];
  test.for(scripts)('of a later backup, %s', async ([, stride, faultAt]) => {
    const sample = await started();
    change(sample.system);
    const calls = await boundaries(sample.system, faultAt(1).verb);
    expect(calls).toBeGreaterThan(5);
    await each(calls + 1, stride, async (numbers) => {
      let { system, history } = await started();
      for (const nth of numbers) {
        if (history.length > 3) ({ system, history } = await started());
        change(system);
        await killAndGoOn(system, history, { faults: [faultAt(nth)] });
      }
    });
  });

  test('of the first backup', async () => {
    const sample = await aSystem();
    smallTree(sample.source());
    await each((await boundaries(sample)) + 1, some, async (numbers) => {
      for (const nth of numbers) {
        const system = await aSystem();
        smallTree(system.source());
        await backUpKilled(system, { faults: [{ kind: 'kill-before', nth }] });
        const history: History = [];
        await take(system, history);
        await expectWhole(system, history);
        expect((await system.verify()).sound).toBe(true);
      }
    });
  });
});

async function started(): Promise<{ system: TestSystem; history: History }> {
  const system = await aSystem();
  smallTree(system.source());
  const history: History = [];
  await take(system, history);
  return { system, history };
}

test('kill -9 at any moment', async () => {
  const { system, history } = await started();
  change(system);
  const began = performance.now();
  await boundaries(system);
  const usualMs = performance.now() - began;
  let completed = 0;
  const times = rounds({ short: 10, long: 100 });
  for (let time = 0; time < times; time++) {
    change(system);
    const killed = await backUpKilled(system, { afterMs: (usualMs * 1.2 * time) / times });
    if (killed.completed) completed++;
    if (time % 10 !== 9) continue;
    await expectWhole(system, history);
    await take(system, history);
    await expectWhole(system, history);
  }
  expect(completed).toBeLessThan(times * 0.9);
  const { sound, suspect } = await system.verify();
  expect({ sound, suspect }).toEqual({ sound: true, suspect: [] });
});
