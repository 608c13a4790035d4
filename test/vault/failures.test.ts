import { chmodSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LifeboatError } from '../../src/core/errors.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { type Fault, withFaults } from '../../src/destinations/wrap/fault.ts';
import { readOnly } from '../../src/destinations/wrap/read-only.ts';
import type { BackupOutcome } from '../../src/operations/backup.ts';
import { pictureOf } from '../support/pictures.ts';
import { rounds } from '../support/rounds.ts';
import { smallDisk } from '../support/small-disk.ts';
import type { TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { until } from '../support/until.ts';
import { aSystem, expectSame, keptCopy, noise, objectsIn } from '../support/vault.ts';

const kinds = ['error-before', 'error-after', 'truncate', 'flip-bit'] as const;
const stride = rounds({ short: 4, long: 1 });

describe('a fault at any boundary: the backup fails and says why, or its restore point is whole', () => {
  for (const kind of kinds) {
    test(kind, async () => {
      const system = await aSystem();
      smallTree(system.source());
      const first = pictureOf(system.source());
      const { record } = await system.backUp();
      let failures = 0;
      for (let nth = 1, reached = true; reached; nth += stride) {
        writeFileSync(`${system.source()}/new`, noise(200_000));
        const picture = pictureOf(system.source());
        const faulty: ReturnType<typeof withFaults>[] = [];
        const script: Fault[] = [{ kind, nth }];
        const wrap = (destination: Destination) => faulty[faulty.push(withFaults(destination, script)) - 1]!;
        const before = (await system.points()).length;
        const outcome = await system.backUp({ wrap }).catch((error: unknown) => error);
        reached = faulty[0]!.unreached().length === 0;
        if (outcome instanceof Error) {
          failures++;
          expect(outcome).toBeInstanceOf(LifeboatError);
          expect((outcome as LifeboatError).code).toMatch(
            /^(destination-unreachable|object-damaged|no-destination-left|vault-file-damaged)$/,
          );
        }
        const points = await system.points();
        if (!(outcome instanceof Error)) expect(points.length).toBe(before + 1);
        if (points.length > before) expectSame(await system.readBack(points.at(-1)!.record.id), picture);
      }
      expect(failures).toBeGreaterThan(4 / stride);
      expectSame(await system.readBack(record.id), first);
      await system.backUp();
      expect((await system.verify()).sound).toBe(true);
    });
  }

  test('also in the very first backup', async () => {
    for (const kind of kinds) {
      for (let nth = 1, reached = true; reached; nth += stride) {
        const system = await aSystem();
        writeFileSync(`${system.source()}/one`, noise(1000));
        const faulty: ReturnType<typeof withFaults>[] = [];
        const script: Fault[] = [{ kind, verb: 'put', nth }];
        const wrap = (destination: Destination) => faulty[faulty.push(withFaults(destination, script)) - 1]!;
        const outcome = await system.backUp({ wrap }).catch((error: unknown) => error);
        reached = faulty[0]!.unreached().length === 0;
        // The first put only tries the place's clock: what it stored nobody reads.
        if (reached && nth > 1) expect(outcome, `${kind} ${nth}`).toBeInstanceOf(LifeboatError);
        const { record } = await system.backUp();
        expectSame(await system.readBack(record.id), pictureOf(system.source()));
        expect((await system.verify()).findings).toEqual([]);
      }
    }
  });
});

async function twoDestinations(): Promise<TestSystem> {
  const system = await aSystem({ destinations: ['disk', 'nas'] });
  smallTree(system.source());
  return system;
}

/** Everything in each destination restores from it alone. */
async function expectEachAlone(system: TestSystem): Promise<void> {
  const points = await system.points();
  using open = system.open();
  const { opened } = await open.destinations({ create: false });
  expect(opened.length).toBe(2);
  for (const { record } of points) {
    const [one, other] = await Promise.all(opened.map((destination) => system.readBack(record.id, [destination])));
    expectSame(one!, other!);
  }
  expect(await system.verify()).toMatchObject({ sound: true, findings: [], suspect: [] });
}

const at = (name: string, wrap: (destination: Destination) => Destination) => (destination: Destination) =>
  destination.name === name ? wrap(destination) : destination;

const heldBy = ({ backedUp, failed }: BackupOutcome) => {
  expect(failed).toEqual([]);
  return backedUp[0]!.heldBy;
};

describe('two destinations', () => {
  const faults: [string, readonly Fault[]][] = [
    ['fails from the start', [{ kind: 'error-before' }]],
    ['fails at its first pack', [{ kind: 'error-before', verb: 'put', key: /^packs/ }]],
    ['fails in the middle', [{ kind: 'error-after', verb: 'put', key: /^packs/, nth: 2 }]],
    ['fails at the index', [{ kind: 'error-before', verb: 'put', key: /^index/ }]],
    ['fails at the manifest', [{ kind: 'error-before', verb: 'put', key: /^manifests/ }]],
    ['fails at the record', [{ kind: 'error-before', verb: 'put', key: /^snapshots/ }]],
    ['spoils what it is given', [{ kind: 'flip-bit', verb: 'put', key: /^packs/, nth: 2 }]],
  ];
  for (const [what, script] of faults) {
    test(`one ${what}: the other has the restore point, and the next run makes up for it`, async () => {
      const system = await twoDestinations();
      const wrap = at('nas', (destination) => withFaults(destination, script));
      for (const first of [true, false]) {
        writeFileSync(`${system.source()}/new`, noise(200_000));
        const outcome = await system.tryBackUp({ wrap });
        expect(heldBy(outcome)).toEqual(['disk']);
        expect(outcome.behind).toMatchObject([{ destination: 'nas' }]);
        if (first) expect(heldBy(await system.tryBackUp())).toEqual(['disk', 'nas']);
      }
      expect(heldBy(await system.tryBackUp())).toEqual(['disk', 'nas']);
      await expectEachAlone(system);
    });
  }

  test('a run without new data makes up for what one missed', async () => {
    const system = await twoDestinations();
    await system.backUp();
    renameSync(system.at('nas'), `${system.at('nas')}.away`);
    expect(heldBy(await system.tryBackUp())).toEqual(['disk']);
    renameSync(`${system.at('nas')}.away`, system.at('nas'));
    await system.backUp();
    await expectEachAlone(system);
  });

  test('a read-only one is told apart', async () => {
    const system = await twoDestinations();
    await system.backUp();
    writeFileSync(`${system.source()}/new`, noise(50_000));
    const outcome = await system.tryBackUp({ wrap: at('nas', readOnly) });
    expect(heldBy(outcome)).toEqual(['disk']);
    expect(outcome.behind[0]!.why).toMatch(/read-only/);
    await system.backUp();
    await expectEachAlone(system);
  });

  test('a full one keeps what it has, and goes on once there is room', async () => {
    const system = await twoDestinations();
    const disk = await smallDisk(4);
    const config = system.config.destinations as Record<string, { type: 'local'; path: string }>;
    config.nas = { type: 'local', path: `${disk.path}/vault` };
    const picture = pictureOf(system.source());
    const { record } = await system.backUp();
    writeFileSync(`${system.source()}/large`, noise(5 << 20));
    const told: string[] = [];
    const outcome = await system.tryBackUp({
      onEvent: (event) => event.type === 'problem' && void told.push(event.problem.code),
    });
    expect(heldBy(outcome)).toEqual(['disk']);
    expect(outcome.behind[0]!.why).toMatch(/is full/);
    expect(told).toEqual(['destination-full']);
    expectSame(await system.readBack(record.id), picture);
    using open = system.open();
    const { opened } = await open.destinations({ create: false });
    expectSame(await system.readBack(record.id, opened.slice(1)), picture);
  });

  test('a full one alone says so with its own code', async () => {
    const system = await aSystem();
    const disk = await smallDisk(4);
    const config = system.config.destinations as Record<string, { type: 'local'; path: string }>;
    config.disk = { type: 'local', path: `${disk.path}/vault` };
    smallTree(system.source());
    const picture = pictureOf(system.source());
    const { record } = await system.backUp();
    writeFileSync(`${system.source()}/large`, noise(5 << 20));
    const told: string[] = [];
    const failing = system.backUp({
      onEvent: (event) => event.type === 'problem' && void told.push(event.problem.code),
    });
    await expect(failing).rejects.toMatchObject({ code: 'destination-full', exit: 2 });
    // Once: the error itself says it.
    expect(told).toEqual([]);
    expectSame(await system.readBack(record.id), picture);
    rmSync(`${system.source()}/large`);
    writeFileSync(`${system.source()}/small`, 'fits');
    // Another pack may have been on its way when the first found no room: it takes room until it has failed too.
    await until(() => readdirSync(`${disk.path}/vault/.incoming`).length === 0);
    await system.backUp();
    expect((await system.verify()).sound).toBe(true);
  });

  test('an unmounted one is unreachable, and nothing is written to its mount point', async () => {
    const system = await twoDestinations();
    await system.backUp();
    renameSync(system.at('nas'), `${system.at('nas')}.disk`);
    mkdirSync(system.at('nas'));
    writeFileSync(`${system.source()}/new`, noise(50_000));
    const outcome = await system.tryBackUp();
    expect(heldBy(outcome)).toEqual(['disk']);
    expect(outcome.behind[0]!.why).toMatch(/may not be mounted/);
    expect(readdirSync(system.at('nas'))).toEqual([]);
    rmSync(system.at('nas'), { recursive: true });
    renameSync(`${system.at('nas')}.disk`, system.at('nas'));
    await system.backUp();
    await expectEachAlone(system);
  });

  test('the only one unmounted: destination-unreachable, nothing written', async () => {
    const system = await aSystem();
    smallTree(system.source());
    await system.backUp();
    renameSync(system.at(), `${system.at()}.disk`);
    mkdirSync(system.at());
    await expect(system.backUp()).rejects.toMatchObject({ code: 'destination-unreachable' });
    expect(readdirSync(system.at())).toEqual([]);
  });

  test('a lost one is filled anew only when asked', async () => {
    const system = await twoDestinations();
    await system.backUp();
    await system.backUp();
    rmSync(system.at('nas'), { recursive: true });
    expect(heldBy(await system.tryBackUp())).toEqual(['disk']);
    expect(heldBy(await system.tryBackUp({ refill: true }))).toEqual(['disk', 'nas']);
    await expectEachAlone(system);
  });

  test('the only one lost and filled anew stays the same vault', async () => {
    const system = await aSystem();
    smallTree(system.source());
    const { record } = await system.backUp();
    rmSync(system.at(), { recursive: true });
    await expect(system.backUp()).rejects.toMatchObject({ exit: 2 });
    const again = await system.backUp({ refill: true });
    expect(again.record.vault).toBe(record.vault);
    expectSame(await system.readBack(again.record.id), pictureOf(system.source()));
  });

  test('one set back to an older copy of itself is noticed and brought up to date', async () => {
    const system = await twoDestinations();
    await system.backUp();
    const older = await keptCopy(system.at('nas'));
    for (const name of ['new', 'newer']) {
      writeFileSync(`${system.source()}/${name}`, noise(150_000));
      await system.backUp();
    }
    rmSync(system.at('nas'), { recursive: true });
    cpSync(older, system.at('nas'), { recursive: true });
    expect(heldBy(await system.tryBackUp())).toEqual(['disk', 'nas']);
    await expectEachAlone(system);
  });

  test('the only one set back: the loss is told, and what is new is whole', async () => {
    const system = await aSystem();
    smallTree(system.source());
    await system.backUp();
    const older = await keptCopy(system.at());
    writeFileSync(`${system.source()}/new`, noise(150_000));
    await system.backUp();
    rmSync(system.at(), { recursive: true });
    cpSync(older, system.at(), { recursive: true });
    const told: string[] = [];
    const { record } = await system.backUp({
      onEvent: (event) => event.type === 'problem' && void told.push(event.problem.code),
    });
    expect(told).toContain('restore-point-lost');
    expectSame(await system.readBack(record.id), pictureOf(system.source()));
  });

  test('one damaged object at one does not keep the other from catching up', async () => {
    const system = await twoDestinations();
    await system.backUp();
    rmSync(`${system.source()}/twin.pdf`);
    renameSync(system.at('nas'), `${system.at('nas')}.away`);
    writeFileSync(`${system.source()}/lost`, noise(150_000));
    const before = new Set(objectsIn(system.at()).keys());
    await system.backUp();
    // The pack of the content: of the one beside it, of entries, the next backup may use a chunk.
    const isContent = ([key, body]: [string, Buffer]) =>
      /^packs/.test(key) && !before.has(key) && body.length > 100_000;
    const [spoilt] = [...objectsIn(system.at())].find(isContent)!;
    rmSync(`${system.source()}/lost`);
    writeFileSync(`${system.source()}/found`, noise(150_000));
    const { record } = await system.backUp();
    chmodSync(`${system.at()}/${spoilt}`, 0o600);
    writeFileSync(`${system.at()}/${spoilt}`, 'rotten');
    renameSync(`${system.at('nas')}.away`, system.at('nas'));
    const told: string[] = [];
    await system.backUp({ onEvent: (event) => event.type === 'problem' && void told.push(event.problem.message) });
    expect(told).toEqual([expect.stringMatching(/^nas still lacks 1 object that could not be copied.*packs/s)]);
    using open = system.open();
    const { opened } = await open.destinations({ create: false });
    expectSame(await system.readBack(record.id, opened.slice(1)), await system.readBack(record.id));
  });
});
