/** One answer for every kind of object: listed, needed, sound, put. */
export { type Damage, spoiledCodes } from './fetch-sound.ts';
export { createIdSet, type SomeIds } from './id-set.ts';
export { allAt, listHeld, type Sizes, sizesAt } from './listing.ts';
export { type NeedsReader, namedByRecord, neededTogether, type WithNeeds } from './needs.ts';
export { putConfirmed } from './put-confirmed.ts';
