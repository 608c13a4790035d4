import { defineError } from '../../core/errors.ts';

export const notADatabase = defineError({
  code: 'sqlite-not-a-database',
  about: 'backup',
  exit: 2,
  say: (fact: { path: string; encrypted: boolean }) =>
    fact.encrypted
      ? `${fact.path} is no SQLite database that can be read: it is encrypted (SQLCipher or alike), or damaged at its start.`
      : `${fact.path} is no SQLite database.`,
  hint: (fact) =>
    fact.encrypted
      ? "Let the application write a plain copy and protect that, or protect the file as a 'files' dataset while nothing writes."
      : "Correct its path in lifeboat.yaml, or protect it as a 'files' dataset.",
});

export const databaseBusy = defineError({
  code: 'sqlite-busy',
  about: 'place',
  exit: 2,
  say: (fact: { path: string; waitedMs: number }) =>
    `${fact.path} stayed locked for ${Math.round(fact.waitedMs / 1000)} s: a program holds it exclusively.`,
  hint: (fact) => `Find it with: fuser -v ${fact.path}. An application must not use locking_mode = EXCLUSIVE.`,
});

export const databaseUnreadable = defineError({
  code: 'sqlite-unreadable',
  about: 'backup',
  exit: 2,
  say: (fact: { path: string; why: string }) => `SQLite cannot read ${fact.path}: ${fact.why}.`,
  hint: () =>
    "See what its own check says: sqlite3 FILE 'PRAGMA integrity_check'. Earlier restore points are untouched.",
});

export const logUnread = defineError({
  code: 'sqlite-log-unread',
  about: 'backup',
  exit: 2,
  say: (fact: { path: string }) =>
    `${fact.path} lies on a read-only file system, and ${fact.path}-wal beside it holds commits that only a program that may write can apply.`,
  hint: (fact) =>
    `Mount it for writing, or copy ${fact.path} and ${fact.path}-wal together to a folder that can be written and protect that copy.`,
});

export const workFolderTooSmall = defineError({
  code: 'sqlite-no-room-for-copy',
  about: 'place',
  exit: 2,
  say: (fact: { folder: string; neededBytes: number; freeBytes: number }) =>
    `A copy of the database needs ${Math.ceil(fact.neededBytes / 1e6)} MB in ${fact.folder}, which has ${Math.floor(fact.freeBytes / 1e6)} MB free.`,
  hint: () => 'Make room there, or set LIFEBOAT_STATE_DIR to a folder on a larger disk.',
});

export const copyIncomplete = defineError({
  code: 'sqlite-copy-incomplete',
  about: 'backup',
  exit: 2,
  say: (fact: { path: string; expected: string; actual: string }) =>
    `The copy of ${fact.path} is not what the database was: ${fact.expected} expected, ${fact.actual} found. It was thrown away.`,
  hint: () => 'Run the backup again. If it happens twice, check the disk and the memory of this host.',
});

export const targetInUse = defineError({
  code: 'target-in-use',
  about: 'place',
  exit: 2,
  say: (fact: { target: string; program: string; pid: number }) =>
    `${fact.target} is open in ${fact.program} (process ${fact.pid}). Replaced under it, what it writes would be lost.`,
  hint: () => 'Stop that program, restore, and start it again. Or restore beside it with --into.',
});

export const tableNotSeparable = defineError({
  code: 'sqlite-table-not-separable',
  about: 'person',
  exit: 2,
  say: (fact: { table: string }) =>
    `${fact.table} cannot be restored alone: it is a virtual table or one of SQLite's own. Nothing was written.`,
  hint: () => 'Restore the whole database beside the live one (--into), and take from it what you need.',
});

export const tablesNotRestored = defineError({
  code: 'sqlite-tables-not-restored',
  about: 'backup',
  exit: 2,
  say: (fact: { target: string; why: string }) =>
    `The tables could not be restored into ${fact.target}: ${fact.why}. It is as it was before.`,
  hint: () => 'Restore the whole database beside the live one (--into), and take from it what you need.',
});
