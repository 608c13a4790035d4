import { defineError } from '../../core/errors.ts';

/** Everywhere `server` is `host:port` or a socket's folder, never with a password. */
export const urlWrong = defineError({
  code: 'postgres-url-wrong',
  about: 'person',
  exit: 64,
  /** `setting`: the one that is in the way. */
  say: (fact: { why: string; setting?: string }) => `The PostgreSQL URL cannot be used: ${fact.why}.`,
  hint: (fact) =>
    fact.setting === undefined
      ? 'Write postgres://user:password@host:5432/database, or postgres:///database?host=/var/run/postgresql for a socket. In a password / is %2F, # is %23, @ is %40, % is %25; or leave it out and set PGPASSWORD.'
      : `Remove ${fact.setting} from it. If the application needs it, give backups a URL of their own: another variable in .env, and url: "\${BACKUP_DATABASE_URL}" in lifeboat.yaml.`,
});

export const serverUnreachable = defineError({
  code: 'postgres-unreachable',
  about: 'place',
  exit: 2,
  say: (fact: { server: string; why: string }) => `No PostgreSQL server answers at ${fact.server}: ${fact.why}.`,
  hint: (fact) => `See whether it runs and listens there: pg_isready -h ${fact.server.replace(/:(\d+)$/, ' -p $1')}`,
});

export const serverPooled = defineError({
  code: 'postgres-pooled',
  about: 'place',
  exit: 2,
  say: (fact: { server: string; what: string }) =>
    `At ${fact.server} a connection pooler answers, not the server: ${fact.what}. Nothing was changed.`,
  hint: () =>
    "Write the server's own address into this URL (often port 5432 instead of 6432 or 6543). For backups a pooler in session mode works too.",
});

export const textsUnfixed = defineError({
  code: 'postgres-texts-unfixed',
  about: 'place',
  exit: 2,
  say: (fact: { server: string; user: string; settings: readonly string[] }) =>
    `Through the pooler at ${fact.server} values of ${fact.user} would come in a text that another server reads as other values.`,
  hint: (fact) =>
    `Write the server's own address into the URL, or as a superuser: ${fact.settings.map((setting) => `ALTER ROLE ${fact.user} SET ${setting};`).join(' ')}`,
});

export const passwordWrong = defineError({
  code: 'postgres-password-wrong',
  about: 'person',
  exit: 2,
  say: (fact: { server: string; user: string; why: string }) =>
    `The server at ${fact.server} does not let ${fact.user} in: ${fact.why}.`,
  hint: (fact) =>
    `Check the password that the URL refers to, whether the server has the role ${fact.user} at all (a new one does not), and pg_hba.conf there. To restore onto a new server take its superuser's URL: --into`,
});

export const databaseMissing = defineError({
  code: 'postgres-database-missing',
  about: 'person',
  exit: 2,
  say: (fact: { server: string; database: string }) => `The server at ${fact.server} has no database ${fact.database}.`,
  hint: (fact) =>
    `List its databases with psql -l, and correct the name after the last slash of the URL (${fact.database}).`,
});

export const databaseClosed = defineError({
  code: 'postgres-database-closed',
  about: 'person',
  exit: 2,
  say: (fact: { server: string; database: string; why: string }) =>
    `The server at ${fact.server} lets nobody into ${fact.database}: ${fact.why}.`,
  hint: (fact) =>
    `What an interrupted CREATE or DROP DATABASE leaves can only be dropped; 'lifeboat restore --force' puts what was backed up in its place. Where somebody closed it, as a superuser: ALTER DATABASE "${fact.database}" ALLOW_CONNECTIONS true;`,
});

export const roleMissing = defineError({
  code: 'postgres-role-missing',
  about: 'person',
  exit: 2,
  say: (fact: { server: string; user: string }) => `The server at ${fact.server} has no role ${fact.user}.`,
  hint: (fact) =>
    `Create it, or correct the user in the URL. As a superuser: CREATE ROLE ${fact.user} LOGIN PASSWORD '…';`,
});

export const rightsMissing = defineError({
  code: 'postgres-rights-missing',
  about: 'person',
  exit: 2,
  /** `what`: a few of them, then how many more. */
  say: (fact: { user: string; database: string; what: string; grant: string }) =>
    `${fact.user} may not read all of ${fact.database}: ${fact.what}.`,
  hint: (fact) => `As a superuser: ${fact.grant}`,
});

export const clientTooOld = defineError({
  code: 'postgres-client-too-old',
  about: 'place',
  exit: 2,
  say: (fact: { tool: string; toolVersion: string; serverVersion: string; serverMajor: number }) =>
    `${fact.tool} is ${fact.toolVersion}, but the server is ${fact.serverVersion}: an older client cannot dump a newer server.`,
  hint: (fact) =>
    `Install it: apt-get install postgresql-client-${fact.serverMajor} (from apt.postgresql.org where Debian has none).`,
});

export const clientUnpatched = defineError({
  code: 'postgres-client-unpatched',
  about: 'place',
  exit: 2,
  say: (fact: { tool: string; toolVersion: string; toolMajor: number }) =>
    `${fact.tool} is ${fact.toolVersion}, in which a dump that was tampered with can run commands on this host (CVE-2025-8714).`,
  hint: (fact) =>
    `Upgrade it to 13.22, 14.19, 15.14, 16.10, 17.6 or newer: apt-get update && apt-get install postgresql-client-${fact.toolMajor}`,
});

export const serverTooOld = defineError({
  code: 'postgres-server-too-old',
  about: 'place',
  exit: 2,
  say: (fact: { serverVersion: string }) => `PostgreSQL ${fact.serverVersion} is too old for Lifeboat.`,
  hint: () => 'Version 12 is the oldest that works. Upgrade the server; until then keep your own pg_dump.',
});

export const dumpFailed = defineError({
  code: 'postgres-dump-failed',
  about: 'backup',
  exit: 2,
  say: (fact: { database: string; why: string }) => `The dump of ${fact.database} failed: ${fact.why}`,
  hint: () => 'Nothing was recorded. Mend what it names and run the backup again.',
});

export const rowTooLarge = defineError({
  code: 'postgres-row-too-large',
  about: 'backup',
  exit: 2,
  say: (fact: { database: string; table: string }) =>
    `A row of ${fact.table} in ${fact.database} is too large for any dump: as text, in which bytes take twice their size, it has more than 1 GiB.`,
  hint: (fact) =>
    `Nothing was recorded. Find it: SELECT ctid, pg_column_size(t.*) FROM ${fact.table} t ORDER BY 2 DESC LIMIT 3; Put such values into files or large objects, or leave the table's rows out with exclude, and why.`,
});

export const dumpBroken = defineError({
  code: 'postgres-dump-broken',
  about: 'backup',
  exit: 2,
  say: (fact: { database: string; why: string }) => `The dump of ${fact.database} is not whole: ${fact.why}.`,
  hint: () => "If this is a restore, take another restore point or copy, and run 'lifeboat verify'. Else run it again.",
});

export const dumpIncomplete = defineError({
  code: 'postgres-dump-incomplete',
  about: 'backup',
  exit: 2,
  say: (fact: { database: string; what: string }) =>
    `The dump of ${fact.database} is not what the server counted in the same snapshot: ${fact.what}.`,
  hint: () => 'A TRUNCATE or a rewrite of the table during the backup does this. Run the backup again.',
});

export const queryFailed = defineError({
  code: 'postgres-query-failed',
  about: 'backup',
  exit: 2,
  say: (fact: { database: string; why: string }) => `A query on ${fact.database} failed: ${fact.why}.`,
  hint: () => 'Mend what the server names, then run the command again.',
});

export const extensionMissing = defineError({
  code: 'postgres-extension-missing',
  about: 'place',
  exit: 2,
  say: (fact: { server: string; extensions: string; serverMajor: number; debianPackage: string }) =>
    `The server at ${fact.server} lacks extensions that the backup needs: ${fact.extensions}.`,
  hint: (fact) => `On the server's host: apt-get install ${fact.debianPackage}, then restore again.`,
});

export const localeMissing = defineError({
  code: 'postgres-locale-missing',
  about: 'place',
  exit: 2,
  say: (fact: { locale: string; why: string }) =>
    `The target server has not the locale ${fact.locale} that the database was made with: ${fact.why}.`,
  hint: (fact) =>
    `On the server's host: echo '${fact.locale} UTF-8' >> /etc/locale.gen && locale-gen, restart PostgreSQL, then restore again.`,
});

export const restoreRightsMissing = defineError({
  code: 'postgres-restore-rights-missing',
  about: 'person',
  exit: 2,
  /** `what` ends the sentence; `sql`: what gives the role that right. */
  say: (fact: { user: string; what: string; sql: string }) => `${fact.user} may not ${fact.what.replace(/\.$/, '')}.`,
  hint: (fact) =>
    `As a superuser (su postgres -c psql): ${fact.sql} A password is that of the URL. Or restore as root on the server's own host, where Lifeboat does that itself, or with a superuser's URL in --into.`,
});

export const restoreFailed = defineError({
  code: 'postgres-restore-failed',
  about: 'backup',
  exit: 2,
  /** `left`: what could not be removed, or empty. */
  say: (fact: { database: string; why: string; left: string }) =>
    `The restore into ${fact.database} failed, and what was there is untouched: ${fact.why}${fact.left === '' ? '' : ` ${fact.left}`}`,
  hint: () => 'Mend what it names and restore again.',
});

export const tableUnknown = defineError({
  code: 'postgres-table-unknown',
  about: 'person',
  exit: 64,
  say: (fact: { tables: string; database: string }) =>
    `The backup of ${fact.database} holds no data of ${fact.tables}.`,
  hint: () => "Name tables as schema.table. 'lifeboat show' lists them.",
});

export const tablesReferred = defineError({
  code: 'postgres-tables-referred',
  about: 'person',
  exit: 2,
  say: (fact: { tables: string; by: string }) =>
    `${fact.tables} cannot be replaced alone: ${fact.by} refer to their rows. Nothing was touched.`,
  hint: () => 'Choose those tables too, or restore beside with --into and a new database name, and copy what you need.',
});

export const dumpRunsCode = defineError({
  code: 'postgres-dump-runs-code',
  about: 'person',
  exit: 2,
  say: (fact: { database: string; user: string; what: string }) =>
    `Loading ${fact.database} runs code that whoever could write it may have left there, and ${fact.user} may do anything on this server: ${fact.what}. Nothing was touched.`,
  hint: (fact) =>
    `Restore as the database's owner, with its role in the URL of --into (as a superuser: ALTER ROLE … CREATEDB;). Or, if nobody hostile could write ${fact.database}: --trust-code.`,
});
