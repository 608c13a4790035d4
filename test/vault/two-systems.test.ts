import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pictureOf } from '../support/pictures.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame } from '../support/vault.ts';

/** Another system, on another host, with the same vault and a dataset of the same name. */
async function neighbourOf({ config, identity }: TestSystem): Promise<TestSystem> {
  const { folder, config: own, packSizes } = await aSystem();
  const shared = { destinations: config.destinations, vault: config.vault };
  return systemOver({ folder, identity, packSizes, config: { ...own, ...shared, name: 'neighbour' } });
}

test('of two systems in one vault with datasets of one name, each brings its own back', async () => {
  const system = await aSystem();
  smallTree(system.source());
  await system.backUp();
  const neighbour = await neighbourOf(system);
  writeFileSync(join(neighbour.source(), 'theirs'), 'newer, and of somebody else');
  await neighbour.backUp();
  expectSame(pictureOf(await system.restore()), pictureOf(system.source()));
  expectSame(pictureOf(await neighbour.restore()), pictureOf(neighbour.source()));
});

test('verify-false-damage: of two hosts that write into one vault each calls it sound, without a key and with one', async () => {
  const system = await aSystem();
  smallTree(system.source());
  await system.backUp();
  const neighbour = await neighbourOf(system);
  writeFileSync(join(neighbour.source(), 'theirs'), 'of another host');
  await neighbour.backUp();
  for (const host of [system, neighbour]) {
    for (const identities of [[], [system.identity]]) {
      const verified = await host.verify({}, identities);
      expect(verified).toMatchObject({ sound: true, findings: [], objectsClosed: 0 });
    }
  }
});
