import type { CheckKind, CheckResult, CheckVerdict, DrillVerdict } from './checks.ts';
import type { LeftOut } from './left-out.ts';

/**
 * What one drill leaves behind, for the ledger. This part is readable by everyone who can list the vault, so it names datasets
 * and checks as the configuration does, and holds no table, no path and no value; those are in `DrillDetails`, which is
 * sealed to the vault's recipients. Numbers are whole: milliseconds, bytes, counts.
 */
export interface DrillEvidence {
  readonly drill: {
    readonly id: string;
    readonly system: string;
    readonly environment: string;
    /** UTC, ISO 8601. */
    readonly started: string;
    readonly ended: string;
    readonly trigger: string;
    readonly tool: string;
    /** Keyed by a secret of the host that drilled: they tell a change, and nothing can be guessed from them. */
    readonly configurationFingerprint: string;
    readonly planFingerprint: string;
  };
  readonly scope: {
    readonly datasets: readonly DatasetEvidence[];
    readonly left: ReadonlyArray<{ readonly dataset: string; readonly reason: string }>;
    /** `newestSelected`, or which moment was chosen. */
    readonly selection: string;
  };
  /** With which keys everything was opened; absent in evidence of older versions. */
  readonly identity?: {
    /** `escrow`: put together from shares for this drill, and no other key was there. */
    readonly kind: 'daily' | 'escrow';
    /** Fingerprints of the recipients whose key, alone, opens all of these restore points. */
    readonly opened: readonly string[];
  };
  readonly place: PlaceEvidence;
  readonly objectives: readonly ObjectiveEvidence[];
  readonly phases: ReadonlyArray<{ readonly phase: string; readonly elapsedMs: number }>;
  /** From the first step to the last check. */
  readonly rtoMs: number;
  readonly checks: readonly CheckEvidence[];
  readonly steps: ReadonlyArray<{ readonly id: string; readonly notProved: string }>;
  readonly outcome: { readonly verdict: DrillVerdict; readonly reasons: number };
  readonly cleanUp: { readonly removed: boolean; readonly elapsedMs: number };
  /** Requirements of frameworks that such a record is asked for under. */
  readonly controls: readonly string[];
}

/** What a drill without `--at` takes. */
export const newestSelected = 'newest';

interface DatasetEvidence {
  readonly dataset: string;
  readonly kind: string;
  readonly restorePoint: string | null;
  readonly time: string | null;
  readonly manifestSha256: string | null;
  readonly logicalBytes: number;
  readonly destinations: readonly string[];
  /** What its restore point says that it lacks, by code. */
  readonly gaps?: Readonly<Record<string, number>>;
  /** What the configuration's rules kept out of it, all together; the rules are sealed. */
  readonly leftOut?: { readonly rules: number; readonly files: number; readonly bytes: number };
  /** Newer restore points that were not believed; null when the newest of all was taken. */
  readonly passedOver: PassedOverEvidence | null;
}

/** Newer restore points that another was chosen over. Known writers' first, then the newest, and no more than a few. */
export interface PassedOverEvidence {
  readonly count: number;
  readonly points: ReadonlyArray<{
    readonly restorePoint: string;
    readonly time: string;
    /** Codes of its doubts. */
    readonly reasons: readonly string[];
  }>;
}

interface PlaceEvidence {
  readonly isolation: 'namespaces' | 'user-namespaces' | 'none';
  readonly networkIsolated: boolean;
  readonly filesIsolated: boolean;
  /** What trying to get out showed: `tcp 192.0.2.1:443: ENETUNREACH`. */
  readonly tried: readonly string[];
  /** What it was held to, how, and which of it was hit: `memory`, 2147483648, `cgroup-v2`, false. */
  readonly limits: ReadonlyArray<{
    readonly of: string;
    readonly most: number;
    readonly by: string;
    readonly hit: boolean;
  }>;
  readonly versions: Readonly<Record<string, string>>;
}

export interface ObjectiveEvidence {
  readonly dataset: string;
  readonly rpoMs: number;
  readonly rpoMeasuredMs: number | null;
  /** What the loss was measured from: the newest record that the restore brought back, or the restore point's own time. */
  readonly rpoFrom: 'newest-record' | 'restore-point' | 'nothing';
  readonly rtoMs: number;
  readonly rtoMeasuredMs: number | null;
}

export interface CheckEvidence {
  readonly id: string;
  readonly kind: CheckKind;
  readonly dataset: string | null;
  readonly verdict: CheckVerdict;
  readonly looked: number;
  readonly emptyIsRight: boolean;
  readonly reason: string | null;
  readonly elapsedMs: number;
}

/** The rest of the evidence: sealed to the vault's recipients. */
export interface DrillDetails {
  readonly checks: ReadonlyArray<{
    readonly id: string;
    readonly expected: string;
    readonly actual: string;
    readonly message: string;
  }>;
  readonly why: readonly string[];
  /** By dataset: nothing of this comes back. */
  readonly leftOut?: ReadonlyArray<{ readonly dataset: string; readonly rules: readonly LeftOut[] }>;
  readonly notes: readonly string[];
}

export function isMet(objective: ObjectiveEvidence): boolean {
  const { rpoMs, rpoMeasuredMs, rtoMs, rtoMeasuredMs } = objective;
  return rpoMeasuredMs !== null && rpoMeasuredMs <= rpoMs && rtoMeasuredMs !== null && rtoMeasuredMs <= rtoMs;
}

export function checkEvidence(check: CheckResult): CheckEvidence {
  return {
    id: check.id,
    kind: check.kind,
    dataset: check.dataset ?? null,
    verdict: check.verdict,
    looked: Math.round(check.looked),
    emptyIsRight: check.emptyIsRight === true,
    reason: check.reason ?? null,
    elapsedMs: Math.round(check.elapsedMs),
  };
}

export const drillControls: readonly string[] = [
  'SOC 2 A1.3',
  'ISO 27001 A.8.13',
  'NIST 800-53 CP-4, CP-9(1), CP-10',
  'HIPAA 164.308(a)(7)(ii)(B), (D)',
];
