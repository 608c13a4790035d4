import { expect, test } from 'vitest';
import { dayMs } from '../../src/core/duration.ts';
import fc from '../support/fast-check.ts';
import { rounds } from '../support/rounds.ts';
import { anyCase, begin, play } from './model/play.ts';

const runs = rounds({ short: 150, long: 10_000 });

test(`nothing that retention keeps is lost, in ${runs} random lives of a vault`, async () => {
  let [removals, ofLogs, ofLedger] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(anyCase, async (one) => {
      const truth = await play(one);
      removals += truth.removals;
      ofLogs += truth.logRemovals;
      ofLedger += truth.entryRemovals;
      expect(truth.broken).toEqual([]);
    }),
    { numRuns: runs, endOnFailure: false },
  );
  // A prune that never removes anything is safe and useless.
  expect(removals).toBeGreaterThan(runs);
  expect(ofLogs).toBeGreaterThan(runs);
  expect(ofLedger).toBeGreaterThan(runs);
});

test('of two systems in one vault, each with its own prunes, as much goes as of one', async () => {
  const removals = [];
  for (const systems of [1, 2]) {
    const retention = { last: 2, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    const game = await begin({ kinds: ['plain'], writers: 2, systems, retention });
    for (let day = 0; day < 12; day++) {
      await game.backedUp(0);
      await game.backedUp(1);
      await game.pruned();
      game.world.nowMs += dayMs;
    }
    const { truth } = game;
    expect(truth.broken).toEqual([]);
    removals.push({ data: truth.removals - truth.logRemovals - truth.entryRemovals, logs: truth.logRemovals });
  }
  const [one, two] = removals as [(typeof removals)[0], (typeof removals)[0]];
  expect(two.data).toBeGreaterThanOrEqual(one.data);
  expect(two.logs).toBeGreaterThanOrEqual(one.logs);
  expect(Math.min(one.data, one.logs)).toBeGreaterThan(10);
});

test('logs of a system that prunes once in six days go, though another prunes every day', async () => {
  const retention = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
  const { world, truth, ...game } = await begin({ kinds: ['plain'], writers: 2, systems: 2, retention });
  let gone = 0;
  const { onRemoved } = world;
  world.onRemoved = async (place, key, by) => {
    if (key.startsWith('logs/system0/')) gone++;
    await onRemoved(place, key, by);
  };
  for (let day = 0; day < 24; day++) {
    await game.backedUp(0);
    await game.backedUp(1);
    if (day % 6 === 0) await world.finish(game.prune(0));
    await world.finish(game.prune(1));
    world.nowMs += dayMs;
  }
  expect(truth.broken).toEqual([]);
  expect(gone).toBeGreaterThan(10);
});

test('what is pinned after its own prune marked it stays, though the prune of another system comes first', async () => {
  const retention = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
  const { world, truth, ...game } = await begin({ kinds: ['plain'], writers: 2, systems: 2, retention });
  for (let round = 0; round < 2; round++) {
    await game.backedUp(0);
    await game.backedUp(1);
  }
  await world.finish(game.prune(1));
  await game.pin(truth.stored.get('place0')!.find(({ record }) => record.system === 'system1')!.record);
  for (let round = 0; round < 3; round++) {
    world.nowMs += 4 * dayMs;
    await game.backedUp(0);
    await game.backedUp(1);
    await world.finish(game.prune(0));
  }
  await truth.check();
  expect(truth.broken).toEqual([]);
  expect(truth.removals).toBeGreaterThan(0);
});
