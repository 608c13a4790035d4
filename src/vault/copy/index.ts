/** Filling a place from others: what it lacks, what may go there, and bringing it. */
export { lockCopier } from '../lock.ts';
export { completeVault } from './complete-vault.ts';
export { type Copied, copyMissing } from './copy-missing.ts';
export { type CopyPlan, planCopy, type Wanted } from './plan.ts';
export { type SpreadRule, spreadRule, tellStrange, wantedBy } from './spread.ts';
export { withdrawnAt } from './withdrawn.ts';
