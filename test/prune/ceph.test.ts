import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { openDestination } from '../../src/destinations/registry.ts';
import { listKey, packKey } from '../../src/vault/format/keys.ts';
import { newSigningKey } from '../../src/vault/format/signing.ts';
import { openVault } from '../../src/vault/open.ts';
import { planPrune, prunePointOf, pruneVault, surveyVault } from '../../src/vault/prune/prune.ts';
import { allRules } from '../../src/vault/prune-rules.ts';
import { type BucketOptions, bucket } from '../support/rgw.ts';
import { aSystem, noise, objectsIn } from '../support/vault.ts';

/** A vault with two restore points that share nothing, in a bucket of the run's Ceph. */
async function stored(options: BucketOptions) {
  const system = await aSystem();
  for (let time = 0; time < 2; time++) {
    writeFileSync(join(system.source(), 'data'), noise(200_000));
    await system.backUp();
  }
  const made = await bucket(options);
  const destination = await openDestination('ceph', made.options);
  for (const [key, bytes] of objectsIn(system.at())) {
    if (!key.startsWith('ledger/')) await destination.put(key, bytes);
  }
  return { system, destination };
}

/** Grace and age cannot be waited for here: the model and the local destination show them. */
async function pruneTwice({ destination }: Awaited<ReturnType<typeof stored>>, dropped: string) {
  const run = startRun({ clock: systemClock });
  const rules = { ...allRules, grace: false, everyWriterPassed: false };
  const signingKey = newSigningKey().privateKey;
  const removed = new Set<string>();
  const once = async () => {
    const vault = await openVault([destination]);
    const { suspect, ...survey } = await surveyVault({ vault, destinations: [destination], trust: {} }, run);
    const points = survey.points.map(prunePointOf);
    for (const { hash } of points) removed.add(hash);
    const facts = {
      ...survey,
      points,
      kept: new Set(points.filter(({ record }) => record.id !== dropped).map(({ key }) => key)),
      pinned: new Set<string>(),
      sparse: new Set<string>(),
      removed,
      retired: new Set<string>(),
    };
    const plan = planPrune(facts, rules);
    return pruneVault({ vault: vault.id, plan, suspect, signingKey, beforeMarking: async () => {} }, run);
  };
  await once();
  return once();
}

test('where versions are kept, what is pruned is gone for good, and nothing else', async () => {
  const made = await stored({ versions: true });
  const [first, second] = (await made.system.points()).filter(({ record }) => record.dataset === 'uploads');
  const kept = new Set([...second!.needs.packs].map(([id]) => packKey(id)));
  const own = [...first!.needs.packs].map(([id]) => packKey(id)).filter((key) => !kept.has(key));
  own.push(...first!.record.lists.map(([id]) => listKey(id)));
  await made.destination.delete(first!.key);
  const { swept } = await pruneTwice(made, first!.record.id);
  expect(swept[0]?.locked.objects).toBe(0);
  const left = (await Array.fromAsync(made.destination.history!.listVersions(''))).map(({ key }) => key);
  for (const key of own) expect(left).not.toContain(key);
  expect(left).not.toContain(first!.key);
  for (const key of kept) expect(left).toContain(key);
  for (const [id] of second!.record.lists) expect(left).toContain(listKey(id));
});

test('what is locked waits, told with its end, and what its record needs waits too', async () => {
  const made = await stored({ lock: { mode: 'GOVERNANCE', days: 1 } });
  const [first] = (await made.system.points()).filter(({ record }) => record.dataset === 'uploads');
  const { swept } = await pruneTwice(made, first!.record.id);
  expect(swept[0]).toMatchObject({ records: 0, objects: 0, bytes: 0 });
  expect(swept[0]?.locked.objects).toBeGreaterThan(0);
  expect(swept[0]?.locked.untilMs).toBeGreaterThan(Date.now() + 20 * 3_600_000);
  expect((await openVault([made.destination]).then((vault) => vault.pointsOfAll())).points).toHaveLength(2);
});
