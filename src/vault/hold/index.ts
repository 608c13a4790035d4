/** One answer for every kind of object: listed, needed, sound, put. */
export { chainGaps } from './chain.ts';
export { type Damage, spoiledCodes } from './fetch-sound.ts';
export { allAt, type Holdings } from './holdings.ts';
export { createIdSet, type SomeIds } from './id-set.ts';
export { listHeld } from './listing.ts';
export {
  type Counted,
  countedTogether,
  type NeedsReader,
  namedByRecord,
  neededTogether,
  type WithNeeds,
} from './needs.ts';
export { putConfirmed } from './put-confirmed.ts';
export { type Sizes, sizesAt } from './sizes.ts';
