import type { Problem } from '../core/run.ts';

/**
 * What happened on this host: runs, and the rotation of verifications. Told by operations, read by `status`. It is a memory,
 * not a truth: what can be restored and what was proved stands in the vault, and a lost catalog costs history only.
 */
export interface Catalog extends Disposable {
  /** Set when the file was unusable and a new one was begun; the old one was moved aside, not deleted. */
  readonly recovered?: Problem;

  /** Notes that a run begins. @returns its id */
  begin(run: BegunRun): string;
  /** Notes how it ended. Call once. */
  end(id: string, run: EndedRun): void;
  /** Newest first. A run whose process is gone without a word is `vanished`. */
  runs(wanted?: { readonly operation?: string; readonly dataset?: string; readonly limit?: number }): RunRecord[];

  /** Notes that part `part` of `parts` (counted from 1) of a vault was verified. */
  verified(part: VerifiedPart): void;
  /** The part to verify next, so that every part has its turn: one that never had it, else the one longest ago. */
  nextPart(vault: string, parts: number): number;
  /** How far the rotation is, over the parts that were last verified by; undefined before the first. */
  rotation(vault: string): Rotation | undefined;

  /** Notes how a destination was found by work that used it. */
  noteDestination(seen: SeenDestination): void;
  /** What is known of each destination that was ever used from here. */
  destinations(): DestinationHealth[];
}

export interface SeenDestination {
  readonly name: string;
  readonly seenMs: number;
  /** Absent when it did all that was asked of it. */
  readonly trouble?: Problem;
}

export interface DestinationHealth {
  readonly name: string;
  readonly seenMs: number;
  /** When it last did all that was asked; absent when it never did. */
  readonly goodMs?: number;
  /** `sinceMs`: the first of the failures without a success between them. */
  readonly trouble?: Problem & { readonly sinceMs: number };
}

export interface BegunRun {
  /** `backup`, `restore`, `verify`, `drill` … */
  readonly operation: string;
  readonly dataset?: string;
  readonly startedMs: number;
}

type RunOutcome = 'done' | 'no' | 'failed' | 'interrupted';

export interface EndedRun {
  readonly endedMs: number;
  readonly outcome: RunOutcome;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  /** The restore point that it made or used. */
  readonly restorePoint?: string;
  readonly steps: ReadonlyArray<{ readonly step: string; readonly elapsedMs: number }>;
  readonly problems: readonly Problem[];
}

export interface RunRecord extends BegunRun, Partial<EndedRun> {
  readonly id: string;
  readonly state: RunOutcome | 'running' | 'vanished';
}

export interface VerifiedPart {
  readonly vault: string;
  readonly part: number;
  readonly parts: number;
  readonly verifiedMs: number;
  readonly ok: boolean;
}

export interface Rotation {
  /** Parts that were found sound the last time they were looked at. */
  readonly sound: number;
  readonly damaged: readonly number[];
  readonly parts: number;
  /** When the part seen longest ago was seen; absent until every part had its turn. */
  readonly completeSinceMs?: number;
}
