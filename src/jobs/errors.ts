import { defineError } from '../core/errors.ts';

export const requestInvalid = defineError<{ readonly job: string; readonly at: string; readonly why: string }>({
  code: 'request-invalid',
  about: 'person',
  exit: 64,
  say: ({ job, at, why }) => `This is no request for ${job}${at === '' ? '' : `, at ${at}`}: ${why}.`,
  hint: () => "The file of its name in schema/jobs says what it takes, under 'request'.",
});
