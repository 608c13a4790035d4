import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type RunEvent, startRun } from '../../src/core/run.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { copyVault } from '../../src/operations/copy/copy.ts';
import { recordBytes, recordKey, type SnapshotRecord, signRecord } from '../../src/vault/format/record.ts';
import { newSigningKey } from '../../src/vault/format/signing.ts';
import { stolenKey } from '../ransomware/forgeries.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, noise, objectsIn } from '../support/vault.ts';

/** Another host with the same configuration, which reaches `disk` alone. */
function atDisk({ folder, config, identity, packSizes }: TestSystem, stateDir: string): TestSystem {
  const { disk } = config.destinations;
  const own = {
    ...config,
    vault: { ...config.vault },
    stateDir: join(folder, stateDir),
    destinations: { disk: disk! },
  };
  return systemOver({ folder, identity, packSizes, config: own });
}

function recordsIn(system: TestSystem, destination: string): string[] {
  return [...objectsIn(system.at(destination)).keys()].filter((key) => key.startsWith('snapshots/'));
}

/** What `work` adds to the records of `disk`. */
async function added(system: TestSystem, work: () => unknown): Promise<string[]> {
  const before = new Set(recordsIn(system, 'disk'));
  await work();
  return recordsIn(system, 'disk').filter((key) => !before.has(key));
}

const toldStrange = (events: readonly RunEvent[]) =>
  events.flatMap((event) =>
    event.type === 'problem' && event.problem.code === 'records-strange' ? [event.problem.message] : [],
  );

/** Follows the same record as `of` does, with contents that are there. */
function besideItsChain(of: SnapshotRecord, contents: SnapshotRecord, key: string): SnapshotRecord {
  const { writer: _, signature: __, ...unsigned } = of;
  const { lists, manifest } = contents;
  return signRecord({ ...unsigned, id: newUlid(Date.parse(of.time), randomBytes), lists, manifest }, key);
}

/** Two records and a grant are strange to this host. `nas` lacks what this host, one that it knows and a stranger have stored at `disk` since. */
async function lagging() {
  const system = await aSystem({ destinations: ['disk', 'nas'] });
  const change = () => writeFileSync(join(system.source(), 'changed'), noise(120_000));
  smallTree(system.source());
  await system.backUp();
  const friend = atDisk(system, 'friend');
  const { record } = await friend.backUp();
  Object.assign(system.config.vault, { writers: [{ key: record.writer, systems: [record.system] }] });
  await system.backUp();

  renameSync(system.at('nas'), `${system.at('nas')}.away`);
  let theirs = record;
  const known = await added(system, async () => {
    change();
    await system.tryBackUp();
    change();
    theirs = (await friend.backUp()).record;
  });
  const strange = await added(system, async () => {
    change();
    const strangers = await atDisk(system, 'stranger').backUp();
    const forged = besideItsChain(theirs, strangers.record, stolenKey(friend.config.stateDir));
    writeFileSync(join(system.at('disk'), recordKey(forged)), recordBytes(forged));
  });
  renameSync(`${system.at('nas')}.away`, system.at('nas'));
  expect([known.length, strange.length]).toEqual([2, 2]);
  return { system, known, strange };
}

test('a backup that brings a lagging destination up to date spreads no record by a stranger, nor beside a chain', async () => {
  const { system, known, strange } = await lagging();
  const events: RunEvent[] = [];
  const { backedUp, behind } = await system.tryBackUp({ onEvent: (event) => events.push(event) });
  expect(behind).toEqual([]);
  expect(backedUp[0]?.heldBy).toEqual(['disk', 'nas']);
  expect(recordsIn(system, 'nas')).toEqual(expect.arrayContaining(known));
  expect(recordsIn(system, 'nas')).toEqual(recordsIn(system, 'disk').filter((key) => !strange.includes(key)));
  expect(toldStrange(events)).toEqual([expect.stringContaining('3 objects')]);
  // What stays away for good is no reason to look again and again.
  events.length = 0;
  await system.backUp({ onEvent: (event) => events.push(event) });
  expect(toldStrange(events)).toEqual([]);
});

test('a copy leaves the same ones, says so in the same words, and lacks nothing for it', async () => {
  const { system, strange } = await lagging();
  const events: RunEvent[] = [];
  using open = system.open();
  const run = startRun({ clock: systemClock, onEvent: (event) => events.push(event) });
  const { filled } = await copyVault(open, { refill: false }, run);
  expect(filled).toMatchObject([
    { destination: 'disk', strange: [], refused: [], behind: undefined },
    { destination: 'nas', refused: [], waiting: [], behind: undefined },
  ]);
  const grant = expect.stringMatching(/^keys\/\w+\/\w+\.json$/);
  expect([...filled[1]!.strange].sort()).toEqual([grant, ...strange]);
  expect(recordsIn(system, 'nas')).toEqual(recordsIn(system, 'disk').filter((key) => !strange.includes(key)));
  expect(toldStrange(events)).toEqual([expect.stringContaining('3 objects')]);
});

test('a stranger who takes the id of a true restore point does not hold up its copy', async () => {
  const { system, known } = await lagging();
  const [point] = (await system.points()).filter(({ key }) => known.includes(key));
  const { writer: _, signature: __, ...unsigned } = point!.record;
  const namesake = signRecord({ ...unsigned, dataset: 'other' }, newSigningKey().privateKey);
  mkdirSync(join(system.at('disk'), 'snapshots', namesake.system, 'other'));
  writeFileSync(join(system.at('disk'), recordKey(namesake)), recordBytes(namesake));
  await system.backUp();
  expect(recordsIn(system, 'nas')).toEqual(expect.arrayContaining(known));
  expect(recordsIn(system, 'nas')).not.toContain(recordKey(namesake));
});
