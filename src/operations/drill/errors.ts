import { defineError } from '../../core/errors.ts';

export const queryFailed = defineError({
  code: 'drill-query-failed',
  exit: 1,
  say: (fact: { dataset: string; why: string }) => `The query on the restored ${fact.dataset} failed: ${fact.why}.`,
  hint: () => 'Try the query on the live database: either it is wrong, or the restore point lacks what it asks for.',
});

export const queryTooSlow = defineError({
  code: 'drill-query-too-slow',
  exit: 1,
  say: (fact: { dataset: string; timeoutMs: number }) =>
    `The query on the restored ${fact.dataset} took longer than ${fact.timeoutMs} ms.`,
  hint: () => 'Give the check a longer timeout, or the query an index.',
});

export const ledgerUnwritten = defineError({
  code: 'ledger-unwritten',
  exit: 2,
  say: (fact: { why: string }) => `The evidence could not be stored in any destination: ${fact.why}.`,
  hint: () => "Check the destinations with 'lifeboat check'. The drill itself has to be repeated to leave evidence.",
});

export const ledgerBusy = defineError({
  code: 'ledger-busy',
  exit: 2,
  say: (fact: { seconds: number }) => `Another process has been writing to the ledger for ${fact.seconds} s.`,
  hint: () => 'Wait until it has ended, then run the drill again.',
});

export const noSuchEvidence = defineError({
  code: 'evidence-unknown',
  exit: 2,
  say: (fact: { id: string }) => `The ledger holds no evidence '${fact.id}'.`,
  hint: () => "Run 'lifeboat evidence list'.",
});
