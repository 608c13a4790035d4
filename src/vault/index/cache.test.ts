import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temp.ts';
import type { IndexedPack } from '../format/index-delta.ts';
import { type IndexCache, openIndexCache } from './cache.ts';

const idOf = (byte: number) => new Uint8Array(20).fill(byte);
const packOf = (digit: string, chunks: readonly number[]): IndexedPack => ({
  id: digit.repeat(64),
  sizeBytes: 1000 + chunks.length,
  kind: 'data',
  toc: {
    frames: [{ compressedLength: 500, rawLength: 10 * chunks.length, chunkCount: chunks.length }],
    chunks: {
      ids: new Uint8Array(Buffer.concat(chunks.map(idOf))),
      lengths: Uint32Array.from(chunks, () => 10),
    },
  },
});
const epoch = 'e'.repeat(64);
const [one, two] = [packOf('1', [3, 1, 2]), packOf('2', [4])];

let file: string;
let index: IndexCache;

function opened(identity = 'vault writer'): IndexCache {
  const cache = openIndexCache(file, identity);
  cache.useOnlyOf(new Set([epoch]));
  return cache;
}

beforeEach(async () => {
  file = `${await temporaryFolder()}/index.sqlite`;
  index = opened();
  onTestFinished(() => index.close());
});

describe('a chunk is found', () => {
  test('in the order of its pack, where every destination in use holds that pack', () => {
    index.addPack(one, ['disk', 'nas'], epoch);
    index.addPack(two, ['disk'], epoch);
    index.useOnlyHeldBy(['disk', 'nas']);
    expect(index.find(idOf(1))).toEqual({ pack: one.id, offset: 10, length: 10 });
    expect(index.find(idOf(4))).toBeUndefined();
    expect([index.hasPack(one.id), index.hasPack(two.id)]).toEqual([true, false]);
    index.useOnlyHeldBy(['disk']);
    expect(index.find(idOf(4))).toEqual({ pack: two.id, offset: 0, length: 10 });
    expect(index.find(idOf(9))).toBeUndefined();
  });

  test('only in packs of the epochs that everybody opens', () => {
    index.addPack(one, ['disk'], epoch);
    index.addPack(two, ['disk'], 'f'.repeat(64));
    index.useOnlyHeldBy(['disk']);
    expect([index.find(idOf(1))?.pack, index.find(idOf(4))]).toEqual([one.id, undefined]);
    expect([index.epochOf(one.id), index.epochOf(two.id)]).toEqual([epoch, 'f'.repeat(64)]);
    index.useOnlyOf(new Set(['f'.repeat(64)]));
    expect([index.find(idOf(1)), index.hasPack(one.id), index.find(idOf(4))?.pack]).toEqual([undefined, false, two.id]);
  });

  test('nowhere while no destination is in use', () => {
    index.addPack(one, ['disk'], epoch);
    expect(index.find(idOf(1))).toBeUndefined();
    index.useOnlyHeldBy([]);
    expect(index.find(idOf(1))).toBeUndefined();
  });

  test('no more once its pack was lost, and again in a newer pack', () => {
    index.addPack(one, ['disk'], epoch);
    index.useOnlyHeldBy(['disk']);
    expect(index.find(idOf(1))?.pack).toBe(one.id);
    index.forgetHolder('disk', one.id);
    expect([index.find(idOf(1)), index.hasPack(one.id)]).toEqual([undefined, false]);
    const again = packOf('3', [1]);
    index.addPack(again, ['disk'], epoch);
    expect(index.find(idOf(1))).toEqual({ pack: again.id, offset: 0, length: 10 });
  });

  test('as soon as a lagging destination got its pack', () => {
    index.addPack(one, ['disk'], epoch);
    index.useOnlyHeldBy(['disk', 'nas']);
    expect([index.find(idOf(1)), index.hasPack(one.id)]).toEqual([undefined, false]);
    expect(index.missingAt('nas')).toEqual([one.id]);
    index.addHolder(one.id, 'nas');
    expect(index.find(idOf(1))?.pack).toBe(one.id);
    expect(index.hasPack(one.id)).toBe(true);
    expect(index.missingAt('nas')).toEqual([]);
  });
});

test('what nobody holds is missing nowhere: there is nothing to copy', () => {
  index.addPack(one, [], epoch);
  expect(index.missingAt('nas')).toEqual([]);
  index.addPack(one, ['disk'], epoch);
  expect(index.missingAt('nas')).toEqual([one.id]);
  index.forgetHolder('disk');
  expect(index.missingAt('nas')).toEqual([]);
});

test('everything is there when it is opened again, and nothing for another vault or writer', () => {
  index.addPack(one, ['disk'], epoch);
  index.set('last record', 'snapshots/x');
  index.close();
  index = opened();
  index.useOnlyHeldBy(['disk']);
  expect([index.get('last record'), index.packSize(one.id)]).toEqual(['snapshots/x', 1003]);
  expect(index.find(idOf(2))).toEqual({ pack: one.id, offset: 20, length: 10 });
  index.close();
  index = opened('vault other');
  index.useOnlyHeldBy(['disk']);
  expect([index.get('last record'), index.packSize(one.id), index.find(idOf(2))]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

describe('a row that changed', () => {
  const spoilt = (sql: string) => {
    index.addPack(one, ['disk'], epoch);
    index.addPack(two, ['disk'], epoch);
    index.set('last record', 'x');
    index.close();
    using db = new DatabaseSync(file);
    db.exec(sql);
    index = opened();
    index.useOnlyHeldBy(['disk']);
  };

  test.for([
    ['offset of a chunk', 'UPDATE chunks SET offset = offset + 1'],
    ['length of a chunk', 'UPDATE chunks SET length = 11'],
    ['pack of a chunk', 'UPDATE chunks SET pack = 3 - pack'],
    ['id of a pack', "UPDATE packs SET id = replace(id, '11', '17')"],
    ['holder', 'UPDATE holders SET pack = 7 - pack'],
  ])('(%s) is as good as unknown', ([, sql]) => {
    spoilt(sql!);
    expect(index.find(idOf(1))).toBeUndefined();
  });

  test('a fact: the whole is put aside, with a code', () => {
    spoilt("UPDATE facts SET value = 'y' WHERE name = 'last record'");
    expect(() => index.get('last record')).toThrow(expect.objectContaining({ code: 'index-cache-damaged' }));
    index.close();
    expect([existsSync(file), existsSync(`${file}.unusable`)]).toEqual([false, true]);
    index = opened();
    expect(index.get('last record')).toBeUndefined();
  });
});
