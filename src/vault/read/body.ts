import { createHash } from 'node:crypto';
import { type BytePath, comparePaths, isInside, isSafePath, showPath } from '../../core/paths.ts';
import { contentDamaged, unsafeEntry } from '../errors.ts';
import type { LocatedEntry } from '../format/entries.ts';
import { newEntryReader, type ReadEntry } from '../format/entry-lines.ts';
import type { BodyExtent, Manifest } from '../format/manifest.ts';
import type { PackReader } from './contents.ts';

/** So much of the body is put together at once: its pieces lie in turns in packs of many backups, and each is opened once for it. */
const WINDOW_BYTES = 16 * 1024 * 1024;

/** Whole entries, one after the other: the pieces that they lie in, and how many bytes of the body come before. */
interface Run {
  readonly at: number;
  readonly extents: readonly BodyExtent[];
}

/** All entries in order, and the body is what its manifest says. Errors: `content-damaged`, `entry-damaged`, `unsafe-entry` and those of packs. */
export async function* allEntries({ body, dataset, sizes }: Manifest, packs: PackReader): AsyncGenerator<LocatedEntry> {
  const hash = createHash('sha256');
  const check = entryCheck(body.extents);
  const reader = newEntryReader();
  const found = { entries: 0, bytes: 0 };
  function* counted(entries: Iterable<LocatedEntry>) {
    for (const located of entries) {
      found.entries++;
      if (located.entry.type === 'file') found.bytes += located.entry.sizeBytes;
      yield located;
    }
  }
  for await (const piece of bytesOf(body.extents, packs)) {
    hash.update(piece);
    yield* counted(check.next(reader.push(piece)));
  }
  if (hash.digest('hex') !== body.sha256) {
    throw contentDamaged({ what: `The list of entries of ${dataset}`, why: 'its SHA-256 is not the recorded one' });
  }
  yield* counted(check.next(reader.end()));
  check.end();
  if (found.entries !== sizes.entries || found.bytes !== sizes.logical)
    throw contentDamaged({
      what: `The list of entries of ${dataset}`,
      why: 'it holds another number of entries or bytes than its manifest says',
    });
}

/**
 * Entries in order, among them all that are or lie in one of `paths`: only what may hold them is read. Each pack is compared with its
 * name and the manifest says where in it entries begin, so nothing of the body's own SHA-256 is needed.
 */
export async function* entriesAround(
  { body }: Manifest,
  paths: readonly BytePath[],
  packs: PackReader,
): AsyncGenerator<LocatedEntry> {
  const check = entryCheck(body.extents);
  for (const { at, extents } of runsAround(body.extents, paths)) {
    check.skipTo(at);
    const reader = newEntryReader(at);
    for await (const piece of bytesOf(extents, packs)) yield* check.next(reader.push(piece));
    yield* check.next(reader.end());
  }
}

/** Runs that do not touch, in order. */
export function runsAround(extents: readonly BodyExtent[], paths: readonly BytePath[]): Run[] {
  /** Pieces in which entries begin: what begins in one comes before what begins in the next. */
  const begun: { readonly index: number; readonly start: number; readonly path: BytePath }[] = [];
  const starts: number[] = [];
  let bodyBytes = 0;
  for (const [index, { first, length }] of extents.entries()) {
    starts.push(bodyBytes);
    if (first !== undefined) begun.push({ index, start: bodyBytes + first.at, path: first.path });
    bodyBytes += length;
  }
  const runs: { from: number; to: number }[] = [];
  for (const path of paths.toSorted(comparePaths)) {
    const from = Math.max(0, countWhile(begun, (one) => comparePaths(one.path, path) <= 0) - 1);
    const to = countWhile(begun, (one) => comparePaths(one.path, path) <= 0 || isInside(one.path, path));
    const last = runs.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else if (to > from) runs.push({ from, to });
  }
  return runs.map(({ from, to }) => {
    const start = begun[from]!.start;
    const end = begun[to]?.start ?? bodyBytes;
    const firstIndex = begun[from]!.index;
    const pieces = extents.slice(firstIndex, (begun[to]?.index ?? extents.length) + 1).flatMap((extent, index) => {
      const pieceStart = starts[firstIndex + index]!;
      const skip = Math.max(0, start - pieceStart);
      const length = Math.min(extent.length, end - pieceStart) - skip;
      return length > 0 ? [{ pack: extent.pack, offset: extent.offset + skip, length }] : [];
    });
    return { at: start, extents: pieces };
  });
}

/** How many at the beginning of a list fit, where none does after one that does not. */
function countWhile<T>(items: readonly T[], fits: (item: T) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(items[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The bytes of these pieces, in order. */
async function* bytesOf(extents: readonly BodyExtent[], packs: PackReader): AsyncGenerator<Uint8Array> {
  for (const window of windowsOf(extents)) {
    const sizeBytes = window.reduce((sum, { length }) => sum + length, 0);
    const bytes = Buffer.allocUnsafe(sizeBytes);
    const byPack = new Map<string, { readonly to: number; readonly extent: BodyExtent }[]>();
    let to = 0;
    for (const extent of window) {
      const pieces = byPack.get(extent.pack) ?? [];
      pieces.push({ to, extent });
      byPack.set(extent.pack, pieces);
      to += extent.length;
    }
    const names = [...byPack.keys()];
    for (const [index, name] of names.entries()) {
      const pack = await packs.get(name);
      const following = names[index + 1];
      // The next pack is on its way while this one is taken apart; a failure is met when its turn comes.
      if (following !== undefined) packs.get(following).catch(() => {});
      for (const { to, extent } of byPack.get(name)!) {
        let at = to;
        for (const piece of pack.read(extent.offset, extent.length)) {
          bytes.set(piece, at);
          at += piece.length;
        }
      }
    }
    yield bytes;
  }
}

function* windowsOf(extents: readonly BodyExtent[]): Generator<BodyExtent[]> {
  let window: BodyExtent[] = [];
  let held = 0;
  for (const { pack, offset, length } of extents) {
    for (let done = 0; done < length; ) {
      const taken = Math.min(length - done, WINDOW_BYTES - held);
      window.push({ pack, offset: offset + done, length: taken });
      done += taken;
      held += taken;
      if (held < WINDOW_BYTES) continue;
      yield window;
      window = [];
      held = 0;
    }
  }
  if (held > 0) yield window;
}

/** Refuses entries that do not begin where the manifest says, are out of order, or lie in what is no folder. */
function entryCheck(extents: readonly BodyExtent[]) {
  let last: BytePath | undefined;
  /** The last that is no folder: in the order of entries what lies in it would come next. */
  let leaf: BytePath | undefined;
  let index = 0;
  let start = 0;
  let isMet = false;
  const misplaced = () =>
    contentDamaged({
      what: `Piece ${index} of a list of entries`,
      why: 'another entry begins there than its manifest says',
    });

  /** Goes on to the piece that byte `at` lies in. */
  function goTo(at: number): void {
    for (let piece = extents[index]; piece !== undefined && at >= start + piece.length; piece = extents[index]) {
      if (!isMet && piece.first !== undefined) throw misplaced();
      start += piece.length;
      index++;
      isMet = false;
    }
  }

  function checkPlace(at: number, path: BytePath): void {
    goTo(at);
    const first = extents[index]?.first;
    if (!isMet && (first === undefined || start + first.at !== at || first.path !== path)) throw misplaced();
    isMet = true;
  }

  return {
    *next(entries: readonly ReadEntry[]): Generator<LocatedEntry> {
      for (const located of entries) {
        const { path } = located.entry;
        if (!isSafePath(path)) throw unsafeEntry({ path: showPath(path) });
        if (last !== undefined && comparePaths(last, path) >= 0)
          throw contentDamaged({ what: showPath(path), why: 'it is out of order' });
        last = path;
        if (leaf !== undefined && isInside(path, leaf))
          throw contentDamaged({ what: showPath(path), why: `it lies in ${showPath(leaf)}, which is no folder` });
        if (located.entry.type !== 'folder') leaf = path;
        if (located.entry.type === 'hardlink' && comparePaths(located.entry.target, path) >= 0)
          throw contentDamaged({ what: showPath(path), why: 'it is another name of what comes after it' });
        checkPlace(located.at, path);
        yield located;
      }
    },
    /** Leaves out what is before byte `at`, the beginning of an entry. */
    skipTo(at: number): void {
      for (let piece = extents[index]; piece !== undefined && at >= start + piece.length; piece = extents[++index]) {
        start += piece.length;
        isMet = false;
      }
    },
    /** Nothing follows. */
    end: () => goTo(Number.POSITIVE_INFINITY),
  };
}
