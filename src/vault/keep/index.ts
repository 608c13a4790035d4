/** Locks of objects: which shall hold how long, and making them longer. */
export { isKeptSmall, type KeptRestorePoint, lockNeeds } from './decide.ts';
export { type KeptLocks, keepLocks } from './keep.ts';
export { notingLocks } from './noting.ts';
