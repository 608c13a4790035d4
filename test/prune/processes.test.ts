import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { dayMs } from '../../src/core/duration.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import { rounds } from '../support/rounds.ts';
import type { TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { until } from '../support/until.ts';
import { aSystem, expectSame, noise, objectsIn } from '../support/vault.ts';
import { start, type Worker, whole } from '../support/vault-worker.ts';

const kept = 2;

/** As if the marks had been made four days ago. */
function ageMarks(system: TestSystem): void {
  for (const key of objectsIn(system.at()).keys()) {
    const at = (Date.now() - 4 * dayMs) / 1000;
    if (key.startsWith('gc/')) utimesSync(join(system.at(), key), at, at);
  }
}

/** Every version of the tree that was ever there, so that what a restore point holds can be told from its bytes. */
const history = new WeakMap<TestSystem, Picture[]>();

function change(system: TestSystem, data = noise(300_000)): void {
  writeFileSync(join(system.source(), 'data'), data);
  const pictures = history.get(system) ?? [];
  pictures.push(pictureOf(system.source()));
  history.set(system, pictures);
}

async function started(): Promise<TestSystem> {
  const system = await aSystem();
  const retention = { last: kept, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
  Object.assign(system.config.datasets.uploads!, { retention });
  smallTree(system.source());
  for (let time = 0; time < kept; time++) {
    change(system);
    await whole(system, 'backup');
  }
  return system;
}

/** The newest restore points are those of the newest trees that were committed, byte for byte. */
async function expectKept(system: TestSystem): Promise<void> {
  const points = (await system.points()).filter(({ record }) => record.dataset === 'uploads').slice(-kept);
  expect(points).toHaveLength(kept);
  for (const { record } of points) {
    const found = await system.readBack(record.id);
    const same = history.get(system)!.findLast((picture) => picture.get('data')?.facts === found.get('data')?.facts);
    expectSame(found, same ?? history.get(system)!.at(-1)!);
  }
}

async function expectSound(system: TestSystem): Promise<void> {
  await expectKept(system);
  const { sound, suspect, findings } = await system.verify();
  expect({ sound, suspect, findings: findings.filter(({ kind }) => kind !== 'unknown') }).toEqual({
    sound: true,
    suspect: [],
    findings: [],
  });
}

function isStopped({ child }: Worker): boolean {
  return /^\d+ \(.*\) T/s.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'));
}

test('a prune killed before its changes, and the next one ends what it began', async () => {
  const system = await started();
  let killed = 0;
  const stride = rounds({ short: 3, long: 1 });
  for (const verb of ['put', 'delete'] as const) {
    for (let nth = 1; nth <= 5; nth += stride) {
      change(system);
      await whole(system, 'backup');
      ageMarks(system);
      const kind = nth % 2 === 0 ? 'kill-after' : 'kill-before';
      const death = await start(system, 'prune', { faults: [{ verb, nth, kind }] }).ended;
      if (death.killed) killed++;
      await expectKept(system);
    }
  }
  expect(killed).toBeGreaterThan(4 / stride);
  for (let time = 0; time < 3; time++) {
    change(system);
    await whole(system, 'backup');
    ageMarks(system);
    await whole(system, 'prune');
  }
  await expectSound(system);
  const left = (await system.points()).filter(({ record }) => record.dataset === 'uploads');
  expect(left.length).toBeLessThan(kept + 3);
});

test('a backup stopped just before its record, over marks and sweeps (rustic docs#144)', async () => {
  for (const stopBefore of ['manifests/', 'snapshots/harbor/uploads/']) {
    const system = await started();
    const before = readFileSync(join(system.source(), 'data'));
    for (let time = 0; time < kept; time++) {
      change(system);
      await whole(system, 'backup');
    }
    // What no kept restore point holds any more is there again: its packs are used, and marked meanwhile.
    change(system, before);
    const backup = start(system, 'backup', { stopBefore });
    await until(() => isStopped(backup));
    for (let time = 0; time < 3; time++) {
      const { done, said } = await start(system, 'prune').ended;
      expect(done, said).toBe(true);
      ageMarks(system);
    }
    backup.child.kill('SIGCONT');
    const { done, said } = await backup.ended;
    expect(done, said).toBe(true);
    await expectSound(system);
    await whole(system, 'prune');
    ageMarks(system);
    await whole(system, 'prune');
    await expectSound(system);
  }
});

test('backups and prunes killed and stopped at any moment', async () => {
  const system = await started();
  let killed = 0;
  for (let round = 0; round < rounds({ short: 4, long: 24 }); round++) {
    change(system);
    const workers = [start(system, 'backup'), start(system, 'prune')];
    for (const [at, { child }] of workers.entries()) {
      await sleep(150 + ((round * 137 + at * 59) % 700));
      child.kill('SIGSTOP');
    }
    ageMarks(system);
    await start(system, 'prune').ended;
    for (const { child } of workers) child.kill(round % 3 === 0 ? 'SIGKILL' : 'SIGCONT');
    for (const { ended } of workers) if ((await ended).killed) killed++;
    await expectKept(system);
    if (round % 2 === 0) await whole(system, 'backup');
  }
  expect(killed).toBeGreaterThan(1);
  await whole(system, 'backup');
  await expectSound(system);
});
