import { defineError } from '../core/errors.ts';

export const toolMissing = defineError({
  code: 'tool-missing',
  about: 'place',
  exit: 2,
  say: (fact: { tool: string; looked: string; debianPackage?: string | undefined }) =>
    `The program ${fact.tool} is not on this host (looked in ${fact.looked}).`,
  hint: (fact) =>
    fact.debianPackage === undefined
      ? `Install the package that provides ${fact.tool}.`
      : `Install it: apt-get install ${fact.debianPackage}`,
});

export const toolFailed = defineError({
  code: 'tool-failed',
  about: 'backup',
  exit: 2,
  /** `how`: `exit code 1`, `signal SIGKILL`. `said`: its last lines, without secrets. */
  say: (fact: { tool: string; how: string; said: string }) =>
    `${fact.tool} failed (${fact.how})${fact.said === '' ? ' and said nothing' : `: ${fact.said}`}`,
  hint: (fact) =>
    fact.how === 'signal SIGKILL'
      ? 'Something killed it, often the kernel for want of memory: look into the kernel log (dmesg).'
      : `Mend what ${fact.tool} names, then run the command again.`,
});

export const toolTimedOut = defineError({
  code: 'tool-timed-out',
  about: 'backup',
  exit: 2,
  say: (fact: { tool: string; deadlineMs: number; said: string }) =>
    `${fact.tool} did not end within ${fact.deadlineMs / 1000} s and was stopped${fact.said === '' ? '' : `: ${fact.said}`}`,
  hint: (fact) => `See what ${fact.tool} was waiting for: a lock, a slow disk, a server that does not answer.`,
});
