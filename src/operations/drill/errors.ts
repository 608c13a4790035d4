import { defineError } from '../../core/errors.ts';

export const queryFailed = defineError({
  code: 'drill-query-failed',
  about: 'backup',
  exit: 1,
  say: (fact: { dataset: string; why: string }) => `The query on the restored ${fact.dataset} failed: ${fact.why}.`,
  hint: () => 'Try the query on the live database: either it is wrong, or the restore point lacks what it asks for.',
});

export const noSuchEvidence = defineError({
  code: 'evidence-unknown',
  about: 'person',
  exit: 2,
  say: (fact: { id: string }) => `The ledger holds no evidence '${fact.id}'.`,
  hint: () => "Run 'lifeboat evidence list'.",
});
