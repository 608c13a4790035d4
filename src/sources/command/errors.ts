import { defineError } from '../../core/errors.ts';

export const outputNotWhole = defineError({
  code: 'output-not-whole',
  about: 'backup',
  exit: 2,
  say: (fact: { command: string; why: string }) =>
    `What '${fact.command}' printed is not whole: ${fact.why}. No restore point is taken of it.`,
  hint: () => "Run it by hand and look at what it prints; 'whole' of the dataset says what is expected.",
});

export const outputHasNoPlace = defineError({
  code: 'output-has-no-place',
  about: 'person',
  exit: 64,
  say: () => 'Nothing says where the output of a command goes back to.',
  hint: () => "Name a file with --into, or give the dataset 'restore' (a command that reads it) or 'file'.",
});

export const outputStillThere = defineError({
  code: 'output-still-there',
  about: 'person',
  exit: 2,
  say: (fact: { command: string; restore: string }) =>
    `'${fact.command}' prints something whole already, and other than what would come back. '${fact.restore}' was not run.`,
  hint: () => 'Look at it first: --into FILE. Then --force, if it shall take in what is in the backup.',
});
