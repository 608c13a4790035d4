/** The kinds of checks that a drill makes. docs/proof.md says when each passes. */
export type CheckKind =
  | 'restored'
  | 'expectations'
  | 'integrity'
  | 'sql'
  | 'references'
  | 'freshness'
  | 'http'
  | 'command';

export type CheckVerdict = 'pass' | 'fail' | 'skip' | 'error';

export interface CheckResult {
  /** Unique in its drill: `app-db/expectations`, `invoices open`. */
  readonly id: string;
  readonly kind: CheckKind;
  /** The dataset whose data it proves; absent for checks of the whole application. */
  readonly dataset?: string;
  readonly verdict: CheckVerdict;
  /** What it looked at: rows, files, requests. A check that looked at nothing never passes, unless it says why it may. */
  readonly looked: number;
  /** Set where nothing to look at is right: an empty table recorded as empty. */
  readonly emptyIsRight?: boolean;
  /** An empty database would pass too: that nothing is wrong shows by itself not that anything is there. */
  readonly passesOnNothing?: boolean;
  readonly expected: string;
  readonly actual: string;
  /** One sentence for a tired person; names the table, file or request. */
  readonly message: string;
  /** Why it was skipped, in the operator's own words. A skip without it counts against the proof. */
  readonly reason?: string;
  readonly elapsedMs: number;
}

export type DrillVerdict = 'proved' | 'failed' | 'inconclusive';

/** Whether `check` proves something about data: not merely that something answered. */
export function isDataCheck(check: CheckResult): boolean {
  return check.kind === 'expectations' || check.kind === 'sql' || check.kind === 'references';
}
