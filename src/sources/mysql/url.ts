import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { isLocalHost } from '../../core/local-host.ts';
import { urlWrong } from './errors.ts';

/** One database of a server. */
export interface ServerAddress {
  /** Absent: by `socket`. */
  readonly host?: string;
  readonly port: number;
  /** Path of a Unix socket. */
  readonly socket?: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: TlsSettings;
  /** Settings of an ORM or a driver, which mean nothing here. */
  readonly ignored: readonly string[];
}

interface TlsSettings {
  readonly mode: (typeof tlsModes)[number];
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** As MariaDB's and MySQL's own clients and drivers call them. */
const tlsModes = ['disabled', 'preferred', 'required', 'verify_ca', 'verify_identity'] as const;
const yesOrNo: Readonly<Record<string, string>> = { true: 'required', 1: 'required', false: 'disabled', 0: 'disabled' };

/** Where Debian's server puts its socket, and most others'. */
export const usualSocket = '/run/mysqld/mysqld.sock';

const socketNames = ['socket', 'unix_socket', 'unixSocket', 'socketPath'];
const known = new Set([
  ...[...socketNames, 'ssl-mode', 'sslmode', 'ssl', 'tls', 'ssl-ca', 'sslrootcert', 'ssl_ca', 'sslcert', 'ssl-cert'],
  ...['ssl-key', 'sslkey'],
]);
/** Of drivers and ORMs: how many sessions, how values are read, which texts. */
const ofDrivers =
  /^(charset|encoding|collation|timezone|parseTime|loc|pool.*|connection_?limit|connect_?timeout|connectTimeout|reconnect|schema|serverVersion|version|allowPublicKeyRetrieval|useUnicode|characterEncoding|serverTimezone|autoReconnect|multiStatements|supportBigNumbers|bigNumberStrings|dateStrings|decimalNumbers|prepared_statements|max_?idle.*|max_?open.*|init_command|sql_mode|driver)$/i;

// Not the URL class: it knows no host that is empty, which means a Unix socket.
const form =
  /^(?:jdbc:)?(?:mysql2?|mysqlx|mariadb)(?:\+\w+)?:\/\/(?:(?<user>[^:@/?#]*)(?::(?<password>[^@/?#]*))?@)?(?<host>\[[^\]]*\]|[^:/?#@]*)(?::(?<port>\d*))?\/(?<database>[^?#/@]*)(?:\?(?<settings>[^#]*))?$/i;

/** @throws `mysql-url-wrong` */
export function parseUrl(url: string): ServerAddress {
  const parts = form.exec(url)?.groups;
  // The URL itself stays out of the message: it holds the password.
  if (parts === undefined) throw urlWrong({ why: whyUnreadable(url) });
  const settings = new URLSearchParams(parts.settings ?? '');
  const names = [...new Set(settings.keys())];
  const unknown = names.find((name) => !known.has(name) && !ofDrivers.test(name));
  if (unknown !== undefined) throw urlWrong({ why: `its setting ${unknown} is not known` });
  const setting = (...names: string[]) => names.map((name) => settings.get(name)).find((one) => one) ?? undefined;
  const part = (name: string) => decode(parts[name] ?? '');
  const database = part('database');
  if (database === '') throw urlWrong({ why: 'it names no database' });
  const host = part('host').replace(/^\[(.*)\]$/, '$1');
  const socket = setting(...socketNames) ?? (host === '' ? usualSocket : host.startsWith('/') ? host : undefined);
  return {
    ...(socket === undefined ? { host } : { socket }),
    port: Number(parts.port || 3306),
    user: part('user') || userInfo().username,
    password: part('password'),
    database,
    tls: tlsSettings(setting),
    ignored: names.filter((name) => !known.has(name)),
  };
}

function tlsSettings(setting: (...names: string[]) => string | undefined): TlsSettings {
  const asked = setting('ssl-mode', 'sslmode', 'ssl', 'tls')?.toLowerCase().replaceAll('-', '_') ?? 'preferred';
  const others: Readonly<Record<string, string>> = {
    ...yesOrNo,
    ...{ disable: 'disabled', prefer: 'preferred', require: 'required', verify_full: 'verify_identity' },
    ...{ skip_verify: 'required', no_verify: 'required' },
  };
  // Who asks for encryption has it: a word that is not known is never passed over.
  const mode = tlsModes.find((one) => one === (others[asked] ?? asked));
  if (mode === undefined) throw urlWrong({ why: `ssl-mode must be one of ${tlsModes.join(', ').toUpperCase()}` });
  const ca = setting('ssl-ca', 'sslrootcert', 'ssl_ca');
  const certificate = setting('ssl-cert', 'sslcert');
  const key = setting('ssl-key', 'sslkey');
  return {
    mode,
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  };
}

function whyUnreadable(url: string): string {
  // Between the first colon of the user and the last at sign stands the password.
  const password = /^[^:]+(?::[^:]+)?:\/\/[^:@/]*:([\s\S]*)@/.exec(url)?.[1] ?? '';
  const special = /[/?#@[\]]/.exec(password)?.[0];
  if (special !== undefined)
    return `its password seems to hold '${special}', which must be written as %${special.charCodeAt(0).toString(16).toUpperCase()}`;
  return 'it does not begin with mysql:// or mariadb://, or names no database';
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw urlWrong({ why: 'a % in it begins no character: write it as %25' });
  }
}

/** The same server and account, another database. */
export function withDatabase(address: ServerAddress, database: string): ServerAddress {
  return { ...address, database };
}

/** Whether what is sent to it stays on this machine. */
export function isLocal({ host }: ServerAddress): boolean {
  return host === undefined || isLocalHost(host);
}

/** What stays on this machine is only encrypted where the URL demands it. */
export function wantsTls(address: ServerAddress): boolean {
  const { mode } = address.tls;
  return mode !== 'disabled' && (mode !== 'preferred' || !isLocal(address));
}

/** Whether the session shows who answers: a certificate authority is named, or the mode demands one. */
export function verifiesServer({ tls }: ServerAddress): boolean {
  return tls.mode.startsWith('verify') || (tls.mode === 'required' && tls.ca !== undefined);
}

/** For the driver. */
export function tlsOptions(address: ServerAddress) {
  const { mode, ca, certificate, key } = address.tls;
  return {
    rejectUnauthorized: verifiesServer(address),
    verifyIdentity: mode === 'verify_identity',
    ...(ca !== undefined && { ca: read(ca) }),
    ...(certificate !== undefined && { cert: read(certificate) }),
    ...(key !== undefined && { key: read(key) }),
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw urlWrong({ why: `${file} cannot be read` }, { cause: error });
  }
}

/** For people, without the password. */
export function showAddress({ host, port, socket, user, database }: ServerAddress): string {
  const who = `${encodeURIComponent(user)}@`;
  const what = encodeURIComponent(database);
  if (socket !== undefined) return `mysql://${who}/${what}?socket=${socket}`;
  return `mysql://${who}${host?.includes(':') ? `[${host}]` : host}:${port}/${what}`;
}

/** For people: `host:port`, or the socket. */
export function showServer({ host, port, socket }: ServerAddress): string {
  return socket ?? `${host}:${port}`;
}

/** A URL of a database over a socket. */
export function urlOverSocket(socket: string, user: string, database: string): string {
  return `mysql://${encodeURIComponent(user)}@/${encodeURIComponent(database)}?socket=${encodeURIComponent(socket)}`;
}
