import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { dayMs, hourMs } from '../../src/core/duration.ts';
import { startRun } from '../../src/core/run.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { objectLocked } from '../../src/destinations/errors.ts';
import { openMemory } from '../../src/destinations/memory/destination.ts';
import { keep } from '../../src/operations/keep.ts';
import { packKey } from '../../src/vault/format/keys.ts';
import type { TestSystem } from '../support/system.ts';
import { aSystem, noise } from '../support/vault.ts';
import { keysOf, overwriteAll } from './attacks.ts';

/** Retention counts days, weeks and months: the same ones in every run. */
const beginMs = Date.UTC(2027, 0, 4, 12);

/** A clock that a test moves; on its own it goes on by a second a look. */
function movedClock(): Clock & { afterMs: number } {
  let ticks = 0;
  const moved = { afterMs: 0, now: () => beginMs + moved.afterMs + 1000 * ticks++, elapsed: systemClock.elapsed };
  return moved;
}

interface Stage {
  readonly system: TestSystem;
  readonly bucket: Destination;
  readonly clock: ReturnType<typeof movedClock>;
  /** Calls of the store, by what was asked. */
  readonly asked: Record<string, number>;
  backUp(): Promise<{ id: string; packs: readonly string[] }>;
  keep(dryRun?: boolean): ReturnType<typeof keep>;
  lockOf(key: string): Promise<number>;
}

const birthMs = 30 * dayMs;

async function stage(): Promise<Stage> {
  const system = await aSystem();
  const clock = movedClock();
  const memory = openMemory({
    name: 'disk',
    clock,
    versions: { overwrites: true, lock: { mode: 'compliance', forMs: birthMs } },
  });
  const asked: Record<string, number> = {};
  const count = <Args extends unknown[], Result>(what: string, work: (...args: Args) => Result) => {
    return (...args: Args): Result => {
      asked[what] = (asked[what] ?? 0) + 1;
      return work(...args);
    };
  };
  const history = memory.history!;
  const bucket: Destination = {
    ...memory,
    history: {
      ...history,
      versionsOf: count('versionsOf', history.versionsOf),
      lockOf: count('lockOf', history.lockOf),
      extendLock: count('extendLock', history.extendLock),
    },
  };
  const doing = { wrap: () => bucket, clock };
  return {
    system,
    bucket,
    clock,
    asked,
    async backUp() {
      const { record, needs } = await system.backUp(doing);
      return { id: record.id, packs: [...needs.packs].map(([pack]) => packKey(pack)) };
    },
    async keep(dryRun = false) {
      using open = system.open(doing);
      return await keep(open, { dryRun }, startRun({ clock }));
    },
    async lockOf(key) {
      const [first] = (await history.versionsOf(key)).reverse();
      return (await history.lockOf(key, first!.version))!.untilMs;
    },
  };
}

function looks({ lockOf = 0, extendLock = 0 }: Record<string, number>) {
  return { lockOf, extendLock };
}

function change(system: TestSystem, name: string): void {
  mkdirSync(system.source(), { recursive: true });
  writeFileSync(join(system.source(), name), noise(150_000));
}

describe('the keeper', () => {
  test('extends what restore points need before its lock ends, and nothing else, and asks for nothing twice', async () => {
    const on = await stage();
    change(on.system, 'a');
    const first = await on.backUp();
    const bornMs = on.clock.now();
    on.clock.afterMs = 10 * dayMs;
    expect((await on.keep()).locks[0]).toMatchObject({ extended: 0, missing: 0, unlocked: 0 });

    on.clock.afterMs = 16 * dayMs;
    const { extended, objects, untilMs } = (await on.keep()).locks[0]!;
    expect(extended).toBe(objects);
    expect(untilMs).toBeGreaterThan(on.clock.now() + birthMs - hourMs);
    expect(await on.lockOf(first.packs[0]!)).toBeGreaterThan(bornMs + 45 * dayMs);

    // Its own entry in the ledger is new to it.
    expect((await on.keep()).locks[0]).toMatchObject({ extended: 0 });
    const before = looks(on.asked);
    on.clock.afterMs = 20 * dayMs;
    expect((await on.keep()).locks[0]).toMatchObject({ extended: 0 });
    expect(looks(on.asked)).toEqual(before);
  });

  test('after keep, deleting is refused for as long as it says', async () => {
    const on = await stage();
    change(on.system, 'a');
    await on.backUp();
    on.clock.afterMs = 29 * dayMs;
    const keys = await keysOf(on.bucket);
    const { untilMs } = (await on.keep()).locks[0]!;
    on.clock.afterMs = untilMs! - beginMs - hourMs;
    for (const key of keys) {
      const [first] = (await on.bucket.history!.versionsOf(key)).reverse();
      const refused = on.bucket.delete(key, first!.version);
      await expect(refused, key).rejects.toMatchObject({ code: objectLocked.code });
    }
  });

  test('extends the true version of an overwritten object, not the one that lies on top', async () => {
    const on = await stage();
    change(on.system, 'a');
    const { packs } = await on.backUp();
    on.clock.afterMs = 20 * dayMs;
    await overwriteAll(on.bucket);
    await on.keep();
    expect(await on.lockOf(packs[0]!)).toBeGreaterThan(on.clock.now() + birthMs - hourMs);
  });

  test('a dry run says what it would do and does nothing', async () => {
    const on = await stage();
    change(on.system, 'a');
    const { packs } = await on.backUp();
    const before = await on.lockOf(packs[0]!);
    on.clock.afterMs = 20 * dayMs;
    expect((await on.keep(true)).locks[0]!.extended).toBeGreaterThan(5);
    expect(await on.lockOf(packs[0]!)).toBe(before);
  });

  test('what retention drops is left to its lock', async () => {
    const on = await stage();
    change(on.system, 'a');
    const old = await on.backUp();
    rmSync(join(on.system.source(), 'a'));
    for (const day of [1, 2, 3, 4]) {
      on.clock.afterMs = day * 400 * dayMs;
      change(on.system, `${day}`);
      await on.backUp();
    }
    const endMs = await on.lockOf(old.packs[0]!);
    expect((await on.keep()).locks[0]!.missing).toBe(0);
    expect(await on.lockOf(old.packs[0]!)).toBe(endMs);
  });
});

describe('a backup where things are locked', () => {
  test('extends what it uses again and is not locked any more, before it is done', async () => {
    const on = await stage();
    change(on.system, 'a');
    const { packs } = await on.backUp();
    on.clock.afterMs = 200 * dayMs;
    expect(await on.lockOf(packs[0]!)).toBeLessThan(on.clock.now());
    const again = await on.backUp();
    expect(again.packs).toEqual(expect.arrayContaining([...packs]));
    for (const pack of again.packs) expect(await on.lockOf(pack), pack).toBeGreaterThan(on.clock.now() + birthMs / 2);
  });

  test('looks at no lock when all are long enough', async () => {
    const on = await stage();
    change(on.system, 'a');
    await on.backUp();
    const before = looks(on.asked);
    change(on.system, 'b');
    await on.backUp();
    expect(looks(on.asked)).toEqual(before);
  });
});
