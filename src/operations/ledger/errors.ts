import { defineError } from '../../core/errors.ts';

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
  hint: () => 'Wait until it has ended, then run the same command again.',
});
