import type { Key } from '../../destinations/destination.ts';
import type { SnapshotRecord } from '../format/record.ts';

/** A record, as far as a chain goes. */
export interface Link {
  readonly key: Key;
  /** SHA-256 (hex) of it as stored: the next record of its writer names it. */
  readonly hash: string;
  readonly record: Pick<SnapshotRecord, 'writer' | 'previous'>;
  /** Nobody who is known signed it: what it says was before it is nobody's loss. */
  readonly strange?: boolean;
}

/** A writer's chain names a record that nobody knows. */
export interface Gap {
  readonly key: Key;
  readonly writer: string;
  /** Hash of the record that is missing. */
  readonly previous: string;
}

/**
 * Each record names the one that its writer wrote before it. A name that no record has means that one was taken away. The newest of all
 * can vanish unseen by this: the writing host and the other destinations notice that.
 * @param removed hashes of records that prunes said to remove: their absence is no gap
 */
export function chainGaps(links: readonly Link[], removed: ReadonlySet<string>): Gap[] {
  const known = new Set(links.map(({ hash }) => hash));
  return links.flatMap(({ key, strange, record: { previous, writer } }) =>
    strange || previous === null || known.has(previous) || removed.has(previous) ? [] : [{ key, writer, previous }],
  );
}
