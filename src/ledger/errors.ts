import { defineError } from '../core/errors.ts';

export const ledgerUnwritten = defineError({
  code: 'ledger-unwritten',
  about: 'place',
  exit: 2,
  say: (fact: { why: string }) => `The entry could not be stored in the ledger of any destination: ${fact.why}`,
  hint: () => "Check the destinations with 'lifeboat check'. A drill has to be repeated to leave evidence.",
});

export const ledgerBusy = defineError({
  code: 'ledger-busy',
  about: 'place',
  exit: 2,
  say: (fact: { seconds: number }) => `Another process has been writing to the ledger for ${fact.seconds} s.`,
  hint: () => 'Wait until it has ended, then run the same command again.',
});

export const noLedgerThere = defineError({
  code: 'no-ledger-there',
  about: 'person',
  exit: 2,
  say: (fact: { folder: string; why: string }) => `There is no ledger in ${fact.folder}: ${fact.why}.`,
  hint: () => 'Name a folder with entries as they are stored: a copy of the vault, or of its folder ledger.',
});
