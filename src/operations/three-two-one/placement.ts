import { sentenceOf } from '../../core/errors.ts';
import { type CopyFacts, judgePlacement, type ThreeTwoOne } from '../../core/three-two-one.ts';
import type { OpenSystem } from '../system.ts';
import { placementFacts } from './facts.ts';

export interface Placement extends ThreeTwoOne {
  /** Production first, then the destinations in the order of the file. */
  readonly facts: readonly CopyFacts[];
  /** Destinations that did not answer: of what they can do nothing is known. */
  readonly unreachable: ReadonlyArray<{ readonly destination: string; readonly why: string }>;
}

/** Looks where the copies lie and what they could be lost together with. Needs no key, changes nothing. */
export async function lookAtPlacement(system: OpenSystem): Promise<Placement> {
  const { opened, failed } = await system.destinations({ create: false, role: 'reader' });
  const facts = await placementFacts(system.config, opened);
  const unreachable = failed.map(({ name, error }) => ({ destination: name, why: sentenceOf(error) }));
  return { ...judgePlacement(facts), facts, unreachable };
}
