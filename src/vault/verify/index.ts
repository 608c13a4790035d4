/** Comparing every place with what the records say, and putting sound copies where one is not. */
export type { DamagedObject, Healers } from './heal.ts';
export { type Verified, verifyVault } from './verify.ts';
export type { WrongPack } from './wrong-packs.ts';
