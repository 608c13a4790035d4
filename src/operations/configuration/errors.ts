import { defineError } from '../../core/errors.ts';

export const configurationUnusable = defineError({
  code: 'configuration-unusable',
  about: 'backup',
  exit: 2,
  say: (fact: { why: string }) => `The configuration in the vault cannot be brought back: ${fact.why}.`,
  hint: () => 'Take an earlier one with --at MOMENT, or another copy of the vault.',
});
