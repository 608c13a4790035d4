import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { ClientConfig } from 'pg';
import { urlWrong } from './errors.ts';
import { programOptions } from './settings.ts';
import { handedOn, kindOf } from './url-settings.ts';

/** Where a server is and who we are there, from a connection URL as libpq understands it. */
export interface ServerAddress {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
  readonly tls: TlsSettings;
  readonly connectTimeoutMs: number;
  /** `-c name=value` for each session, as providers demand it; what we set ourselves wins. */
  readonly options?: string;
  /** Variables of libpq that are handed on to PostgreSQL's own programs. */
  readonly handedOn: Readonly<Record<string, string>>;
  /** Settings of an ORM or a pool, which mean nothing here. */
  readonly ignored: readonly string[];
}

interface TlsSettings {
  readonly mode: (typeof tlsModes)[number];
  readonly rootCertificate?: string;
  readonly certificate?: string;
  readonly key?: string;
}

const tlsModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const socketFolder = '/var/run/postgresql';

// As libpq reads it; the standard's parser refuses a user without a host, which is how one writes a socket.
const form =
  /^(?:jdbc:)?(?:postgres|postgresql|postgis|pgsql|psql|timescale|timescalegis|ecto|pgx\d?)(?:\+\w+)?:\/\/(?:(?<user>[^:/?#]*)(?::(?<password>[^/?#]*))?@)?(?<host>\[[^\]]*\]|[^:/?#]*)(?::(?<port>\d*))?(?:\/(?<database>[^?#]*))?(?:\?(?<settings>[^#]*))?$/i;

/**
 * @throws `postgres-url-wrong`. What an ORM or a provider writes for itself is passed over; a setting that would have no effect and
 * is neither theirs nor without meaning here is refused.
 */
export function parseUrl(url: string): ServerAddress {
  const parts = form.exec(url)?.groups;
  // The URL itself stays out of the message: it holds the password.
  if (parts === undefined || /[@/]/.test(parts.database ?? '')) throw urlWrong({ why: whyUnreadable(url) });
  const settings = new URLSearchParams(parts.settings ?? '');
  const names = [...new Set(settings.keys())];
  const unknown = names.find((name) => kindOf(name) === 'unknown');
  if (unknown !== undefined) throw urlWrong({ why: `the setting ${unknown} is not known`, setting: unknown });
  const setting = (name: string) => settings.get(name) || undefined;
  const part = (name: string) => decode(parts[name] ?? '') || undefined;

  const host = setting('host') ?? part('host')?.replace(/^\[(.*)\]$/, '$1') ?? socketFolder;
  const port = Number(setting('port') ?? part('port') ?? '5432');
  if (host.includes(',') || !Number.isInteger(port)) {
    throw urlWrong({ why: oneHost });
  }
  const user = setting('user') ?? part('user') ?? userInfo().username;
  const password = setting('password') ?? part('password');
  const options = setting('options');
  if (setting('gssencmode') === 'require') throw urlWrong({ why: 'encryption by GSSAPI is not known' });
  return {
    host,
    port,
    user,
    ...(password === undefined ? {} : { password }),
    database: setting('dbname') ?? part('database') ?? user,
    tls: tlsSettings(setting),
    connectTimeoutMs: Number(setting('connect_timeout') ?? 15) * 1000 || 15_000,
    ...(options === undefined ? {} : { options }),
    handedOn: Object.fromEntries(
      Object.entries(handedOn).flatMap(([name, variable]) => {
        const value = setting(name);
        return value === undefined ? [] : [[variable, value]];
      }),
    ),
    ignored: names.filter((name) => kindOf(name) === 'ignored'),
  };
}

const oneHost = 'it must name one host and one port: the one that a backup shall read from';

function whyUnreadable(url: string): string {
  if (/^[^/]+:\/\/(?:[^@/?#]*@)?[^@/?#,]+,[^@/?#]+(?:[/?]|$)/.test(url)) return oneHost;
  // Between the first colon and the last at sign stands the password.
  const password = /^[^:]+:\/\/[^:@/]*:([\s\S]*)@/.exec(url)?.[1] ?? '';
  const special = /[/?#@[\]]/.exec(password)?.[0];
  if (special === undefined) return 'it has not the form of one';
  return `its password seems to hold '${special}', which must be written as %${special.charCodeAt(0).toString(16).toUpperCase()}`;
}

function tlsSettings(setting: (name: string) => string | undefined): TlsSettings {
  // Drivers take a yes or no there, or the word that libpq takes as sslmode. It is never passed over: who asks for encryption has it.
  const ssl = setting('ssl')?.toLowerCase() ?? 'prefer';
  const bySsl = ({ true: 'require', 1: 'require', false: 'disable', 0: 'disable' } as Record<string, string>)[ssl];
  const asked = setting('sslmode') ?? bySsl ?? ssl;
  // Drivers' word for encryption without a look at the certificate, which is what libpq's `require` is.
  const mode = tlsModes.find((one) => one === (asked === 'no-verify' ? 'require' : asked));
  if (mode === undefined) throw urlWrong({ why: `sslmode must be one of ${tlsModes.join(', ')}` });
  const rootCertificate = setting('sslrootcert');
  const certificate = setting('sslcert');
  const key = setting('sslkey');
  return {
    mode,
    ...(rootCertificate === undefined ? {} : { rootCertificate }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw urlWrong({ why: 'a % in it is not followed by two hexadecimal digits' });
  }
}

/** The same server and role, another database. */
export function withDatabase(address: ServerAddress, database: string): ServerAddress {
  return { ...address, database };
}

/** For people: no password. */
export function showAddress(address: ServerAddress): string {
  const { host, port, user, database } = address;
  const [who, what] = [encodeURIComponent(user), encodeURIComponent(database)];
  if (host.startsWith('/')) return `postgres://${who}@/${what}?host=${host}${port === 5432 ? '' : `&port=${port}`}`;
  return `postgres://${who}@${host.includes(':') ? `[${host}]` : host}:${port}/${what}`;
}

/** For people: `host:port`, or the folder of the socket. */
export function showServer({ host, port }: ServerAddress): string {
  return host.startsWith('/') && port === 5432 ? host : `${host}:${port}`;
}

/** For `pg`. `tls` false leaves encryption out whatever the mode: the second try of `prefer`. */
export function clientConfig(address: ServerAddress, tls: boolean): ClientConfig {
  const { host, port, user, password, database, connectTimeoutMs } = address;
  return {
    host,
    port,
    user,
    ...(password === undefined ? {} : { password }),
    database,
    ...(address.options === undefined ? {} : { options: address.options }),
    enableChannelBinding: address.handedOn.PGCHANNELBINDING === 'require',
    connectionTimeoutMillis: connectTimeoutMs,
    application_name: 'lifeboat',
    keepAlive: true,
    ssl: tls ? tlsOptions(address) : false,
  };
}

export function wantsTls({ host, tls }: ServerAddress): boolean {
  return !host.startsWith('/') && tls.mode !== 'disable' && tls.mode !== 'allow';
}

/** As libpq: `require` encrypts; a root certificate, or the verify modes, also check who is there. */
export function verifiesServer({ tls }: ServerAddress): boolean {
  return tls.mode.startsWith('verify') || (tls.mode === 'require' && tls.rootCertificate !== undefined);
}

function tlsOptions(address: ServerAddress): NonNullable<ClientConfig['ssl']> {
  const { mode, rootCertificate, certificate, key } = address.tls;
  return {
    rejectUnauthorized: verifiesServer(address),
    ...(rootCertificate === undefined || rootCertificate === 'system' ? {} : { ca: read(rootCertificate) }),
    ...(certificate === undefined ? {} : { cert: read(certificate) }),
    ...(key === undefined ? {} : { key: read(key) }),
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw urlWrong({ why: `${file} cannot be read` }, { cause: error });
  }
}

/**
 * For PostgreSQL's own programs: everything through the environment, nothing in arguments. Poolers refuse PGOPTIONS, and pg_dump
 * switches the server's timeouts off itself (B28).
 */
export function toolEnvironment(
  address: ServerAddress,
  { direct }: { direct: boolean },
): {
  env: Record<string, string>;
  secretEnv: Record<string, string>;
} {
  const { host, port, user, database, tls, connectTimeoutMs } = address;
  // As in our own sessions, where the driver looks there; ~/.pgpass both find by themselves.
  const secret = address.password ?? process.env.PGPASSWORD;
  return {
    env: {
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGDATABASE: database,
      PGSSLMODE: tls.mode,
      ...(tls.rootCertificate === undefined ? {} : { PGSSLROOTCERT: tls.rootCertificate }),
      ...(tls.certificate === undefined ? {} : { PGSSLCERT: tls.certificate }),
      ...(tls.key === undefined ? {} : { PGSSLKEY: tls.key }),
      PGCONNECT_TIMEOUT: String(Math.ceil(connectTimeoutMs / 1000)),
      PGAPPNAME: 'lifeboat',
      // The text of a moment must not depend on the server's or this host's time zone.
      PGTZ: 'UTC',
      PGCLIENTENCODING: 'UTF8',
      ...address.handedOn,
      // The last one of a name counts.
      ...(direct || address.options !== undefined
        ? { PGOPTIONS: [address.options ?? '', direct ? programOptions : ''].join(' ').trim() }
        : {}),
      ...(process.env.PGPASSFILE === undefined ? {} : { PGPASSFILE: process.env.PGPASSFILE }),
    },
    secretEnv: secret === undefined ? {} : { PGPASSWORD: secret },
  };
}
