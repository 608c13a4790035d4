import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { withDeadline } from '../../src/destinations/wrap/deadline.ts';
import { type Fault, withFaults } from '../../src/destinations/wrap/fault.ts';
import { readLedger } from '../../src/ledger/read.ts';
import { type CopyRequest, copyVault } from '../../src/operations/copy/copy.ts';
import { finishCopies } from '../../src/operations/copy/finish-copies.ts';
import { decodeLedgerEntry } from '../../src/vault/format/ledger.ts';
import { lockCopier } from '../../src/vault/lock.ts';
import { pictureOf } from '../support/pictures.ts';
import type { Doing, TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, noise, objectsIn } from '../support/vault.ts';

const run = () => startRun({ clock: systemClock });
const at = (name: string, wrap: (destination: Destination) => Destination) => (destination: Destination) =>
  destination.name === name ? wrap(destination) : destination;
const faulty = (script: readonly Fault[]) => (destination: Destination) =>
  withDeadline(withFaults(destination, script), { answerMs: 400, bytesPerSecond: 1 << 30 });

async function copy(system: TestSystem, request: Partial<CopyRequest> = {}, doing: Doing = {}) {
  using open = system.open(doing);
  return await copyVault(open, { refill: false, ...request }, run());
}

/** Two restore points at `disk` that the others lack. */
async function behind(...others: string[]): Promise<TestSystem> {
  const system = await aSystem({ destinations: ['disk', ...others] });
  smallTree(system.source());
  await system.backUp();
  for (const name of others) renameSync(system.at(name), `${system.at(name)}.away`);
  for (const name of ['new', 'newer']) {
    writeFileSync(join(system.source(), name), noise(150_000));
    await system.tryBackUp();
  }
  for (const name of others) renameSync(`${system.at(name)}.away`, system.at(name));
  return system;
}

/** Everything restores from `name` alone. */
async function expectWhole(system: TestSystem, name: string): Promise<void> {
  using open = system.open();
  const { opened } = await open.destinations({ create: false });
  const only = opened.filter((destination) => destination.name === name);
  const points = await system.points();
  for (const { record, destinations } of points) {
    expect(destinations).toContain(name);
    expectSame(await system.readBack(record.id, only), await system.readBack(record.id));
  }
  expectSame(await system.readBack(points.at(-1)!.record.id, only), pictureOf(system.source()));
}

describe('lifeboat copy', () => {
  test('brings a destination up to date after an outage, without a backup, and says what it asked for', async () => {
    const system = await behind('nas');
    const before = (await system.points()).length;
    const outcome = await copy(system);
    expect(outcome.filled).toMatchObject([
      { destination: 'disk', objects: 0, behind: undefined },
      { destination: 'nas', refused: [], waiting: [], behind: undefined },
    ]);
    const { objects, requests } = outcome.filled[1]!;
    expect(objects).toBeGreaterThan(4);
    expect(requests.put).toBe(objects);
    expect((await system.points()).length).toBe(before);
    await expectWhole(system, 'nas');
    expect((await copy(system)).filled[1]).toMatchObject({ objects: 0, behind: undefined });
    using open = system.open();
    const { opened } = await open.destinations({ create: false });
    const { objects: entries } = await readLedger(opened, () => true);
    const kinds = entries.map(({ key, bytes }) => decodeLedgerEntry(bytes, key).kind);
    expect(kinds.filter((kind) => kind === 'copy')).toHaveLength(1);
    // The writer finds out by itself: nothing is sent twice.
    const { record } = await system.backUp();
    expect(record.sizes.added).toBe(0);
    expect((await system.verify()).sound).toBe(true);
  });

  test('fills a new, empty destination, on a machine that has no key of a writer and gets none', async () => {
    const system = await behind('nas');
    const config = system.config.destinations as Record<string, unknown>;
    config.usb = { ...system.config.destinations.nas, path: join(system.folder, 'destinations', 'usb') };
    rmSync(system.config.stateDir, { recursive: true });
    const { filled } = await copy(system, { from: 'disk', to: ['usb'] });
    expect(filled).toMatchObject([{ destination: 'usb', behind: undefined }]);
    expect(existsSync(join(system.config.stateDir, 'writer.json'))).toBe(false);
    await expectWhole(system, 'usb');
    const [one, other] = [objectsIn(system.at('disk')), objectsIn(system.at('usb'))];
    expect([...other.keys()]).toEqual([...one.keys()]);
    for (const [key, bytes] of one) expect(Buffer.compare(bytes, other.get(key)!), key).toBe(0);
  });

  test('one that hangs or fails holds up nobody: the others are filled, and it is named', async () => {
    const system = await behind('nas', 'usb');
    for (const kind of ['hang', 'error-before'] as const) {
      const wrap = at('nas', faulty([{ kind, verb: 'put' }]));
      const { filled } = await copy(system, { from: 'disk' }, { wrap });
      expect(filled.find(({ destination }) => destination === 'usb')).toMatchObject({ behind: undefined });
      expect(filled.find(({ destination }) => destination === 'nas')?.behind).toMatch(/cannot be reached/);
      await expectWhole(system, 'usb');
    }
    await copy(system);
    await expectWhole(system, 'nas');
  });

  test('a damaged object does not spread, its restore points wait, and another source serves', async () => {
    const system = await behind('nas', 'usb');
    const [spoilt] = [...objectsIn(system.at()).keys()].filter(
      (key) => key.startsWith('packs/') && !objectsIn(system.at('nas')).has(key),
    );
    const file = join(system.at(), spoilt!);
    const sound = objectsIn(system.at()).get(spoilt!)!;
    rmSync(file);
    writeFileSync(file, Buffer.alloc(sound.length, 7));
    const { filled } = await copy(system, { to: ['nas'] });
    expect(filled[0]).toMatchObject({ refused: [{ key: spoilt, code: 'object-damaged' }], behind: expect.any(String) });
    expect(filled[0]!.waiting.length).toBeGreaterThan(0);
    expect(objectsIn(system.at('nas')).has(spoilt!)).toBe(false);
    writeFileSync(file, sound);
    await copy(system, { to: ['usb'] });
    writeFileSync(file, Buffer.alloc(sound.length, 7));
    expect((await copy(system, { to: ['nas'] })).filled[0]).toMatchObject({ refused: [], behind: undefined });
    expect(Buffer.compare(objectsIn(system.at('nas')).get(spoilt!)!, sound)).toBe(0);
  });

  test('never fills the empty mount point of a disk that is away, nor another vault', async () => {
    const system = await behind('nas');
    renameSync(system.at('nas'), `${system.at('nas')}.away`);
    const { filled } = await copy(system, { to: ['nas'] });
    expect(filled[0]?.behind).toMatch(/cannot be reached/);
    expect(existsSync(system.at('nas'))).toBe(false);
    expect((await copy(system, { to: ['nas'], refill: true })).filled[0]).toMatchObject({ behind: undefined });
    await expectWhole(system, 'nas');

    const other = await aSystem();
    writeFileSync(join(other.source(), 'x'), 'x');
    await other.backUp();
    rmSync(system.at('nas'), { recursive: true });
    renameSync(other.at(), system.at('nas'));
    await expect(copy(system, { to: ['nas'] })).rejects.toMatchObject({ code: 'vaults-differ' });
    await expect(copy(system, { to: ['nsa'] })).rejects.toMatchObject({ code: 'no-such-destination' });
  });

  test('one at a time on a host, however the other one ends', async () => {
    const system = await behind('nas');
    const held = lockCopier(system.config.stateDir);
    await expect(copy(system)).rejects.toMatchObject({ code: 'copy-running' });
    held[Symbol.dispose]();
    await copy(system);
  });
});

describe('a backup', () => {
  test('goes on while a destination hangs, at any call, and the next one makes up for it', async () => {
    const system = await behind('nas');
    for (const script of [
      [{ kind: 'hang' }],
      [{ kind: 'hang', verb: 'put', nth: 2 }],
      [{ kind: 'hang', verb: 'put', key: /^snapshots/ }],
    ] as const) {
      writeFileSync(join(system.source(), 'more'), noise(150_000));
      const { backedUp, behind } = await system.tryBackUp({ wrap: at('nas', faulty(script)) });
      expect(backedUp[0]?.heldBy).toEqual(['disk']);
      expect(behind).toMatchObject([{ destination: 'nas', why: expect.stringContaining('did not answer within') }]);
    }
    expect((await system.tryBackUp()).backedUp[0]?.heldBy).toEqual(['disk', 'nas']);
    await expectWhole(system, 'nas');
    using open = system.open();
    expect(open.catalog().destinations()).toMatchObject([
      { name: 'disk', goodMs: expect.any(Number) },
      { name: 'nas', goodMs: expect.any(Number) },
    ]);
  });

  test('that finds no destination at all leaves behind since when', async () => {
    const system = await aSystem();
    writeFileSync(join(system.source(), 'x'), 'x');
    await system.backUp();
    renameSync(system.at(), `${system.at()}.away`);
    await expect(system.tryBackUp()).rejects.toMatchObject({ code: 'destination-unreachable' });
    using open = system.open();
    const [first] = open.catalog().destinations();
    expect(first).toMatchObject({ name: 'disk', trouble: { code: 'destination-unreachable' } });
    await expect(system.tryBackUp()).rejects.toThrow();
    expect(open.catalog().destinations()[0]?.trouble?.sinceMs).toBe(first?.trouble?.sinceMs);
  });

  test('what was set aside is filled once its restore points are safe elsewhere, and then holds them too', async () => {
    const system = await behind('nas');
    const { backedUp, failed, vault, configuration } = await system.tryBackUp({
      wrap: at('nas', faulty([{ kind: 'hang' }])),
    });
    expect(backedUp[0]?.heldBy).toEqual(['disk']);
    using open = system.open();
    const taken = {
      outcome: { vault, backedUp, configuration, failed },
      failures: [],
      aside: new Map([['nas', 'much']]),
    };
    const finished = await finishCopies(open, taken, false, run());
    expect(finished.behind).toEqual([]);
    expect(finished.backedUp[0]?.heldBy).toEqual(['disk', 'nas']);
    await expectWhole(system, 'nas');

    const held = lockCopier(system.config.stateDir);
    const busy = await finishCopies(open, taken, false, run());
    held[Symbol.dispose]();
    expect(busy.behind).toMatchObject([{ destination: 'nas', why: expect.stringContaining('So far much.') }]);
    expect(busy.backedUp[0]?.heldBy).toEqual(['disk']);
    const trouble = { code: 'copies-lagging', sinceMs: expect.any(Number) };
    expect(open.catalog().destinations().at(-1)).toMatchObject({ name: 'nas', trouble });
  });
});
