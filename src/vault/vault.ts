import type { Destination } from '../destinations/destination.ts';
import type { Contents } from '../sources/source.ts';
import type { Ids } from './format/ids.ts';
import type { SnapshotRecord } from './format/record.ts';
import type { NeedsReader } from './hold/needs.ts';
import type { Doubt, Trust } from './trust.ts';

/** One restore point as found: its record, checked (signature, vault id), where copies of it are, and whether it is believed. */
export interface RestorePoint {
  readonly record: SnapshotRecord;
  readonly key: string;
  /** Names of the destinations that hold its record. */
  readonly destinations: readonly string[];
  /**
   * When it was first stored, by the store's clock, milliseconds since 1970 UTC: the earliest of the destinations that keep
   * versions, whose times nobody can change; where none does, of all that hold it.
   */
  readonly storedMs: number;
  /** Destinations that show it stored before it was made, while others' clocks fit: theirs is wrong, or lies. */
  readonly earlyAt: readonly string[];
  /** Empty: it is believed. Otherwise it is never the newest and takes no other's place (`newestPoint`, retention). */
  readonly doubts: readonly Doubt[];
}

/** An object that cannot be believed, or read. */
export interface Suspect {
  readonly key: string;
  readonly why: string;
  /** A known writer signed it for later programs: what it needs this one cannot know. */
  readonly newer?: boolean;
  /** It was read, and is no record of this vault. */
  readonly isJunk?: boolean;
}

export interface RestorePoints {
  readonly points: readonly RestorePoint[];
  readonly suspect: readonly Suspect[];
  /** Keys of what strangers signed for later programs: it says nothing, and is no reason to stop. */
  readonly strange?: readonly string[];
}

/** What one system has in a vault, which may serve several. */
export interface SystemReader {
  /** Oldest first, by believable time. Unreadable or forged records are left out and named in `suspect`. */
  restorePoints(dataset?: string): Promise<RestorePoints>;
}

/** The read side of a vault over all its reachable destinations. */
export interface VaultReader {
  readonly id: string;
  readonly destinations: readonly Destination[];
  /** Whose records are believed. */
  readonly trust: Trust;
  /** In which the packs of its restore points are counted. */
  readonly ids: Ids;
  /** What restore points need: a record only names the lists that tell it. */
  readonly withNeeds: NeedsReader;
  /** Of every system: for whoever deletes, copies or judges. Whoever looks for his own asks `of`. */
  pointsOfAll(): Promise<RestorePoints>;
  of(system: string): SystemReader;
  /** The same vault, its records judged by others' keys. */
  judgedBy(trust: Trust): VaultReader;
  /** Opens the contents of a restore point with age identities (`AGE-SECRET-KEY-…` lines). Any sound copy serves. */
  open(point: RestorePoint, identities: readonly string[]): Promise<Contents>;
}
