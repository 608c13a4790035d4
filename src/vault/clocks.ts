import type { RestorePoint } from './vault.ts';

/** Two destinations whose clocks cannot both be right, and about how many restore points. */
export interface ClockDispute {
  /** It shows them stored before they were made. */
  readonly early: string;
  readonly other: string;
  readonly count: number;
}

export function clockDisputes(points: readonly RestorePoint[]): ClockDispute[] {
  const disputes = new Map<string, ClockDispute>();
  for (const { destinations, earlyAt } of points) {
    const other = destinations.find((name) => !earlyAt.includes(name));
    if (other === undefined) continue;
    for (const early of earlyAt) {
      const pair = `${early} ${other}`;
      disputes.set(pair, { early, other, count: (disputes.get(pair)?.count ?? 0) + 1 });
    }
  }
  return [...disputes.values()];
}
