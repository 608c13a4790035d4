import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs, minuteMs } from '../../src/core/duration.ts';
import { startRun } from '../../src/core/run.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { openMemory } from '../../src/destinations/memory/destination.ts';
import { prune } from '../../src/operations/prune.ts';
import type { SnapshotRecord } from '../../src/vault/format/record.ts';
import { newSigningKey } from '../../src/vault/format/signing.ts';
import { openVault } from '../../src/vault/open.ts';
import type { RestorePoint } from '../../src/vault/vault.ts';
import { writerKeys } from '../../src/vault/writer/keys.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { aSystem, expectSame, noise } from '../support/vault.ts';
import { deleteAll, flood, overwriteAll, removeVersions } from './attacks.ts';
import { forgedRecord, plant, plantEntry, plantGeneration, stolenKey } from './forgeries.ts';

interface Stage {
  readonly host: TestSystem;
  readonly bucket: Destination;
  readonly clock: { afterMs: number; now(): number };
  readonly pictures: Map<string, Picture>;
  backUp(): Promise<void>;
  points(): Promise<readonly RestorePoint[]>;
  /** The pruner's own machine: its own state and key, and the configuration names the host's. */
  prune(): Promise<string>;
}

/** A bucket that keeps versions and locks nothing: only the pruner's own care protects. */
async function stage(): Promise<Stage> {
  const host = await aSystem();
  const clock = { afterMs: 0, now: () => systemClock.now() + clock.afterMs, elapsed: systemClock.elapsed };
  const bucket = openMemory({ name: 'disk', clock, versions: { overwrites: true } });
  const doing = { wrap: () => bucket, clock };
  const pictures = new Map<string, Picture>();
  let pruner: TestSystem | undefined;
  let round = 0;
  const points = async () => (await (await openVault([bucket])).pointsOfAll()).points;
  return {
    host,
    bucket,
    clock,
    pictures,
    async backUp() {
      mkdirSync(host.source(), { recursive: true });
      writeFileSync(join(host.source(), `round ${++round}`), noise(120_000));
      const { record } = await host.backUp(doing);
      pictures.set(record.id, pictureOf(host.source()));
    },
    points,
    async prune() {
      pruner ??= await prunerOf(host, (await points())[0]!.record);
      using open = pruner.open(doing);
      const request = { dryRun: false, allowLarge: false, allowFlood: false, allowMissing: false, retire: [] };
      try {
        await prune(open, request, startRun({ clock }));
        return 'pruned';
      } catch (error) {
        return String((error as { code?: string }).code);
      }
    },
  };
}

/** Another machine, with a key of its own that the host's configuration names, as the host's is named in its own. */
async function prunerOf(host: TestSystem, { vault, writer }: SnapshotRecord): Promise<TestSystem> {
  const stateDir = join(host.folder, 'pruner');
  const { publicKey } = await writerKeys(join(stateDir, 'writer.json'), vault, randomBytes);
  const own = (key: string) => [{ key, systems: [host.config.name] }];
  Object.assign(host.config.vault, { pruners: own(publicKey) });
  return systemOver({
    ...host,
    config: { ...host.config, stateDir, vault: { ...host.config.vault, writers: own(writer), pruners: [] } },
  });
}

async function expectAllBack({ host, bucket, pictures }: Stage): Promise<void> {
  for (const [id, picture] of pictures) expectSame(await host.readBack(id, [bucket]), picture);
}

interface Attack {
  /** What each of the prunes after it comes to. */
  readonly outcome: string;
  make(on: Stage): Promise<void>;
}

const attacks: Readonly<Record<string, Attack>> = {
  'everything hidden and overwritten': {
    outcome: 'pruned',
    async make({ bucket }) {
      await overwriteAll(bucket);
      await deleteAll(bucket);
    },
  },
  'restore points from the future, of the past, replayed and by strangers': {
    outcome: 'prune-too-large',
    async make(on) {
      const key = stolenKey(on.host.config.stateDir);
      const points = await on.points();
      const records = points.map(({ record }) => record);
      const nowMs = on.clock.now();
      for (const days of [-300, -2, -1, 30, 3000]) {
        for (const after of [null, ...records]) {
          await plant(on.bucket, forgedRecord(records[0]!, key, { timeMs: nowMs + days * dayMs, after }));
        }
      }
      await plant(on.bucket, forgedRecord(records[0]!, key, { timeMs: nowMs, after: records[0]!, replay: true }));
      await plant(on.bucket, forgedRecord(records[0]!, newSigningKey().privateKey, { timeMs: nowMs }));
    },
  },
  'a flood of restore points of now, in the chain': {
    outcome: 'prune-too-large',
    async make(on) {
      const key = stolenKey(on.host.config.stateDir);
      const points = await on.points();
      let after = points.at(-1)!.record;
      for (let round = 0; round < 60; round++) {
        after = await plant(on.bucket, forgedRecord(after, key, { timeMs: on.clock.now() + round, after }));
      }
      await flood(on.bucket, 200);
    },
  },
  'generations that say that everything goes, seen by the writer': {
    outcome: 'pruned',
    async make(on) {
      const key = stolenKey(on.host.config.stateDir);
      const points = await on.points();
      for (const number of [1, 2, 3]) await plantGeneration(on.bucket, points, number, key);
      const last = points.at(-1)!.record;
      await plant(on.bucket, forgedRecord(last, key, { timeMs: on.clock.now(), after: last, generation: 3 }));
    },
  },
  'a generation by a stranger': {
    outcome: 'pruned',
    async make(on) {
      await plantGeneration(on.bucket, await on.points(), 1, newSigningKey().privateKey);
    },
  },
  'entries of the ledger that erase everything': {
    outcome: 'pruned',
    async make(on) {
      const key = stolenKey(on.host.config.stateDir);
      const points = await on.points();
      const { vault } = points[0]!.record;
      const ids = points.map(({ record }) => record.id);
      await plantEntry(on.bucket, vault, 'erase', { points: ids }, key, on.clock.now() + 1);
    },
  },
  'one restore point erased, too little to stand out': {
    outcome: 'pruned',
    async make(on) {
      const key = stolenKey(on.host.config.stateDir);
      const [first] = await on.points();
      const { vault, id } = first!.record;
      await plantEntry(on.bucket, vault, 'erase', { points: [id] }, key, on.clock.now() + 1);
    },
  },
};

describe('a pruner that comes after an attack, where nothing is locked', () => {
  for (const [what, { make, outcome }] of Object.entries(attacks)) {
    test(`${what}: ${outcome === 'pruned' ? 'nothing true is removed' : 'it refuses'}`, async () => {
      const on = await stage();
      for (let hour = 0; hour < 3; hour++) {
        on.clock.afterMs = hour * 60 * minuteMs;
        await on.backUp();
      }
      on.clock.afterMs += 60 * minuteMs;
      await make(on);
      const outcomes: string[] = [];
      for (const day of [1, 5, 9, 13]) {
        on.clock.afterMs = day * dayMs;
        outcomes.push(await on.prune());
        // The host works on, so that no prune waits for it. Where its vault is in ruins, it does not.
        await on.backUp().catch(() => {});
      }
      await expectAllBack(on);
      expect(outcomes).toEqual([outcome, outcome, outcome, outcome]);
    });
  }

  test('what is not locked any more is gone when the attacker may delete it: that is what locks are for', async () => {
    const on = await stage();
    await on.backUp();
    on.clock.afterMs = dayMs;
    expect((await removeVersions(on.bucket)).length).toBeGreaterThan(3);
  });
});
