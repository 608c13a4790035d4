import { defineError } from '../../core/errors.ts';

/** Of one record where it is refused, and of all of a run where they are told. */
export const recordsStrange = defineError({
  code: 'records-strange',
  about: 'backup',
  exit: 1,
  say: (fact: { objects: string }) =>
    `Not copied, but left where found: ${fact.objects} signed by nobody who is known, or beside the chain of the writer.`,
  hint: () =>
    "'lifeboat list' marks such restore points and says why. The key of a machine of yours belongs in vault.writers.",
});
