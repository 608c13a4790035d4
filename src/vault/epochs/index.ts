/** Who may open which part of the history. */
export { sealEpochKey, speakingKeyOf } from './epoch.ts';
export { believedEpochs, type GrantedEpoch, newestOf, openersOf } from './grants.ts';
export { openEpochs } from './open.ts';
