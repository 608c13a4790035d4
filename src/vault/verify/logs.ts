import type { Key } from '../../destinations/destination.ts';
import { spanOf } from '../format/cover.ts';
import { logKey } from '../format/keys.ts';
import type { FoundCover } from '../logs/covers.ts';
import { type Floors, historyOfSpan, isLetGo } from '../logs/floors.ts';

interface Told {
  readonly key: Key;
  readonly why: string;
}

/** What there should be of logs. */
export interface LogsFound {
  /** Pieces, with their sizes, and the covers that name them: they belong on every place. What a prune lets go of does not. */
  readonly pieces: ReadonlyMap<Key, number>;
  readonly covers: ReadonlySet<Key>;
  /** Covers whose predecessor was taken away. */
  readonly suspect: readonly Told[];
  /** What its writer never stored, and numbers that do not follow. */
  readonly doubtful: readonly Told[];
}

export function judgeLogs(found: readonly FoundCover[], floors: Floors): LogsFound {
  const pieces = new Map<Key, number>();
  const needed = found.filter(({ cover }) => !isLetGo(floors, spanOf(cover, cover.first, cover.last)));
  for (const { cover } of needed) {
    for (const [start, end, id, sizeBytes] of cover.pieces) {
      const span = spanOf(cover, start, end);
      if (!isLetGo(floors, span)) pieces.set(logKey(span, id), sizeBytes);
    }
  }
  const byHash = new Map(found.map((one) => [one.hash, one]));
  const suspect: Told[] = [];
  const doubtful: Told[] = [];
  const first = new Map<string, FoundCover>();
  for (const one of needed) {
    const { key, cover } = one;
    const { previous, after, sequence, writer, timeline } = cover;
    const place = `${historyOfSpan(cover)} ${timeline} ${writer} ${sequence}`;
    const rival = first.get(place);
    if (rival !== undefined) doubtful.push({ key, why: `it has the number of ${rival.key}` });
    else first.set(place, one);
    if (previous === null || after === null) continue;
    if (after < cover.first)
      doubtful.push({ key, why: `of the log from ${after} to ${cover.first} nothing was stored` });
    const before = byHash.get(previous)?.cover;
    // What was let go of need not be there; where the one before ended this one says itself.
    if (before === undefined && after > (floors.get(historyOfSpan(cover)) ?? '')) {
      suspect.push({ key, why: 'the cover that its writer stored before it is missing' });
    } else if (before !== undefined && (before.sequence + 1 !== sequence || before.last !== after)) {
      doubtful.push({ key, why: 'its number, or where it goes on from, is not that of the cover before it' });
    }
  }
  return { pieces, covers: new Set(needed.map(({ key }) => key)), suspect, doubtful };
}
