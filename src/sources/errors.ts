import { defineError } from '../core/errors.ts';
import { formatSize } from '../core/size.ts';

/** What any source may have to say about a dataset or the target of a restore. */

export const datasetVanished = defineError({
  code: 'dataset-vanished',
  about: 'backup',
  exit: 2,
  say: (fact: { path: string; why: string }) =>
    `${fact.path} ${fact.why}. No restore point is taken of it, and those there are stay as they are.`,
  hint: () => 'Mount it, or correct its path in lifeboat.yaml. To bring its data back: lifeboat restore DATASET',
});

export const datasetUnreadable = defineError({
  code: 'dataset-unreadable',
  about: 'backup',
  exit: 2,
  say: (fact: { path: string; why: string }) => `${fact.path} cannot be read: ${fact.why}.`,
  hint: () => 'Run Lifeboat as a user who may read it, or correct its owner and permissions.',
});

export const excludeInvalid = defineError({
  code: 'exclude-invalid',
  about: 'person',
  exit: 64,
  say: (fact: { pattern: string; why: string }) =>
    `The exclude pattern '${fact.pattern}' is not understood: ${fact.why}.`,
  hint: () =>
    "Patterns know *, **, ?, a leading '/', a trailing '/', and a backslash before a character meant as it is.",
});

export const targetNotEmpty = defineError({
  code: 'target-not-empty',
  about: 'person',
  exit: 2,
  say: (fact: { target: string; holds?: string }) =>
    `${fact.target} exists and ${fact.holds === undefined ? 'is not empty' : `holds ${fact.holds}`}. It was left as it is.`,
  hint: () => 'Restore into another place with --into, or replace what is there with --force.',
});

export const targetUnsuitable = defineError({
  code: 'target-unsuitable',
  about: 'person',
  exit: 2,
  say: (fact: { target: string; why: string }) => `${fact.target} cannot be restored to: ${fact.why}.`,
  hint: () => 'Name another place with --into.',
});

export const targetForbidden = defineError({
  code: 'target-forbidden',
  about: 'place',
  exit: 2,
  say: (fact: { path: string; code: string }) =>
    `${fact.path} cannot be written to: ${forbiddenWords[fact.code] ?? fact.code}. What is there is as it was.`,
  hint: (fact) =>
    fact.code === 'EPERM'
      ? `lsattr -d '${fact.path}' and the same of its folder show the flags; chattr -i -a takes them away. Or name another place with --into.`
      : 'Mend that, or name another place with --into.',
});

const forbiddenWords: Readonly<Record<string, string>> = {
  EACCES: 'you may not write there',
  EPERM: 'a flag of it or of its folder forbids that (chattr +i or +a), or it is another user’s in a folder like /tmp',
  EROFS: 'its file system is read-only',
};

/** What a person forbade, or who mounted it, as the error that says so; any other as it is. */
export function orForbidden(error: unknown, path: string): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  return Object.hasOwn(forbiddenWords, code) ? targetForbidden({ path, code }, { cause: error }) : error;
}

export const targetTooSmall = defineError({
  code: 'target-too-small',
  about: 'place',
  exit: 2,
  say: (fact: { target: string; neededBytes: number; freeBytes: number }) =>
    `${fact.target} has ${formatSize(fact.freeBytes)} free, and ${formatSize(fact.neededBytes)} are needed. Nothing was written.`,
  hint: () => 'Make room, or name a place on a larger disk.',
});

export const restoreInterrupted = defineError({
  code: 'restore-interrupted',
  about: 'backup',
  exit: 2,
  say: (fact: { target: string; old: string }) =>
    `A restore of ${fact.target} was interrupted half-way. What was there before is whole, in ${fact.old}.`,
  hint: () => 'Run the restore again: it first puts back what was there. Or move it back by hand.',
});

export const restoreRunning = defineError({
  code: 'restore-running',
  about: 'place',
  exit: 2,
  say: (fact: { target: string; pid: number }) => `Process ${fact.pid} is restoring ${fact.target} right now.`,
  hint: (fact) => `Wait until it has ended, or stop it: kill ${fact.pid}`,
});

export const workFolderForeign = defineError({
  code: 'restore-work-folder-foreign',
  about: 'backup',
  exit: 2,
  say: (fact: { path: string; why: string }) =>
    `${fact.path} is named like the work folder of a restore, but ${fact.why}. Nothing was done with it, and nothing was restored.`,
  hint: (fact) =>
    `If another user restored here, let them finish it. Else somebody put it there: look at it (ls -la ${fact.path}), move it away, and restore again.`,
});

export const restoreThroughLink = defineError({
  code: 'restore-through-link',
  about: 'person',
  exit: 2,
  say: (fact: { path: string; why: string }) =>
    `${fact.path} is a symbolic link${fact.why}. Nothing was restored through it.`,
  hint: () => 'Look where it leads. Then move it away and restore again, or name the real place with --into.',
});

export const chosenMissing = defineError({
  code: 'chosen-missing',
  about: 'person',
  exit: 2,
  say: (fact: { chosen: string; what: 'path' | 'table' }) =>
    `This restore point holds no ${fact.what} '${fact.chosen}'. Nothing was written.`,
  hint: (fact) =>
    fact.what === 'path'
      ? 'Paths are relative to the dataset and have no wildcards. Another restore point may hold it: lifeboat list.'
      : 'Write the name as the database has it. Another restore point may hold it: lifeboat list.',
});

export const queryTooSlow = defineError({
  code: 'drill-query-too-slow',
  about: 'backup',
  exit: 1,
  say: (fact: { dataset: string; timeoutMs: number }) =>
    `The query on the restored ${fact.dataset} took longer than ${fact.timeoutMs} ms.`,
  hint: () => 'Give the check a longer timeout, or the query an index.',
});
