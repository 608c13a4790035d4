/** How many restore points of one dataset are kept. Each rule keeps on its own; a point is dropped only when no rule keeps it. */
export interface Retention {
  /** The newest so many, whatever their age. At least 1. */
  readonly last: number;
  /** The newest point of each of the newest so many hours, days … (UTC) that have one. */
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
  /** Everything younger than this. */
  readonly withinMs?: number;
}

export const defaultRetention: Retention = { last: 3, hourly: 24, daily: 7, weekly: 4, monthly: 12, yearly: 0 };
