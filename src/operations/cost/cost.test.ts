// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration

import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configured } from '../../../test/support/configured.ts';
import { plantVault } from '../../../test/support/plant-vault.ts';
import { dayMs, hourMs } from '../../core/duration.ts';
import { classNames, objectionsTo } from '../../core/storage-classes.ts';
import { listBytesOf, packList } from '../../vault/format/pack-list.ts';
import { packsOf } from '../../vault/hold/needs.ts';
import { openSystem } from '../system.ts';
import { costOf } from './cost.ts';
import { monthlyCost, restoreCost } from './estimate.ts';
import { pricesOf } from './prices.ts';
import { datasetSizes } from './sizes.ts';

const now = Date.UTC(2026, 10, 20, 10);
const GB = 1_000_000_000;
/** Of packs; each restore point has one list of two of them. */
const unit = GB / 10;
const listBytes = listBytesOf(2);

/** Two datasets that share a pack, one old restore point that retention drops. */
async function harbor() {
  const { folder, config } = await configured(
    `destinations:
  one: { type: local, path: one, price: { storage: 0.01, retrieval: 0.02 } }
  two: { type: local, path: two, where: { provider: AWS } }
  bare: { type: local, path: bare }
datasets:
  app-db: { type: sqlite, path: app.db, rpo: 15m, rto: 10m, retention: { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0 } }
  uploads: { type: files, path: uploads, rpo: 1h, rto: 10m }
`,
  );
  const system = openSystem(config, { clock: { now: () => now, elapsed: () => 0 } });
  const vault = plantVault(
    'harbor',
    ['one', 'two', 'bare'].map((name) => join(folder, name)),
  );
  vault.point({
    dataset: 'app-db',
    timeMs: now - 40 * dayMs,
    packs: [
      ['old', 3 * unit],
      ['shared', unit],
    ],
  });
  vault.point({
    dataset: 'app-db',
    timeMs: now - hourMs,
    packs: [
      ['new', 2 * unit],
      ['shared', unit],
    ],
  });
  vault.point({
    dataset: 'uploads',
    timeMs: now - hourMs,
    packs: [
      ['shared', unit],
      ['files', 10 * unit],
    ],
  });
  return { system, vault: await system.vault(() => {}) };
}

describe('cost', () => {
  test('sizes by dataset: what is its own, and what others need too', async () => {
    const { vault } = await harbor();
    const points = await vault.withNeeds((await vault.pointsOfAll()).points);
    expect(await datasetSizes(points, async () => {})).toEqual([
      { dataset: 'uploads', restorePoints: 1, ownBytes: 10 * unit + 100 + listBytes, sharedBytes: unit },
      { dataset: 'app-db', restorePoints: 2, ownBytes: 5 * unit + 200 + 2 * listBytes, sharedBytes: unit },
    ]);
  });

  test('the keys of epochs count: who reads a restore point back needs them too', async () => {
    const { vault } = await harbor();
    const points = await vault.withNeeds((await vault.pointsOfAll()).points);
    const keyed = points.map((point) => ({
      ...point,
      needs: { ...point.needs, keys: [['e'.repeat(64), '1'.repeat(64), 600]] as const },
    }));
    const [uploads, database] = await datasetSizes(keyed, async () => {});
    expect([uploads?.sharedBytes, database?.sharedBytes]).toEqual([unit + 600, unit + 600]);
    const prices = {
      className: 'STANDARD',
      packs: pricesOf('AWS', 'STANDARD', {})!,
      rest: pricesOf('AWS', 'STANDARD', {})!,
    };
    const [bare, whole] = [points, keyed].map((some) => restoreCost(some, 'STANDARD', prices));
    expect([whole!.objects - bare!.objects, whole!.bytes - bare!.bytes]).toEqual([1, 600]);
  });

  test('a month before and after a prune, by the price of the configuration or of the table, and nothing where neither knows', async () => {
    const { system, vault } = await harbor();
    const { destinations, total, totalAfterPrune } = await costOf(system, vault, {});
    const [one, two, bare] = destinations;
    expect(one).toMatchObject({
      bytes: 16 * unit + 300 + 3 * listBytes,
      objects: 10,
      storageClass: 'STANDARD',
      provider: null,
    });
    expect(one?.monthly?.storage).toBeCloseTo(1.6 * 0.01, 6);
    expect(one?.afterPrune.bytes).toBe(13 * unit + 200 + 2 * listBytes);
    expect(one?.afterPrune.monthly?.storage).toBeCloseTo(1.3 * 0.01, 6);
    expect(one?.restore.cost).toBeCloseTo(1.3 * 0.02, 6);
    expect(two?.monthly?.storage).toBeCloseTo(1.6 * 0.023, 6);
    // Two restore points of this month: packs 'new' and 'files' two manifests and two lists are new, and three small objects each.
    expect(two?.monthly?.requests).toBeCloseTo((12 * 0.005) / 1000, 9);
    expect(bare).toMatchObject({ monthly: null, restore: { cost: null } });
    expect(total).toBeCloseTo(1.6 * 0.033, 3);
    expect(totalAfterPrune).toBeCloseTo(1.3 * 0.033, 3);
  });

  test('another storage class is priced beside the one in use; what must be thawed is named', async () => {
    const { system, vault } = await harbor();
    const { destinations } = await costOf(system, vault, { className: 'GLACIER_IR' });
    expect(destinations[1]?.otherwise?.monthly?.storage).toBeCloseTo(1.6 * 0.004, 5);
    expect(destinations[0]?.otherwise?.monthly).toBeNull();

    const points = await vault.withNeeds((await vault.pointsOfAll()).points);
    const uploads = points.filter(({ record }) => record.dataset === 'uploads');
    const packs = pricesOf('AWS', 'DEEP_ARCHIVE', {})!;
    const list = { className: 'DEEP_ARCHIVE', packs, rest: pricesOf('AWS', 'STANDARD', {})! };
    const { thaw, cost } = restoreCost(uploads, 'DEEP_ARCHIVE', list);
    expect(thaw).toMatchObject({ objects: 2, bytes: 11 * unit, usualHours: 12, cheapHours: 48 });
    expect(thaw?.keys.every((key) => key.startsWith('packs/'))).toBe(true);
    expect(cost).toBeCloseTo(1.1 * 0.11 + (2 / 1000) * 0.1, 4);
    expect(restoreCost(points, 'STANDARD_IA', undefined)).not.toHaveProperty('thaw');
  });

  test('small packs cost as much as the least that a class bills', async () => {
    const { vault } = await harbor();
    const points = await vault.withNeeds((await vault.pointsOfAll()).points);
    const small = points.map((point) => {
      const { ids } = point.needs.packs;
      const [[id]] = [...point.needs.packs] as [[string, number]];
      const part = packList(ids, Uint32Array.of(ids.find(id)!), Uint32Array.of(1000));
      return { ...point, needs: { ...point.needs, lists: [], packs: packsOf(ids, [part]) } };
    });
    const list = {
      className: 'STANDARD_IA',
      packs: pricesOf('AWS', 'STANDARD_IA', {})!,
      rest: pricesOf('AWS', 'STANDARD', {})!,
    };
    const distinct = new Set(small.flatMap(({ needs }) => [...needs.packs].map(([id]) => id))).size;
    expect(monthlyCost(small, list, now).storage).toBeCloseTo((distinct * 128 * 1024 * 0.0125) / GB, 7);
  });
});

test('a cold class is only advised where a lock keeps packs as long as is paid for, and an archive never without a word', () => {
  expect(objectionsTo('STANDARD', 0)).toEqual([]);
  expect(objectionsTo('SOMETHING', 0)).toEqual([]);
  expect(objectionsTo('GLACIER_IR', 90)).toEqual([]);
  expect(objectionsTo('GLACIER_IR', 30).join()).toMatch(/at least 90 days, and the lock keeps a pack 30 days/);
  expect(objectionsTo('STANDARD_IA', 0).join()).toMatch(/no lock of lifeboat.yaml keeps a pack that long/);
  expect(objectionsTo('DEEP_ARCHIVE', 400).join()).toMatch(/thawed for 12 to 48 hours/);
  expect(classNames.filter((name) => pricesOf('AWS', name, {}) === undefined)).toEqual([]);
});
