import type { AcceptedWarning } from '../../core/accepted.ts';
import type { Weighed } from '../../core/anomalies.ts';
import type { Problem } from '../../core/run.ts';
import type { ThreeTwoOne } from '../../core/three-two-one.ts';
import type { Acceptance } from '../../ledger/acceptances.ts';
import type { PassedOver } from '../../vault/index.ts';

/** How things stand. The document of `lifeboat status --json`: fields are added, never renamed. */
export interface SystemStatus {
  readonly system: string;
  readonly environment: string;
  /** UTC, ISO 8601. */
  readonly at: string;
  /** Nothing bad and nothing to do: exit code 0. */
  readonly ok: boolean;
  /** If production disappeared now. */
  readonly answer: {
    /** False when no destination answers: then nothing is known of what they hold. */
    readonly known: boolean;
    /** The age of the oldest of the newest restore points; null when some dataset has none at all. */
    readonly lossMs: number | null;
    /** Datasets of which everything would be lost. */
    readonly withoutRestorePoint: readonly string[];
    /** How long the last proved drill of everything took; null when there is none, or what failed since was not drilled again. */
    readonly recoveryMs: number | null;
    /** Datasets that no drill has proved, alone or with others. */
    readonly unproved: readonly string[];
  };
  readonly proof: ProofStatus | null;
  /** The newest drill that failed, while what failed in it was not drilled again. */
  readonly failure: FailureStatus | null;
  /** The newest drill, when it is not the proof: it failed, found nothing out, or was of a part. */
  readonly lastDrill: { readonly id: string; readonly at: string; readonly verdict: string } | null;
  /** How much of the stored data was read and found sound, on this host; null before the first verification. */
  readonly verification: {
    readonly soundParts: number;
    readonly parts: number;
    /** When the part seen longest ago was seen; null until every part had its turn. */
    readonly completeSince: string | null;
  } | null;
  /** The newest copy of lifeboat.yaml in the vault, from which a bare machine begins; null when there is none. */
  readonly configuration: {
    readonly id: string;
    readonly time: string;
    readonly destinations: readonly string[];
  } | null;
  /** Worst first. */
  readonly datasets: readonly DatasetStatus[];
  readonly destinations: readonly DestinationStatus[];
  /** Absent until a keep has run, or where nothing has locks. */
  readonly locks?: readonly LockStatus[];
  readonly writers?: readonly WriterStatus[];
  /** Absent while no vault can be read. */
  readonly prune?: PruneStatus;
  /** Whether the copies keep the 3-2-1 rule, and what could be lost together. */
  readonly placement: ThreeTwoOne;
  /** Of each recipient of new backups; absent when no destination answers. */
  readonly keys?: readonly KeyStatus[];
  /** Warnings that the configuration says are right as they are; they are among no troubles. */
  readonly acceptedWarnings: readonly AcceptedWarning[];
  /** Of the system as a whole; those of a dataset stand with it. Worst first. */
  readonly troubles: readonly StatusTrouble[];
}

export interface KeyStatus {
  readonly recipient: string;
  /** The comment beside it in the configuration. */
  readonly label: string | null;
  /** It is at least this old; null when nothing is known of it. */
  readonly since: string | null;
  /** The newest proved drill that this key, alone, opened everything for. */
  readonly proved: { readonly at: string; readonly drill: string; readonly kind: 'daily' | 'escrow' } | null;
}

export interface DestinationStatus {
  readonly name: string;
  readonly location: string;
  readonly reachable: boolean;
  /** No restore point is protected without it. */
  readonly required: boolean;
  /** When it last did all that this host asked of it; null when that is not known. */
  readonly lastGood: string | null;
  /** Since when something fails there; null when nothing does. */
  readonly troubleSince: string | null;
  /** What it lacks of what the others hold; null when nothing, or when it does not answer. */
  readonly lag: {
    readonly restorePoints: number;
    /** At most: some of it may be there already. */
    readonly objects: number;
    readonly bytes: number;
    /** Since when it lacks the newest restore point of some dataset; null when it has gaps among older ones only. */
    readonly since: string | null;
    readonly ms: number | null;
  } | null;
}

/** What this host knows of the locks at a destination, from the last keep. */
export interface LockStatus {
  readonly destination: string;
  /** When the first lock of what restore points need ends; null where something was not locked. */
  readonly until: string | null;
  readonly keptAt: string;
}

/** How things stand with what the retention drops. */
export interface PruneStatus {
  /** When the newest prune marked, by the store's clock; null before the first. */
  readonly last: string | null;
  /** What the retention no longer keeps, when some of it could be gone for long and no prune ran since; else null. */
  readonly overdue: { readonly restorePoints: number; readonly objects: number; readonly bytes: number } | null;
  /** Writers that keep what is marked from going, for longer than is usual. */
  readonly waitsFor: readonly PruneWait[];
  /** Why the last prune from this host was stopped; null when it was not, or another came through since. */
  readonly stopped: { readonly at: string; readonly code: string; readonly message: string } | null;
}

export interface PruneWait {
  /** The id that `prune --retire` takes. */
  readonly writer: string;
  readonly isHere: boolean;
  /** When the first was marked that it has not seen. */
  readonly since: string;
  /** Of its restore points. */
  readonly datasets: readonly string[];
  readonly lastBackup: string;
  /** That were marked and wait for it. */
  readonly objects: number;
}

/** Who signed restore points. */
export interface WriterStatus {
  /** Ed25519 public key, base64. */
  readonly writer: string;
  readonly restorePoints: number;
  /** Null on a machine that knows no writer of this vault yet: there everyone is believed. */
  readonly known: boolean | null;
}

export interface ProofStatus {
  readonly id: string;
  readonly at: string;
  readonly checksPassed: number;
  readonly checksTotal: number;
  readonly rtoMs: number;
  readonly rtoObjectiveMs: number;
  /** Datasets that the configuration leaves out of drills: of them it proves nothing. */
  readonly left: readonly string[];
}

export interface FailureStatus {
  readonly drill: string;
  readonly at: string;
  /** Ids of the checks that failed. */
  readonly checks: readonly string[];
}

export interface DatasetStatus {
  readonly name: string;
  readonly type: string;
  readonly rpoMs: number;
  readonly rtoMs: number;
  /** The newest restore point; null when there is none. */
  readonly newest: {
    readonly id: string;
    readonly time: string;
    readonly sizeBytes: number;
    readonly destinations: readonly string[];
    /** Required destinations that do not hold it, or do not answer: it is protected when there are none. */
    readonly missingAt: readonly string[];
  } | null;
  readonly restorePoints: number;
  /** Newer ones than `newest` that are not believed, and why. */
  readonly passedOver: readonly PassedOver[];
  /** Null without a restore point: everything would be lost. */
  readonly lossMs: number | null;
  readonly provedAt: string | null;
  /** When a drill found it wrong, if none has looked at it since. */
  readonly failedAt: string | null;
  /** `lost`: most of what was there is gone, and nobody accepted that; `empty`: nothing is in it, so nothing is proved. */
  readonly data: Weighed['state'];
  /** What a person looked at and said is right, oldest first. */
  readonly accepted: readonly Omit<Acceptance, 'dataset' | 'system'>[];
  readonly troubles: readonly StatusTrouble[];
}

export interface StatusTrouble extends Problem {
  readonly severity: 'bad' | 'warning';
  /** What mends it. */
  readonly command: string;
}
