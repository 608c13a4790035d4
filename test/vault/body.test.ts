import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pictureOf } from '../support/pictures.ts';
import { aSystem, expectSame, objectsIn } from '../support/vault.ts';

test('4.9: one file in a hundred changed: a fraction of the list of entries is stored anew, and one file comes back alone', async () => {
  const system = await aSystem();
  const name = (number: number) => join(system.source(), `folder ${number % 20}`, `file ${number}`);
  for (let number = 0; number < 20; number++) mkdirSync(join(system.source(), `folder ${number}`));
  for (let number = 0; number < 2000; number++) writeFileSync(name(number), `content ${number}`);
  await system.backUp();
  const before = objectsIn(system.at());
  for (let number = 0; number < 2000; number += 100) writeFileSync(name(number), `changed ${number}`);
  await system.backUp();
  const sizeOf = (keys: string[]) => keys.reduce((sum, key) => sum + now.get(key)!.length, 0);
  const now = objectsIn(system.at());
  const isPack = (key: string) => key.startsWith('packs/');
  const listBytes = sizeOf([...before.keys()].filter(isPack));
  const newBytes = sizeOf([...now.keys()].filter((key) => isPack(key) && !before.has(key)));
  expect(newBytes).toBeLessThan(listBytes / 3);
  expectSame(pictureOf(await system.restore()), pictureOf(system.source()));

  const into = await system.restore({ only: ['folder 7/file 1507'] });
  expect(readFileSync(join(into, 'folder 7/file 1507'), 'utf8')).toBe('content 1507');
});
