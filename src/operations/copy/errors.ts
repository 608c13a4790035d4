import { defineError } from '../../core/errors.ts';

export const noSuchDestination = defineError({
  code: 'no-such-destination',
  about: 'person',
  exit: 64,
  say: (fact: { destination: string; known: readonly string[] }) =>
    `There is no destination '${fact.destination}' in lifeboat.yaml.`,
  hint: (fact) => `There are: ${fact.known.join(', ')}.`,
});

export const nothingToCopyFrom = defineError({
  code: 'nothing-to-copy-from',
  about: 'place',
  exit: 2,
  say: (fact: { why: string }) => `There is no destination to copy from: ${fact.why}`,
  hint: () => "A copy needs a destination that holds the vault and another to fill. Run 'lifeboat check' to see each.",
});

export const copiesLagging = defineError({
  code: 'copies-lagging',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; why: string }) => `Destination ${fact.destination} is not up to date: ${fact.why}`,
  hint: (fact) => `'lifeboat copy --to ${fact.destination}' brings it up to date from the others.`,
});
