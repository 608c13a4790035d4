import { defineError } from '../../core/errors.ts';

export const nothingToAccept = defineError({
  code: 'nothing-to-accept',
  about: 'person',
  exit: 64,
  say: (fact: { dataset: string; why: string }) => `There is nothing to accept for ${fact.dataset}: ${fact.why}.`,
  hint: () =>
    "'lifeboat status' says what there is to accept. A machine that takes no backups counts rows with --identity only.",
});

export const notAccepted = defineError({
  code: 'not-accepted',
  about: 'person',
  exit: 64,
  say: (fact: { dataset: string }) => `Nothing is accepted for ${fact.dataset}.`,
  hint: () => "Run 'lifeboat status' or 'lifeboat audit --kind accept' to see what is.",
});

export const acceptanceNotHeard = defineError({
  code: 'acceptance-not-heard',
  about: 'person',
  exit: 64,
  say: (fact: { system: string }) =>
    `What this machine accepts does not count: drill.writers names the machines whose word on ${fact.system} does.`,
  hint: () => 'Accept it on the machine that drills.',
});
