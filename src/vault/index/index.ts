/** What this host remembers of the packs that it wrote. */
export { distrustPacks, forgetObjects } from './forget.ts';
export { type PackEpochs, readPackEpochs } from './pack-epochs.ts';
