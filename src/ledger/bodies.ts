import type { PassedOverEvidence } from '../core/evidence.ts';

/** What entries of the audit log say in clear: names of datasets and ids, never a path, a table or a value. Numbers are whole. */

interface AnyBody {
  readonly system: string;
  readonly environment: string;
  readonly tool: string;
  /** UTC, ISO 8601; the entry's own time is when it ended. */
  readonly started: string;
}

export interface BackupBody extends AnyBody {
  readonly restorePoints: ReadonlyArray<{
    readonly dataset: string;
    readonly id: string;
    readonly storedBytes: number;
    readonly problems: number;
  }>;
  /** The restore point of the configuration; null when it had not changed. */
  readonly configuration: string | null;
  readonly failed: ReadonlyArray<{ readonly dataset: string; readonly code: string }>;
  /** Destinations that did not get all of it. */
  readonly behind: readonly string[];
}

export interface RestoreBody extends AnyBody {
  /** Whether it went to where it came from. */
  readonly target: 'original' | 'elsewhere';
  /** False: chosen paths or tables only. */
  readonly whole: boolean;
  /** Fingerprints of the recipients whose identities were given. */
  readonly keys: readonly string[];
  readonly restores: readonly RestoredBody[];
  /** Until everything was back; null when nothing was. */
  readonly rtoMs: number | null;
}

export interface RestoredBody {
  readonly dataset: string;
  readonly kind: string;
  /** `was back`: an interrupted recovery had brought it back before. */
  readonly outcome: 'done' | 'was back' | 'failed';
  /** Of the error. */
  readonly code?: string;
  readonly restorePoint?: string;
  /** Of the restore point. */
  readonly time?: string;
  /** Newer ones that were not believed; absent where the newest of all was taken. */
  readonly passedOver?: PassedOverEvidence;
  /** Each with the SHA-256 that was recorded. */
  readonly files?: number;
  readonly bytes?: number;
  readonly elapsedMs?: number;
  readonly backAfterMs?: number;
  readonly objectiveMs?: number | null;
  /** What reading it back from its place found; null when that was not asked for. */
  readonly compared?: { readonly verdict: string; readonly looked: number } | null;
}

export interface KeyBody extends AnyBody {
  readonly action: 'used';
  readonly by: string;
  readonly keys: readonly string[];
}

/** Of kind `configuration`. */
export interface ConfigurationBody {
  readonly system: string;
  readonly tool: string;
  /** Fingerprint of lifeboat.yaml, keyed by the host's secret, hex; null where this host had noted none. */
  readonly old: string | null;
  readonly new: string;
}
