import type { System } from '../../config/system.ts';
import type { CheckResult, DrillVerdict } from '../../core/checks.ts';
import type { RandomBytes } from '../../core/clock.ts';
import type { DrillDetails, DrillEvidence, ObjectiveEvidence } from '../../core/evidence.ts';
import type { RecoveryPlan } from '../../core/plan.ts';
import type { Isolation, Sandbox } from '../../sandbox/sandbox.ts';
import type { Rehearsed } from '../../sources/engine.ts';
import type { Contents, Measurement, Source } from '../../sources/source.ts';
import type { RestorePoint, VaultReader } from '../../vault/index.ts';
import type { Scope } from './choose.ts';

/** What a drill works with. */
export interface DrillParts {
  readonly system: System;
  /** By the name of the dataset. */
  readonly sources: Readonly<Record<string, Source>>;
  readonly vault: VaultReader;
  readonly identities: readonly string[];
  /** `escrow`: the only identity was put together from shares. */
  readonly identityKind: 'daily' | 'escrow';
  /** Files that nothing in the sandbox may see, besides destinations and state: the identities' own. */
  readonly hidden: readonly string[];
  /** What tells this text from another in evidence that anyone may read. */
  fingerprint(text: string): string;
  /** Stores the evidence; see ./ledger.ts. */
  appendLedger(kind: 'drill', body: DrillEvidence, details: DrillDetails): Promise<{ readonly key: string }>;
  readonly stateDir: string;
  /** Name and version of this program. */
  readonly tool: string;
  readonly random: RandomBytes;
}

export interface DrillOptions {
  /** Names of datasets; all when empty. */
  readonly datasets: readonly string[];
  /** The newest restore points no younger than this, milliseconds since 1970 UTC; the newest of all when absent. */
  readonly atMs?: number;
  /** Starts the application although nothing keeps it from this host. Such a drill proves nothing. */
  readonly withoutIsolation: boolean;
  /** `manual`, `schedule` … */
  readonly trigger: string;
  /** Off: does without namespaces even where they can be had. */
  readonly namespaces?: boolean;
}

/** A dataset that was brought back into the sandbox. */
export interface Copy extends Rehearsed {
  readonly dataset: string;
  readonly kind: Source['kind'];
  readonly point: RestorePoint;
  readonly contents: Contents;
}

/** A drill under way. */
export interface Drill {
  readonly parts: DrillParts;
  readonly options: DrillOptions;
  readonly sandbox: Sandbox;
  /** Datasets that came back so far. */
  readonly copies: Map<string, Copy>;
  /** The newest record's time per dataset, where a freshness check found one; milliseconds since 1970 UTC. */
  readonly newest: Map<string, number>;
  /** Variables of the application and of templates: PORT, RESTORED_…. */
  readonly variables: Record<string, string>;
  /** Where links lead that no backup holds, absolute: hidden from the application. */
  readonly ledOut: Set<string>;
  /** Set once the application answers. */
  application?: { readonly origin: string };
  /** Set when it starts: which databases it did not open since, one sentence each. */
  neverOpened?: () => Promise<readonly string[]>;
  /** Texts that must not appear in any result. */
  readonly secrets: Set<string>;
  readonly notes: string[];
}

/** What a check found, without what its caller knows. */
export type Finding = Omit<CheckResult, 'id' | 'kind' | 'dataset' | 'elapsedMs'>;

export interface DrillOutcome {
  readonly id: string;
  readonly system: string;
  readonly verdict: DrillVerdict;
  /** Why it is not proved. */
  readonly why: readonly string[];
  readonly started: string;
  readonly checks: readonly CheckResult[];
  readonly phases: ReadonlyArray<{ readonly phase: string; readonly elapsedMs: number }>;
  /** From the first step to the last check. */
  readonly rtoMs: number;
  readonly objectives: readonly ObjectiveEvidence[];
  readonly objectivesMet: boolean;
  readonly datasets: DrillEvidence['scope']['datasets'];
  readonly left: DrillEvidence['scope']['left'];
  /** By dataset, which rule kept what out of its restore point. */
  readonly leftOut: NonNullable<DrillDetails['leftOut']>;
  readonly selection: DrillEvidence['scope']['selection'];
  readonly isolation: Isolation | null;
  readonly identity: NonNullable<DrillEvidence['identity']>;
  readonly plan: RecoveryPlan;
  readonly notes: readonly string[];
  /** Where the evidence is in the vault; null when it could not be stored, and `notes` says why. */
  readonly evidence: string | null;
}

/** What is known of a drill while it runs, besides what its steps work on. */
export interface Rehearsal {
  readonly id: string;
  readonly startedMs: number;
  readonly scope: Scope;
  readonly plan: RecoveryPlan;
  readonly results: CheckResult[];
  readonly phases: Map<string, number>;
  /** Milliseconds after the start at which the last check of a dataset ended. */
  readonly backAfterMs: Map<string, number>;
  readonly measured: Map<string, Measurement>;
  readonly elapsed: () => number;
}
