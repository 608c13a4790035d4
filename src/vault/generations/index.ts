/** What prunes said: read by whoever writes, copies, verifies or shows. */
export { Foreign, type Listed, readBelieved } from './believed.ts';
export { type Generations, listGenerations, newestNumber } from './generations.ts';
export { type GenerationView, mayReuse, mustLookAnew, plausible, readView, withdrawnOf, withdraws } from './view.ts';
