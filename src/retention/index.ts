/** What stays and what goes, asked once for prune, keep, copy, status and list. */
export { floodIn, lastPruneMs, tooLarge } from './brakes.ts';
export { pruneFlood, pruneTooLarge } from './errors.ts';
export { reasonText } from './kept-points.ts';
export { isLagging, type Lag, lagsOf, missingFor } from './lag.ts';
export { type DatasetPlan, freedBy, lastOfWriters, planFor, type RetentionPlan } from './plan.ts';
export { allowanceOf, measuredOf, measuredPoints, type Settled, settledOf, weighPoints } from './weigh.ts';
