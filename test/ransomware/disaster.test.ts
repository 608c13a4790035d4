import { randomInt } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Destination } from '../../src/destinations/destination.ts';
import { withFaults } from '../../src/destinations/wrap/fault.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, noise, objectsIn } from '../support/vault.ts';

/** Flips single bits, as disks and memories do: every byte is as likely as another. */
function flipBits(folder: string, count: number): number {
  // Without it a destination takes part in no backup; that is tested where single objects rot.
  const objects = [...objectsIn(folder)].filter(([key]) => key !== 'vault.json');
  const total = objects.reduce((sum, [, bytes]) => sum + bytes.length, 0);
  const hit = new Set<string>();
  for (let flipped = 0; flipped < count; flipped++) {
    let at = randomInt(total);
    const [key, bytes] = objects.find(([, { length }]) => {
      if (at < length) return true;
      at -= length;
      return false;
    })!;
    bytes[at]! ^= 1 << randomInt(8);
    hit.add(key);
  }
  for (const [key, bytes] of objects) if (hit.has(key)) writeFileSync(join(folder, key), bytes);
  return hit.size;
}

test('of three destinations one is lost, one has a thousand flipped bits, one lags: all restores, and heals', async () => {
  const system = await aSystem({ destinations: ['lost', 'rotten', 'lagging'] });
  const pictures = new Map<string, Picture>();
  smallTree(system.source());
  const backUp = async (wrap = (destination: Destination) => destination) => {
    writeFileSync(join(system.source(), `round ${pictures.size}`), noise(300_000));
    const { backedUp, failed } = await system.tryBackUp({ wrap });
    expect(failed).toEqual([]);
    pictures.set(backedUp[0]!.record.id, pictureOf(system.source()));
  };
  const withoutLagging = (destination: Destination) =>
    destination.name === 'lagging' ? withFaults(destination, [{ kind: 'error-before' }]) : destination;
  await backUp();
  await backUp();
  const damaged = flipBits(system.at('rotten'), 1000);
  expect(damaged).toBeGreaterThan(4);
  await backUp(withoutLagging);
  await backUp(withoutLagging);
  rmSync(system.at('lost'), { recursive: true });

  for (const [id, picture] of pictures) expectSame(await system.readBack(id), picture);

  const first = await system.verify();
  expect(first.findings.filter(({ kind }) => kind === 'damaged').length).toBeGreaterThanOrEqual(damaged);
  await system.tryBackUp({ refill: true });
  const healed = await system.verify();
  expect(healed.findings.filter((finding) => !finding.healed)).toEqual([]);
  expect(await system.verify()).toMatchObject({ sound: true, findings: [], suspect: [] });

  // Each of the three alone has everything again.
  for (const name of ['lost', 'rotten', 'lagging']) {
    using open = system.open();
    const { opened } = await open.destinations({ create: false });
    const only = opened.filter((destination) => destination.name === name);
    for (const [id, picture] of pictures) expectSame(await system.readBack(id, only), picture);
  }
});
