import { defineError } from '../core/errors.ts';

export const catalogUnavailable = defineError({
  code: 'catalog-unavailable',
  about: 'place',
  exit: 2,
  say: (fact: { file: string; why: string }) => `The catalog ${fact.file} cannot be used: ${fact.why}.`,
  hint: () =>
    'Check the folder, its owner and its free space, or name another with LIFEBOAT_STATE_DIR. Restoring does not need it.',
});
