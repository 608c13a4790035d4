import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { dayMs } from '../../src/core/duration.ts';
import { type Problem, type RunEvent, startRun } from '../../src/core/run.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { type Fault, withFaults } from '../../src/destinations/wrap/fault.ts';
import { erase } from '../../src/operations/erase.ts';
import { pin, unpin } from '../../src/operations/pins.ts';
import { prune } from '../../src/operations/prune.ts';
import type { PruneRequest } from '../../src/operations/prune-plan.ts';
import { publicKeyOf } from '../../src/vault/format/signing.ts';
import { stolenKey } from '../ransomware/forgeries.ts';
import { type Doing, systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, clockOff, objectsIn } from '../support/vault.ts';

const run = () => startRun({ clock: systemClock });
const plain: PruneRequest = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };

async function pruned(system: TestSystem, doing: Doing = {}, request: Partial<PruneRequest> = {}) {
  using open = system.open(doing);
  return await prune(open, { ...plain, ...request }, run());
}

/** Two restore points, of which retention keeps one and the first is pinned by `pinning`. */
async function pinnedBy(pinning: (system: TestSystem) => TestSystem, destinations = ['disk']) {
  const system = await aSystem({ destinations });
  for (const dataset of Object.values(system.config.datasets)) {
    Object.assign(dataset, { retention: { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 } });
  }
  smallTree(system.source());
  const { record } = await system.backUp();
  await system.backUp();
  const before = ledgerOf(system);
  using open = pinning(system).open();
  await pin(open, await open.vault(() => {}), { point: record.id, reason: 'a court wants it' }, run());
  const [key] = ledgerOf(system)
    .filter((one) => !before.includes(one))
    .slice(-1);
  return { system, pinned: record.id, pin: key! };
}

function ledgerOf(system: TestSystem): string[] {
  return [...objectsIn(system.at()).keys()].filter((key) => key.startsWith('ledger/'));
}

function prunesIn(system: TestSystem, destination?: string): string[] {
  return [...objectsIn(system.at(destination)).keys()].filter((key) => key.startsWith('gc/'));
}

/** The same system on another host, which nobody knows yet. */
function elsewhere({ folder, config, identity, packSizes }: TestSystem, stateDir = 'elsewhere'): TestSystem {
  return systemOver({ folder, identity, packSizes, config: { ...config, stateDir: join(folder, stateDir) } });
}

const failing = (fault: Omit<Fault, 'kind'>, name = 'disk') => ({
  wrap: (one: Destination) => (one.name === name ? withFaults(one, [{ ...fault, kind: 'error-before' }]) : one),
});

test('an entry of the ledger that cannot be fetched stops a prune: it may hold a pin', async () => {
  const { system, pin } = await pinnedBy((own) => own);
  const unreadable = failing({ verb: 'get', key: new RegExp(pin) });
  await expect(pruned(system, unreadable)).rejects.toMatchObject({ code: 'prune-suspect' });
  await expect(pruned(system, unreadable, { allowMissing: true })).rejects.toMatchObject({ code: 'prune-suspect' });
  expect(prunesIn(system)).toEqual([]);
});

test('where no ledger can be listed nothing is pruned, and where one of two can, only there', async () => {
  const { system, pinned } = await pinnedBy((own) => own, ['disk', 'usb']);
  const silent = { verb: 'list', key: /^ledger\// } as const;
  const both = (one: Destination) => withFaults(one, [{ ...silent, kind: 'error-before' }]);
  await expect(pruned(system, { wrap: both })).rejects.toMatchObject({ code: 'prune-unwritten' });
  const { outOfReach, withdrawn } = await pruned(system, failing(silent, 'usb'));
  expect(outOfReach).toEqual(['usb']);
  expect(withdrawn.map(({ record }) => record.id)).not.toContain(pinned);
  expect([prunesIn(system), prunesIn(system, 'usb')]).toEqual([['gc/1.json'], []]);
});

test('M2: a pin by a host that is not known holds nothing up, and is not passed over in silence', async () => {
  const { system, pinned } = await pinnedBy(elsewhere);
  const told: Problem[] = [];
  const onEvent = (event: RunEvent) => void (event.type === 'problem' && told.push(event.problem));
  using open = system.open();
  const request = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
  const { withdrawn } = await prune(open, request, startRun({ clock: open.clock, onEvent }));
  expect(withdrawn.map(({ record }) => record.id)).toContain(pinned);
  expect(told.map(({ code }) => code)).toContain('pin-strange');
});

test('M2: a machine that only prunes remembers whom it met: a writer that comes later keeps its own, and stops nothing', async () => {
  const { system } = await pinnedBy((own) => own);
  const pruner = elsewhere(system, 'pruner');
  await pruned(pruner);
  const late = await elsewhere(system, 'stranger').backUp();
  const { strangers, withdrawn } = await pruned(pruner);
  expect(strangers).toMatchObject({ writers: [late.record.writer], records: 1 });
  expect(withdrawn.map(({ record }) => record.id)).not.toContain(late.record.id);
});

test('a pin and an erasure that did not know of one another: the pin holds until it is taken away', async () => {
  const { system, pinned, pin } = await pinnedBy((own) => own);
  using open = system.open();
  const vault = await open.vault(() => {});
  const blind = { ...vault, destinations: vault.destinations.map((one) => withFaults(one, [hiding(pin)])) };
  const request = { dataset: 'uploads', paths: [], points: [pinned], reason: 'her wish', identities: [] };
  await erase(open, blind, request, run());
  const kept = await pruned(system, {}, { dryRun: true });
  expect(kept.withdrawn).toEqual([]);
  await unpin(open, vault, pinned, run());
  const { withdrawn } = await pruned(system, {}, { dryRun: true });
  expect(withdrawn.map(({ record }) => record.id)).toEqual([pinned]);
});

test('a pin made after an unpin whose clock runs ahead holds, and an unpin ends one whose clock runs ahead', async () => {
  const { system, pinned } = await pinnedBy((own) => own);
  const other = elsewhere(system);
  const pinsAt = async (clock: Clock) => {
    using open = other.open({ clock });
    await pin(open, await open.vault(() => {}), { point: pinned, reason: 'again' }, run());
  };
  const unpinsAt = async (clock: Clock) => {
    using open = system.open({ clock });
    await unpin(open, await open.vault(() => {}), pinned, run());
  };
  const going = async () => (await pruned(system, {}, { dryRun: true })).withdrawn.map(({ record }) => record.id);
  await unpinsAt(clockOff(dayMs));
  expect(await going()).toEqual([pinned]);
  await pinsAt(systemClock);
  Object.assign(system.config.vault, {
    writers: [{ key: publicKeyOf(stolenKey(other.config.stateDir)), systems: [system.config.name] }],
  });
  expect(await going()).toEqual([]);
  await pinsAt(clockOff(3 * dayMs));
  await unpinsAt(systemClock);
  expect(await going()).toEqual([pinned]);
});

const hiding = (key: string) => ({ verb: 'get', key: new RegExp(key), kind: 'error-before' }) as const;
