import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pictureOf } from '../support/pictures.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame } from '../support/vault.ts';

/** Two systems, on two hosts, with one vault and a dataset of one name, both backed up; the second one last. */
async function neighbours(): Promise<readonly [TestSystem, TestSystem]> {
  const system = await aSystem();
  const { config, identity } = system;
  smallTree(system.source());
  await system.backUp();
  const { folder, config: own, packSizes } = await aSystem();
  const shared = { destinations: config.destinations, vault: config.vault };
  const neighbour = systemOver({ folder, identity, packSizes, config: { ...own, ...shared, name: 'neighbour' } });
  writeFileSync(join(neighbour.source(), 'theirs'), 'newer, and of somebody else');
  await neighbour.backUp();
  return [system, neighbour];
}

test('of two systems in one vault with datasets of one name, each brings its own back', async () => {
  const [system, neighbour] = await neighbours();
  expectSame(pictureOf(await system.restore()), pictureOf(system.source()));
  expectSame(pictureOf(await neighbour.restore()), pictureOf(neighbour.source()));
});

test('verify-false-damage: of two hosts that write into one vault each calls it sound, without a key and with one', async () => {
  const [system, neighbour] = await neighbours();
  for (const host of [system, neighbour]) {
    for (const identities of [[], [system.identity]]) {
      const verified = await host.verify({}, identities);
      expect(verified).toMatchObject({ sound: true, findings: [], objectsClosed: 0 });
    }
  }
});
