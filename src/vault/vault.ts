import type { Destination } from '../destinations/destination.ts';
import type { Contents } from '../sources/source.ts';
import type { SnapshotRecord } from './format/record.ts';

/** One restore point as found: its record, checked (signature, vault id), and where copies of it are. */
export interface RestorePoint {
  readonly record: SnapshotRecord;
  readonly key: string;
  /** Names of the destinations that hold its record. */
  readonly destinations: readonly string[];
}

/** The read side of a vault over all its reachable destinations. */
export interface VaultReader {
  readonly id: string;
  readonly destinations: readonly Destination[];
  /** Oldest first. Unreadable or forged records are left out and named in `suspect`. */
  restorePoints(dataset?: string): Promise<{ points: RestorePoint[]; suspect: { key: string; why: string }[] }>;
  /** Opens the contents of a restore point with age identities (`AGE-SECRET-KEY-…` lines). Any sound copy serves. */
  open(point: RestorePoint, identities: readonly string[]): Promise<Contents>;
}
