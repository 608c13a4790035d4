import { z } from 'zod';
import { accountFacts } from './accounts.ts';
import type { Session } from './connection.ts';
import { definitionFacts } from './definitions.ts';
import { notMariadb } from './errors.ts';
import { literal } from './names.ts';
import { type ServerAddress, showServer } from './url.ts';

const name = z.string().regex(/^\w+$/);

/** What a restore point tells of its database, besides its files. */
export const databaseFacts = z.object({
  database: z.string(),
  serverVersion: z.string(),
  charset: name,
  collation: name,
  comment: z.string(),
  /** Of exactly the snapshot: where a replay of the server's log would begin. Null where it keeps none. */
  position: z.object({ file: z.string(), position: z.string(), gtid: z.string() }).nullable(),
  definitions: definitionFacts,
  /** Tables without their rows, and definitions, that a drill does not compare. */
  notCompared: z.array(z.object({ table: z.string(), reason: z.string() })),
  /** Null where the backup's account may not see them. */
  accounts: z.array(accountFacts).nullable(),
});

export type DatabaseFacts = z.infer<typeof databaseFacts>;

/** @throws `mysql-not-mariadb` */
export async function versionOf(session: Session, address: ServerAddress): Promise<string> {
  const [row] = await session.ask('SELECT VERSION() v, @@version_comment c');
  const version = row?.v ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number.parseFloat);
  // As numbers: it went from 10.11 to 11.
  const isNewEnough = major > 10 || (major === 10 && minor >= 6);
  const isMariadb = /mariadb/i.test(version);
  if (isMariadb && isNewEnough) return version;
  const shown = isMariadb ? `MariaDB ${version}` : `${row?.c ?? 'a server'} ${version}`;
  throw notMariadb({ server: showServer(address), version: shown });
}

export type Charset = Pick<DatabaseFacts, 'charset' | 'collation' | 'comment'>;

/** Undefined: there is no such database. */
export async function charsetOf(session: Session, database: string): Promise<Charset | undefined> {
  const [made] = await session.ask(
    `SELECT DEFAULT_CHARACTER_SET_NAME c, DEFAULT_COLLATION_NAME l, SCHEMA_COMMENT t FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${literal(database)}`,
  );
  if (made === undefined) return undefined;
  return { charset: made.c ?? '', collation: made.l ?? '', comment: made.t ?? '' };
}

export function charsetClause({ charset, collation, comment }: Charset): string {
  return ` CHARACTER SET ${charset} COLLATE ${collation} COMMENT ${textOf(comment)}`;
}

/** Where no introducer may stand. Sessions have no mode in which a backslash is itself. */
function textOf(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
