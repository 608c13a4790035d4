import { defineError } from '../../core/errors.ts';
import { formatSize } from '../../core/size.ts';
import { grantOf } from './names.ts';

export const urlWrong = defineError({
  code: 'mysql-url-wrong',
  about: 'person',
  exit: 64,
  say: (fact: { why: string }) => `The address of the MySQL or MariaDB server is not understood: ${fact.why}.`,
  hint: () =>
    'It looks like mysql://USER:PASSWORD@HOST:PORT/DATABASE; for a Unix socket mysql://USER@/DATABASE?socket=PATH.',
});

export const serverUnreachable = defineError({
  code: 'mysql-server-unreachable',
  about: 'place',
  exit: 2,
  say: (fact: { server: string; why: string }) => `No MariaDB server answers at ${fact.server}: ${fact.why}.`,
  hint: () => 'Start the server, or correct its address in lifeboat.yaml.',
});

export const accessDenied = defineError({
  code: 'mysql-access-denied',
  about: 'person',
  exit: 2,
  /** `database`: it is let in, and not into that. */
  say: (fact: { server: string; user: string; why: string; database?: string }) =>
    fact.database === undefined
      ? `The server at ${fact.server} does not let ${fact.user} in: ${fact.why}.`
      : `The server at ${fact.server} does not let ${fact.user} into ${fact.database}, or has no such database: ${fact.why}.`,
  hint: (fact) =>
    fact.database === undefined
      ? "Correct user and password, or make the account: docs/mariadb.md has the SQL. To restore onto a new server, be root on its host, or take an administrator's URL: --into"
      : `As an administrator: ${grantOf(fact.user, fact.database)}`,
});

export const databaseMissing = defineError({
  code: 'mysql-database-missing',
  about: 'person',
  exit: 2,
  say: (fact: { server: string; database: string }) => `The server at ${fact.server} has no database ${fact.database}.`,
  hint: () => 'Correct its name in lifeboat.yaml. To bring it back: lifeboat restore DATASET',
});

export const notMariadb = defineError({
  code: 'mysql-not-mariadb',
  about: 'person',
  exit: 2,
  say: (fact: { server: string; version: string }) =>
    `At ${fact.server} runs ${fact.version}. This version of Lifeboat protects MariaDB 10.6 and newer.`,
  hint: () => 'Back this server up in another way until Lifeboat knows it: nothing was stored.',
});

export const rightsMissing = defineError({
  code: 'mysql-rights-missing',
  about: 'person',
  exit: 2,
  say: (fact: { user: string; database: string; what: string; grant: string }) =>
    `${fact.user} may not read all of ${fact.database}: it lacks ${fact.what}.`,
  hint: (fact) => `As an administrator: ${fact.grant}`,
});

export const restoreRightsMissing = defineError({
  code: 'mysql-restore-rights-missing',
  about: 'person',
  exit: 2,
  say: (fact: { server: string; user: string; why: string }) =>
    `${fact.user} may not restore onto the server at ${fact.server}: ${fact.why}.`,
  hint: () =>
    "Restore as root on the server's own host, where Lifeboat comes in through the socket, or with an administrator's URL in --into.",
});

export const changedMeanwhile = defineError({
  code: 'mysql-changed-meanwhile',
  about: 'backup',
  exit: 2,
  say: (fact: { database: string; what: string }) =>
    `Somebody changed ${fact.what} while ${fact.database} was read. Nothing was stored.`,
  hint: () =>
    'Back up again when the migration is through, or give the role RELOAD: the backup then holds such changes back.',
});

export const restoreRefused = defineError({
  code: 'mysql-restore-refused',
  about: 'backup',
  exit: 2,
  say: (fact: { database: string; what: string; why: string }) =>
    `${fact.what} could not be loaded into ${fact.database}: ${fact.why}.`,
  hint: () => 'A server as new as the one that was backed up, with the same plugins, takes it.',
});

export const rowsLost = defineError({
  code: 'mysql-rows-lost',
  about: 'place',
  exit: 2,
  say: (fact: { table: string; counted: number; read: number }) =>
    `The server counts ${fact.counted} rows in ${fact.table}, and sent ${fact.read}.`,
  hint: () => 'Nothing was stored. Back up again; where it stays so, CHECK TABLE says what is damaged.',
});

export const packetTooSmall = defineError({
  code: 'mysql-packet-too-small',
  about: 'place',
  exit: 2,
  say: (fact: { database: string; what: string; needsBytes: number; mostBytes: number }) =>
    `${fact.what} of ${fact.database} holds a row of ${formatSize(fact.needsBytes)} as a statement, and the server takes at most ${formatSize(fact.mostBytes)}. Nothing was changed.`,
  hint: () => 'Raise it as an administrator, at most to 1 GiB: SET GLOBAL max_allowed_packet = 1073741824;',
});

export const tableUnknown = defineError({
  code: 'mysql-table-unknown',
  about: 'person',
  exit: 64,
  say: (fact: { table: string; tables: string }) => `The backup has no table ${fact.table}.`,
  hint: (fact) => `It has: ${fact.tables}`,
});

export const tablesReferred = defineError({
  code: 'mysql-tables-referred',
  about: 'person',
  exit: 2,
  say: (fact: { tables: string; by: string }) =>
    `Rows of ${fact.by} refer to ${fact.tables}, whose rows would be replaced. Nothing was changed.`,
  hint: (fact) =>
    `Restore those too (${fact.by}), or without --force: the tables then come in a database of their own.`,
});
