import { expect, test } from 'vitest';
import { listingGuard } from './listing-bounds.ts';

const place = { name: 'disk', location: '/mnt/disk' };
const late = () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, 30);
  return promise;
};

test('M3: a listing that keeps waiting between names is given up, whatever it waits for', async () => {
  const bounds = { firstMs: 100, namesPerSecond: 100, folderMs: 10 };
  const slow = { code: 'destination-unreachable', message: expect.stringContaining('was given up') };
  const folders = async () => {
    const guard = listingGuard(place, 'packs/', bounds);
    for (let n = 0; n < 1000; n++) await guard.openFolder(late);
  };
  const names = async () => {
    const guard = listingGuard(place, 'packs/', bounds);
    for (let n = 0; n < 1000; n++) await guard.page(async () => late().then(() => ['one']));
  };
  await expect(folders()).rejects.toMatchObject(slow);
  await expect(names()).rejects.toMatchObject(slow);
});

test('a mount from far away is heard out while it opens folders and looks at names, and not for ever', async () => {
  const bounds = { firstMs: 30, namesPerSecond: 10, folderMs: 10_000 };
  const guard = listingGuard(place, 'packs/', bounds);
  for (let n = 0; n < 5; n++) {
    await guard.openFolder(late);
    await guard.page(async () => late().then(() => ['one']));
  }
  const empty = listingGuard(place, 'packs/', { ...bounds, folderMs: 1e-3 });
  const folders = async () => {
    for (let n = 0; n < 100; n++) await empty.openFolder(late);
  };
  await expect(folders()).rejects.toMatchObject({ code: 'destination-unreachable' });
});

test('M3: what may come below a folder of records is less than what may come below packs', async () => {
  const bounds = { firstMs: 60_000, namesPerSecond: 100, folderMs: 10 };
  const page = Array.from({ length: 250_001 }, () => 'x');
  await listingGuard(place, 'packs/', bounds).page(async () => page);
  await listingGuard(place, '', bounds).page(async () => page);
  await expect(listingGuard(place, 'snapshots/', bounds).page(async () => page)).rejects.toMatchObject({
    message: expect.stringContaining('more than 250000 names'),
  });
});

test('M3: a name that a folder gives again is none more, and a folder does not hold all that a vault may', () => {
  const guard = listingGuard(place, 'packs/');
  const isNew = guard.newNames();
  expect(['a', 'b', 'a', 'a'].filter(isNew)).toEqual(['a', 'b']);
  expect(['a'].filter(guard.newNames())).toEqual(['a']);
  const flood = () => Array.from({ length: 250_001 }, (_, n) => `${n}`).filter(guard.newNames());
  expect(flood).toThrow('one of its folders gave more than 250000 names');
});
