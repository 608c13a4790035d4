import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import type { StoredEntry } from '../../core/entry.ts';
import { comparePaths, isInside } from '../../core/paths.ts';
import { encodeEntry } from '../format/entries.ts';
import type { BodyExtent, Manifest } from '../format/manifest.ts';
import { bodyText } from '../write/body-text.ts';
import { allEntries, entriesAround } from './body.ts';
import type { PackReader } from './contents.ts';

const metadata = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n };
const pack = (number: number) => number.toString(16).padStart(64, '0');

/** A list of folders and files, in pieces of `lengths` (over and over) that lie in turns in three packs. */
function stored(entries: readonly StoredEntry[], lengths: readonly number[]) {
  const text = bodyText();
  for (const entry of entries) text.add(entry.path, encodeEntry(entry, []));
  const bytes = Buffer.from(text.take());
  const packs = [Buffer.alloc(0), Buffer.alloc(7, 'x'), Buffer.alloc(0)];
  const extents: BodyExtent[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const piece = bytes.subarray(at, at + lengths[turn % lengths.length]!);
    const first = text.firstIn(piece.length);
    const offset = packs[turn % 3]!.length;
    extents.push({ pack: pack(turn % 3), offset, length: piece.length, ...(first && { first }) });
    packs[turn % 3] = Buffer.concat([packs[turn % 3]!, piece]);
    at += piece.length;
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const sizes = { logical: 0, added: 0, entries: entries.length };
  const manifest = { dataset: 'd', sizes, body: { sizeBytes: bytes.length, sha256, extents } } as unknown as Manifest;
  const got = { opened: 0, bytes: 0 };
  const reader: PackReader = {
    async get(id) {
      got.opened++;
      const raw = packs[Number.parseInt(id, 16)]!;
      return {
        toc: undefined as never,
        rawBytes: raw.length,
        close: () => {},
        *read(offset, length) {
          got.bytes += length;
          yield raw.subarray(offset, offset + length);
        },
      };
    },
  };
  return { manifest, reader, got, bytes };
}

const folder = (path: string): StoredEntry => ({ type: 'folder', path, ...metadata });
const pathsOf = async (entries: AsyncIterable<{ entry: StoredEntry }>) =>
  (await Array.fromAsync(entries)).map(({ entry }) => entry.path);

const somePaths = fc.uniqueArray(
  fc
    .array(fc.constantFrom('a', 'b', 'b!', 'c', '\xff'), { minLength: 1, maxLength: 4 })
    .map((names) => names.join('/')),
  { minLength: 1, maxLength: 60 },
);

describe('4.9: a list of entries', () => {
  test('is read whole, and in part gives all that is or lies in the chosen paths, however it was cut', async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(somePaths, lengths, fc.array(fc.nat(), { maxLength: 4 }), async (names, cuts, picks) => {
        const entries = names.sort(comparePaths).map(folder);
        const { manifest, reader } = stored(entries, cuts);
        expect(await pathsOf(allEntries(manifest, reader))).toEqual(names);
        const chosen = [...picks.map((pick) => names[pick % names.length]!), 'b/nowhere'];
        const read = await pathsOf(entriesAround(manifest, chosen, reader));
        const isChosen = (path: string) => chosen.some((one) => isInside(path, one));
        expect(read.filter(isChosen)).toEqual(names.filter(isChosen));
        expect(read).toEqual([...new Set(read)]);
      }),
    );
  });

  test('is not read to its end for one entry, and each pack is opened once for all of it', async () => {
    const names = Array.from({ length: 5000 }, (_, number) => `file ${String(number).padStart(6, '0')}`);
    const { manifest, reader, got, bytes } = stored(names.map(folder), [1500, 700, 2400]);
    expect(await pathsOf(entriesAround(manifest, [names[3210]!], reader))).toContain(names[3210]);
    expect(got.bytes).toBeLessThan(bytes.length / 50);
    Object.assign(got, { opened: 0, bytes: 0 });
    await pathsOf(allEntries(manifest, reader));
    // Each is asked for once ahead, too.
    expect(got).toEqual({ opened: 5, bytes: bytes.length });
  });

  test('that begins elsewhere than its manifest says is refused', async () => {
    const names = Array.from({ length: 40 }, (_, number) => `file ${String(number).padStart(2, '0')}`);
    const { manifest, reader } = stored(names.map(folder), [120, 20, 10]);
    const { extents } = manifest.body;
    const without = ({ first: _, ...extent }: BodyExtent): BodyExtent => extent;
    const changes = extents.flatMap(({ first, ...extent }, index): BodyExtent[][] => {
      const instead = (piece: BodyExtent) => [extents.with(index, piece)];
      if (first === undefined) return instead({ ...extent, first: { at: 3, path: 'file 00 more' } });
      const { at, path } = first;
      return [
        ...instead(without({ ...extent, first })),
        ...instead({ ...extent, first: { at: at + 1, path } }),
        ...instead({ ...extent, first: { at, path: `${path} more` } }),
      ];
    });
    expect(changes.length).toBeGreaterThan(60);
    for (const changed of changes) {
      const wrong = { ...manifest, body: { ...manifest.body, extents: changed } };
      await expect(pathsOf(allEntries(wrong, reader))).rejects.toMatchObject({ code: 'content-damaged' });
    }
  });

  test('4.11: that holds more or less than its manifest says is refused', async () => {
    const { manifest, reader } = stored([folder('a'), folder('b')], [50]);
    for (const wrong of [{ entries: 1 }, { entries: 3 }, { logical: 1 }]) {
      const other = { ...manifest, sizes: { ...manifest.sizes, ...wrong } };
      await expect(pathsOf(allEntries(other, reader))).rejects.toMatchObject({ code: 'content-damaged' });
    }
  });
});
