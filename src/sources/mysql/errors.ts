import { defineError } from '../../core/errors.ts';
import { formatSize } from '../../core/size.ts';

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
  say: (fact: { where: string; why: string }) => `${fact.where} does not answer: ${fact.why}.`,
  hint: () => 'Start the server, or correct its address in lifeboat.yaml.',
});

export const accessDenied = defineError({
  code: 'mysql-access-denied',
  about: 'person',
  exit: 2,
  say: (fact: { where: string; why: string }) => `${fact.where} refuses: ${fact.why}.`,
  hint: () =>
    'Correct user and password. A role for backups: GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON db.* and RELOAD, BINLOG MONITOR ON *.*.',
});

export const databaseMissing = defineError({
  code: 'mysql-database-missing',
  about: 'backup',
  exit: 2,
  say: (fact: { database: string; where: string }) =>
    `${fact.where} has no database ${fact.database}. No restore point is taken of it.`,
  hint: () => 'Correct its name in lifeboat.yaml. To bring it back: lifeboat restore DATASET',
});

export const changedMeanwhile = defineError({
  code: 'mysql-changed-meanwhile',
  about: 'backup',
  exit: 2,
  say: (fact: { database: string; what: string }) =>
    `Somebody changed the definition of ${fact.what} while ${fact.database} was read. Nothing was stored.`,
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
