/** What would go, what goes, and what stops it. */
export type { Marks, PruneFacts, SweepPlan } from './decide.ts';
export { removeDeadIndexes } from './indexes.ts';
export { type LockedNow, lockedNow } from './locked.ts';
export type { LogFacts } from './logs.ts';
export type { Place } from './place.ts';
export {
  type Pruned,
  type PrunePlan,
  type PruneSurvey,
  planPrune,
  planSweep,
  prunePointOf,
  pruneVault,
  refuseNewer,
  surveyVault,
  unreadLists,
} from './prune.ts';
export { removeWhole } from './remove.ts';
export { sparsePacks } from './sparse.ts';
export type { Swept } from './sweep.ts';
