import { defineError } from './errors.ts';

/** What is wrong with a text that a person wrote: a duration, a size, a moment, a condition. */

export const durationInvalid = defineError({
  code: 'duration-invalid',
  about: 'person',
  exit: 64,
  say: (fact: { text: string }) => `'${fact.text}' is not a duration.`,
  hint: () => 'Write a number and a unit: 90s, 15m, 4 hours, 30 days, 2 weeks.',
});

export const sizeInvalid = defineError({
  code: 'size-invalid',
  about: 'person',
  exit: 64,
  say: (fact: { text: string }) => `'${fact.text}' is not a size.`,
  hint: () => 'Write a number and a unit: 500 MB, 2 GiB, 64 KiB.',
});

export const momentInvalid = defineError({
  code: 'moment-invalid',
  about: 'person',
  exit: 64,
  say: (fact: { text: string; why: string }) => `'${fact.text}' is not a moment: ${fact.why}.`,
  hint: () =>
    "Write 'latest', '10 minutes ago', or a time with its offset: 2026-11-17T10:12:00Z, 2026-11-17 11:12+01:00.",
});

export const conditionInvalid = defineError({
  code: 'condition-invalid',
  about: 'person',
  exit: 64,
  say: (fact: { text: string; why: string }) => `'${fact.text}' says nothing that can be checked: ${fact.why}.`,
  hint: () => "Write '= 42', '>= 1', 'between 1 and 9', 'not empty', 'empty' or 'matches /^ok/'.",
});

export const variableUnset = defineError({
  code: 'variable-unset',
  about: 'person',
  exit: 2,
  say: (fact: { name: string; text: string }) => `\${${fact.name}} is not set. It is used in '${fact.text}'.`,
  hint: (fact) => `Set ${fact.name} in the environment, or give it a default: \${${fact.name}:-value}.`,
});
