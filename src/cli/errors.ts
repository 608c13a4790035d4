import { defineError } from '../core/errors.ts';

export const usageWrong = defineError({
  code: 'usage-wrong',
  exit: 64,
  say: (fact: { what: string; command: string }) => fact.what,
  hint: (fact) => `Run '${fact.command} --help' to see what it takes.`,
});

export const identityNeeded = defineError({
  code: 'identity-needed',
  exit: 64,
  say: () => 'This reads backups, and for that it needs a private key (an age identity).',
  hint: (fact: { found?: string }) =>
    `Pass the key file: --identity ${fact.found ?? 'lifeboat-keys/daily.txt'} (or LIFEBOAT_IDENTITY).`,
});

export const identityUnreadable = defineError({
  code: 'identity-unreadable',
  exit: 2,
  say: (fact: { file: string; why: string }) => `The identity file ${fact.file} cannot be used: ${fact.why}.`,
  hint: () => "It must hold a line that begins with AGE-SECRET-KEY-; 'lifeboat keys new' makes such a file.",
});

export const unexpected = defineError({
  code: 'unexpected',
  exit: 2,
  say: (fact: { what: string }) => `Something unforeseen happened: ${fact.what}`,
  hint: () =>
    'Restore points that were complete before are not touched. Run it again with LIFEBOAT_DEBUG=1 and report what it prints.',
});

export const interrupted = defineError({
  code: 'interrupted',
  exit: 2,
  say: () => 'Interrupted. Nothing half-done is left behind as if it were whole.',
  hint: () => 'Run the same command again: what was already stored is used again.',
});
