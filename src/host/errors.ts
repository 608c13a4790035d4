import { defineError } from '../core/errors.ts';

export const stateUnusable = defineError({
  code: 'state-folder-unusable',
  about: 'place',
  exit: 2,
  say: (fact: { folder: string; why: string }) => `The state folder ${fact.folder} cannot be used: ${fact.why}.`,
  hint: () =>
    'Check its owner and its free space, or name another folder with LIFEBOAT_STATE_DIR. Restoring does not need what is in it.',
});
