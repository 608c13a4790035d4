import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { changed } from '../../../test/support/fuzz.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { comparePaths } from '../../core/paths.ts';
import { type CachedFile, readTreeCache, writeTreeCache } from './tree-cache.ts';

const pack = 'ab'.repeat(32);

const cachedFile = (path: string): CachedFile => ({
  path,
  fingerprint: `12:34:${path.length}:7`,
  sizeBytes: 4100,
  sha256: 'cd'.repeat(32),
  extents: [
    { pack, offset: 7, length: 100 },
    { pack: null, offset: 0, length: 4000 },
  ],
});

const bytePath = fc
  .array(fc.string({ unit: fc.nat(254).map((code) => String.fromCharCode(code + 1)), minLength: 1, maxLength: 12 }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((names) => names.map((name) => name.replaceAll('/', '_')).join('/'));

async function written(files: readonly CachedFile[]): Promise<string> {
  const file = `${await temporaryFolder()}/trees/uploads`;
  const writer = writeTreeCache(file);
  for (const one of files) writer.add(one);
  writer.keep();
  return file;
}

function found(file: string, paths: readonly string[]): (CachedFile | undefined)[] {
  const reader = readTreeCache(file);
  const result = paths.map((path) => reader.find(path));
  reader.close();
  return result;
}

test('every file is found again by its path, whatever bytes it has', async () => {
  const file = `${await temporaryFolder()}/uploads`;
  fc.assert(
    fc.property(fc.uniqueArray(bytePath, { maxLength: 40 }), (paths) => {
      const files = paths.toSorted(comparePaths).map(cachedFile);
      const writer = writeTreeCache(file);
      for (const one of files) writer.add(one);
      writer.keep();
      expect(
        found(
          file,
          files.map(({ path }) => path),
        ),
      ).toEqual(files);
    }),
    { numRuns: 60 },
  );
});

test('files that came, went or were never there are not found, and the others are', async () => {
  const file = await written(['b', 'd', 'f'].map(cachedFile));
  expect(found(file, ['a', 'b', 'c', 'e', 'f', 'g']).map((one) => one?.path)).toEqual([
    undefined,
    'b',
    undefined,
    undefined,
    'f',
    undefined,
  ]);
});

test('many blocks are read side by side', async () => {
  const files = Array.from({ length: 20_000 }, (_, number) => cachedFile(String(100_000 + number)));
  const file = await written(files);
  expect(
    found(
      file,
      files.map(({ path }) => path),
    ),
  ).toEqual(files);
});

test('damage never throws and never gives what was not written', async () => {
  const files = Array.from({ length: 30 }, (_, number) => cachedFile(`file${100 + number}`));
  const file = await written(files);
  const valid = readFileSync(file);
  fc.assert(
    fc.property(changed(valid), (bytes) => {
      writeFileSync(file, bytes);
      for (const [index, one] of found(
        file,
        files.map(({ path }) => path),
      ).entries()) {
        if (one !== undefined) expect(one).toEqual(files[index]);
      }
    }),
    { numRuns: 500 },
  );
});

test('a folder in its place, or nothing, is an empty cache', async () => {
  const folder = await temporaryFolder();
  mkdirSync(`${folder}/uploads`);
  expect(found(`${folder}/uploads`, ['a'])).toEqual([undefined]);
  expect(found(`${folder}/absent`, ['a'])).toEqual([undefined]);
});

test('a run that failed leaves the cache of the last one', async () => {
  const file = await written([cachedFile('a')]);
  const writer = writeTreeCache(file);
  writer.add(cachedFile('b'));
  writer.discard();
  expect(found(file, ['a', 'b']).map((one) => one?.path)).toEqual(['a', undefined]);
});
