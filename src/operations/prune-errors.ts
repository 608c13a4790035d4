import { defineError } from '../core/errors.ts';

export const noSuchPoint = defineError({
  code: 'restore-point-unknown',
  about: 'person',
  exit: 64,
  say: (fact: { id: string }) => `There is no restore point ${fact.id}.`,
  hint: () => "Run 'lifeboat list --json' to see the ids.",
});

export const notPinned = defineError({
  code: 'not-pinned',
  about: 'person',
  exit: 64,
  say: (fact: { id: string }) => `The restore point ${fact.id} is not pinned.`,
  hint: () => "Run 'lifeboat list' to see what keeps it.",
});

export const eraseNewest = defineError({
  code: 'erase-newest',
  about: 'person',
  exit: 64,
  say: (fact: { id: string }) =>
    `Nothing was erased: ${fact.id} is the newest restore point of its writer, and its chain hangs from it.`,
  hint: () =>
    "Remove the data at its source, run 'lifeboat backup', then erase again: the new restore point is without it.",
});

export const erasePinned = defineError({
  code: 'erase-pinned',
  about: 'person',
  exit: 64,
  say: (fact: { id: string; reason: string }) => `Nothing was erased: ${fact.id} is pinned (${fact.reason}).`,
  hint: (fact) => `If the pin may go: lifeboat unpin ${fact.id}, then erase again.`,
});

export const eraseNothing = defineError({
  code: 'erase-nothing',
  about: 'person',
  exit: 1,
  say: (fact: { dataset: string }) => `No restore point of ${fact.dataset} holds what was named. Nothing was erased.`,
  hint: () => "Paths are relative to the dataset. 'lifeboat list DATASET --files' prints them.",
});
