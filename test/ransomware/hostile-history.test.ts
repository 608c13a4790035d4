import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs } from '../../src/core/duration.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { openMemory } from '../../src/destinations/memory/destination.ts';
import { takeStatus } from '../../src/operations/status/take-status.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import type { Doing, TestSystem } from '../support/system.ts';
import { aSystem, expectSame, noise } from '../support/vault.ts';
import { deleteAll, overwriteAll, removeVersions, shortenLocks } from './attacks.ts';

interface Stage {
  readonly system: TestSystem;
  readonly bucket: Destination;
  readonly doing: Doing;
  /** What each restore point held. */
  readonly pictures: ReadonlyMap<string, Picture>;
}

/** A system whose one destination keeps versions and locks what is stored, with two restore points. */
async function stage({ overwrites = true, lock = true } = {}): Promise<Stage> {
  const system = await aSystem();
  const bucket = openMemory({
    name: 'disk',
    versions: { overwrites, ...(lock && { lock: { mode: 'governance', forMs: 30 * dayMs } }) },
  });
  const doing = { wrap: () => bucket };
  const pictures = new Map<string, Picture>();
  for (const round of [1, 2]) {
    mkdirSync(join(system.source(), `round ${round}`), { recursive: true });
    writeFileSync(join(system.source(), `round ${round}`, 'file'), noise(200_000));
    const { record } = await system.backUp(doing);
    pictures.set(record.id, pictureOf(system.source()));
  }
  return { system, bucket, doing, pictures };
}

async function expectAllBack({ system, bucket, pictures }: Stage): Promise<void> {
  for (const [id, picture] of pictures) expectSame(await system.readBack(id, [bucket]), picture);
}

async function troublesOf({ system, doing }: Stage): Promise<string[]> {
  using open = system.open(doing);
  const status = await takeStatus(open, undefined);
  return status.troubles.map(({ code }) => code);
}

describe('objects that somebody hid or overwrote', () => {
  const attacks = {
    'every object deleted': { attack: deleteAll, kind: 'hidden', overwrites: true },
    'every object deleted, where nothing can be overwritten': { attack: deleteAll, kind: 'hidden', overwrites: false },
    'every object overwritten': { attack: overwriteAll, kind: 'overwritten', overwrites: true },
  } as const;
  for (const [what, { attack, kind, overwrites }] of Object.entries(attacks)) {
    test(`${what}: all restores, it is told, and verify heals it`, async () => {
      const on = await stage({ overwrites });
      const done = await attack(on.bucket);
      expect(done).toBeGreaterThan(8);
      await expectAllBack(on);
      expect(await troublesOf(on)).toContain(`object-${kind}`);
      const { findings, sound } = await on.system.verify(on.doing);
      expect(findings.map((finding) => finding.kind)).toEqual(Array.from({ length: done }, () => kind));
      expect(findings.filter(({ healed }) => !healed)).toEqual([]);
      expect(sound).toBe(true);
      expect(await on.system.verify(on.doing)).toMatchObject({ sound: true, findings: [] });
      await expectAllBack(on);
    });
  }

  test('hidden, overwritten and hidden again: the first version serves', async () => {
    const on = await stage();
    await deleteAll(on.bucket);
    await overwriteAll(on.bucket);
    for await (const { key } of on.bucket.history!.listVersions('')) await on.bucket.put(key, noise(9));
    await deleteAll(on.bucket);
    await expectAllBack(on);
  });

  test('what is locked cannot be removed for good, nor its lock shortened', async () => {
    const on = await stage();
    expect(await removeVersions(on.bucket)).toEqual([]);
    expect(await shortenLocks(on.bucket, systemClock.now())).toBe(0);
    await expectAllBack(on);
  });

  test('a restore from a bucket that nobody touched asks for no version of a pack', async () => {
    const on = await stage();
    const [id] = on.pictures.keys();
    const history = on.bucket.history!;
    let asked = 0;
    const watched: Destination = {
      ...on.bucket,
      history: {
        ...history,
        versionsOf(key) {
          asked++;
          return history.versionsOf(key);
        },
      },
    };
    await on.system.readBack(id!, [watched]);
    // vault.json is looked at once; no pack and no manifest is.
    expect(asked).toBe(1);
  });
});
