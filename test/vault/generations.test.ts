import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Picture, pictureOf } from '../support/pictures.ts';
import { randomTree, smallTree } from '../support/trees.ts';
import { aSystem, expectSame } from '../support/vault.ts';

describe('what was backed up comes back equal', () => {
  for (const seed of [1, 2, 3]) {
    test(`random tree ${seed}, changed again and again, at every restore point`, async () => {
      const system = await aSystem();
      const tree = randomTree(system.source(), seed);
      const history: { id: string; picture: Picture }[] = [];
      for (let generation = 0; generation < 4; generation++) {
        tree.change(generation === 0 ? 60 : 15);
        const picture = pictureOf(system.source());
        const { record, problems } = await system.backUp();
        // Random links lead anywhere, and the backup says so.
        expect(problems.filter(({ code }) => code !== 'link-leads-out')).toEqual([]);
        history.push({ id: record.id, picture });
      }
      for (const { id, picture } of history) {
        expectSame(await system.readBack(id), picture);
        const folder = await system.restore({ id });
        expectSame(pictureOf(folder), picture);
        rmSync(folder, { recursive: true });
      }
      expect((await system.verify()).sound).toBe(true);
    });
  }

  test('an unchanged tree costs a record and a manifest, no packs and no list', async () => {
    const system = await aSystem();
    smallTree(system.source());
    await new Promise((resolve) => setTimeout(resolve, 80));
    const first = await system.backUp();
    const second = await system.backUp();
    expect(second.record.lists).toEqual(first.record.lists);
    expect(second.record.sizes.added).toBe(0);
    expect(second.unchangedFiles).toBe(7);
    expectSame(await system.readBack(second.record.id), pictureOf(system.source()));
  });
});
