import { dayMs } from '../core/duration.ts';

/**
 * What keeps a prune from taking away what a restore point needs. All are in force always; they have names so that
 * test/prune/model.test.ts can leave out each of them once and show that data is lost without it.
 */
export interface PruneRules {
  /** The writer never uses a pack again that the newest generation names. */
  readonly writerHeeds: boolean;
  /** A writer that meets a new generation looks anew at what the destinations hold. */
  readonly writerLooksAnew: boolean;
  /** A writer remembers the newest generation it saw: a destination that lags does not set it back. */
  readonly writerRemembers: boolean;
  /** Only what was marked longer ago than uploads can be under way is removed. */
  readonly grace: boolean;
  /** Only what was marked before the newest record of every writer is removed. */
  readonly everyWriterPassed: boolean;
  /** A writer that has stored an index and never a record counts as one that has not passed. */
  readonly newWriters: boolean;
  /** What any record needs is not removed, whatever was marked. */
  readonly lookAgain: boolean;
  /** What was marked and taken back is used by no new restore point: a prune that was stopped may still remove it. */
  readonly takenBackRests: boolean;
  /** While a destination is out of reach nothing is removed elsewhere if a writer's chain has a gap: it may be there. */
  readonly noGaps: boolean;
  /** The record goes first, and where it cannot go, what it needs stays. */
  readonly recordFirst: boolean;
  /** Logs go after the last record that needs them. */
  readonly logsAfterRecords: boolean;
}

export const allRules: PruneRules = {
  writerHeeds: true,
  writerLooksAnew: true,
  writerRemembers: true,
  grace: true,
  everyWriterPassed: true,
  newWriters: true,
  lookAgain: true,
  takenBackRests: true,
  noGaps: true,
  recordFirst: true,
  logsAfterRecords: true,
};

/** How long what was marked stays, by the store's clock. Longer than any upload can be under way. */
export const graceMs = 3 * dayMs;

/** What no restore point needs is marked once it is so old: before, a backup that was interrupted may use it again. */
export const leastAgeMs = 2 * dayMs;
