import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { prune } from '../../src/operations/prune.ts';
import type { PruneRequest } from '../../src/operations/prune-plan.ts';
import { withAged } from '../support/aged.ts';
import { backUpKilled } from '../support/backup-process.ts';
import { aSystemInBucket } from '../support/bucket-system.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import { rounds } from '../support/rounds.ts';
import type { TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { expectSame, noise } from '../support/vault.ts';
import { start } from '../support/vault-worker.ts';

// Real processes and a real bucket: what a killed one had sent may be there, or still arrive.

const times = rounds({ short: 4, long: 20 });
const kept = 2;
const plain: PruneRequest = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };

/** Restore points that were whole, oldest first. */
type History = { readonly id: string; readonly picture: Picture }[];

/** New data that fills several packs. */
function renew(system: TestSystem): void {
  writeFileSync(join(system.source(), 'data'), noise(400_000));
}

async function take(system: TestSystem, history: History): Promise<void> {
  const picture = pictureOf(system.source());
  const { record } = await system.backUp();
  history.push({ id: record.id, picture });
}

async function change(system: TestSystem, history: History): Promise<void> {
  renew(system);
  await take(system, history);
}

async function pointsOf(system: TestSystem) {
  return (await system.points()).filter(({ record }) => record.dataset === 'uploads');
}

/** What a killed backup still committed is of the tree as it is now, and counts from here on. */
async function learnCommitted(system: TestSystem, history: History): Promise<void> {
  for (const { record } of await pointsOf(system)) {
    if (history.every(({ id }) => id !== record.id)) {
      history.push({ id: record.id, picture: pictureOf(system.source()) });
    }
  }
}

async function expectWhole(system: TestSystem, history: History): Promise<void> {
  for (const { id, picture } of history) expectSame(await system.readBack(id), picture);
}

async function expectSound(system: TestSystem): Promise<void> {
  const { sound, suspect, findings } = await system.verify();
  const told = findings.filter(({ kind }) => kind !== 'unknown');
  expect({ sound, suspect, told }).toEqual({ sound: true, suspect: [], told: [] });
}

/** A moment of a run that usually takes so long, somewhere in the part of it that this round is for. */
function momentIn(round: number, usualMs: number): number {
  return ((round + randomInt(1000) / 1000) * usualMs) / times;
}

test('a backup killed at any moment: what was whole in the bucket stays whole, and the next one goes well', async () => {
  const system = await aSystemInBucket();
  smallTree(system.source());
  const history: History = [];
  await change(system, history);
  const began = performance.now();
  await change(system, history);
  const usualMs = performance.now() - began;
  let completed = 0;
  for (let round = 0; round < times; round++) {
    renew(system);
    const killed = await backUpKilled(system, { afterMs: momentIn(round, usualMs * 1.2) });
    if (killed.completed) completed++;
    await learnCommitted(system, history);
    await expectWhole(system, history);
    await take(system, history);
  }
  await expectWhole(system, history);
  expect(completed).toBeLessThan(times - 1);
  await expectSound(system);
});

/** What is marked by now: the next prune is to see it as four days old, for which no test waits. */
async function marksOf(system: TestSystem): Promise<string[]> {
  using open = system.open();
  const { opened } = await open.destinations({ create: false });
  return (await Array.fromAsync(opened[0]!.list('gc/'))).map(({ key }) => key);
}

/** In a process of its own, killed so long after the work began: `killed` says whether it had not ended by then. */
async function pruneInProcess(system: TestSystem, killAfterMs?: number): Promise<{ killed: boolean; tookMs: number }> {
  const { child, begun, ended } = start(system, 'prune', { aged: await marksOf(system) });
  await begun;
  const began = performance.now();
  if (killAfterMs !== undefined) void sleep(killAfterMs).then(() => child.kill('SIGKILL'));
  const { done, killed, said } = await ended;
  expect(done || killed, said).toBe(true);
  return { killed, tookMs: performance.now() - began };
}

async function pruneWell(system: TestSystem): Promise<void> {
  const aged = new Set(await marksOf(system));
  using open = system.open({ wrap: (destination) => withAged(destination, aged) });
  await prune(open, plain, startRun({ clock: systemClock }));
}

test('a prune killed at any moment: what is kept stays whole, and the next one ends what it began', async () => {
  const system = await aSystemInBucket({ versions: true });
  const retention = { last: kept, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
  Object.assign(system.config.datasets.uploads!, { retention });
  smallTree(system.source());
  const history: History = [];
  for (let time = 0; time < kept + 1; time++) {
    await change(system, history);
    await pruneWell(system);
  }
  await change(system, history);
  const usual = await pruneInProcess(system);
  let killed = 0;
  for (let round = 0; round < times; round++) {
    await change(system, history);
    const death = await pruneInProcess(system, momentIn(round, usual.tookMs));
    if (death.killed) killed++;
    await expectWhole(system, history.slice(-kept));
    await pruneWell(system);
  }
  expect(killed).toBeGreaterThan(1);
  await change(system, history);
  await pruneWell(system);
  await expectWhole(system, history.slice(-kept));
  await expectSound(system);
  expect((await pointsOf(system)).length).toBeLessThan(kept + 3);
});
