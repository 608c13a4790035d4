import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { ClientConfig } from 'pg';
import { urlWrong } from './errors.ts';
import { programOptions } from './settings.ts';

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
}

interface TlsSettings {
  readonly mode: (typeof tlsModes)[number];
  readonly rootCertificate?: string;
  readonly certificate?: string;
  readonly key?: string;
}

const tlsModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const socketFolder = '/var/run/postgresql';
const known = new Set([
  ...['host', 'port', 'user', 'password', 'dbname', 'connect_timeout', 'application_name'],
  ...['sslmode', 'sslrootcert', 'sslcert', 'sslkey'],
]);

// As libpq reads it; the standard's parser refuses a user without a host, which is how one writes a socket.
const form =
  /^postgres(?:ql)?:\/\/(?:(?<user>[^:/?#]*)(?::(?<password>[^/?#]*))?@)?(?<host>\[[^\]]*\]|[^:/?#]*)(?::(?<port>\d*))?(?:\/(?<database>[^?#]*))?(?:\?(?<settings>[^#]*))?$/;

/** @throws `postgres-url-wrong`. A setting that would have no effect is refused, not ignored. */
export function parseUrl(url: string): ServerAddress {
  const parts = form.exec(url)?.groups;
  // The URL itself stays out of the message: it holds the password.
  if (parts === undefined) throw urlWrong({ why: 'it has not the form of one' });
  const settings = new URLSearchParams(parts.settings ?? '');
  for (const name of settings.keys()) if (!known.has(name)) throw urlWrong({ why: `the setting ${name} is not known` });
  const setting = (name: string) => settings.get(name) || undefined;
  const part = (name: string) => decode(parts[name] ?? '') || undefined;

  const host = setting('host') ?? part('host')?.replace(/^\[(.*)\]$/, '$1') ?? socketFolder;
  const port = Number(setting('port') ?? part('port') ?? '5432');
  if (host.includes(',') || !Number.isInteger(port)) throw urlWrong({ why: 'it must name one host and one port' });
  const user = setting('user') ?? part('user') ?? userInfo().username;
  const password = setting('password') ?? part('password');
  return {
    host,
    port,
    user,
    ...(password === undefined ? {} : { password }),
    database: setting('dbname') ?? part('database') ?? user,
    tls: tlsSettings(setting),
    connectTimeoutMs: Number(setting('connect_timeout') ?? 15) * 1000 || 15_000,
  };
}

function tlsSettings(setting: (name: string) => string | undefined): TlsSettings {
  const mode = tlsModes.find((mode) => mode === (setting('sslmode') ?? 'prefer'));
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
  const { host, port, user, password, database, tls, connectTimeoutMs } = address;
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
      ...(direct ? { PGOPTIONS: programOptions } : {}),
    },
    secretEnv: password === undefined ? {} : { PGPASSWORD: password },
  };
}
