import { defineError } from '../../core/errors.ts';
import { countOf } from '../../core/size.ts';

export const pruneMet = defineError({
  code: 'prune-met',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; generation: number }) =>
    `Another prune wrote generation ${fact.generation} to ${fact.destination} at the same time. This one stopped and deleted nothing.`,
  hint: () => "Let the other one end. The next 'lifeboat prune' goes on where both stopped.",
});

export const pruneSuspect = defineError({
  code: 'prune-suspect',
  about: 'backup',
  exit: 2,
  say: (fact: { found: ReadonlyArray<{ readonly key: string; readonly why: string }> }) => {
    const [first] = fact.found;
    const more = fact.found.length > 1 ? ` And ${countOf(fact.found.length - 1, 'thing')} more.` : '';
    return `Nothing was deleted: ${first?.key} cannot be believed: ${first?.why}.${more}`;
  },
  hint: () => "Run 'lifeboat verify'. What a record needs is not known while it cannot be read, so everything stays.",
});

export const pruneNewer = defineError({
  code: 'prune-newer',
  about: 'person',
  exit: 2,
  say: (fact: { key: string; why: string }) =>
    `Nothing was deleted: what a newer Lifeboat needs is not known. ${fact.key}: ${fact.why}`,
  hint: () => 'Upgrade Lifeboat on this machine, then prune.',
});

export const pruneUnwritten = defineError({
  code: 'prune-unwritten',
  about: 'place',
  exit: 2,
  say: (fact: { why: string }) => `No destination took the list of what shall be deleted, so nothing was: ${fact.why}`,
  hint: () => "Run 'lifeboat check'. The pruner's credentials must be allowed to write below gc/.",
});
