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
}

/** @throws `mysql-url-wrong` */
export function parseUrl(url: string): ServerAddress {
  // Not the URL class: it knows no host that is empty, which means a Unix socket.
  const parts =
    /^(?:mysql|mysql2|mariadb)(?:\+\w+)?:\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?(\[[^\]]*\]|[^:/?]*)(?::(\d+))?\/([^?]*)(?:\?(.*))?$/.exec(
      url,
    );
  if (parts === null) throw urlWrong({ why: 'it does not begin with mysql:// or mariadb://, or names no database' });
  const [, user = '', password = '', host = '', port = '3306', database = '', query = ''] = parts;
  if (database === '') throw urlWrong({ why: 'it names no database' });
  const settings = new URLSearchParams(query);
  const socket = settings.get('socket') ?? settings.get('unix_socket') ?? settings.get('socketPath') ?? undefined;
  const other = [...settings.keys()].find((name) => !['socket', 'unix_socket', 'socketPath', 'charset'].includes(name));
  if (other !== undefined) throw urlWrong({ why: `its setting ${other} is not known` });
  return {
    ...(socket === undefined ? { host: decode(host).replace(/^\[|\]$/g, '') || 'localhost' } : { socket }),
    port: Number(port),
    user: decode(user),
    password: decode(password),
    database: decode(database),
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw urlWrong({ why: 'a % in it begins no character: write it as %25' });
  }
}

/** For people, without the password. */
export function showAddress({ host, port, socket, user, database }: ServerAddress): string {
  const who = user === '' ? '' : `${user}@`;
  return socket === undefined
    ? `mysql://${who}${host}:${port}/${database}`
    : `mysql://${who}/${database}?socket=${socket}`;
}

/** The same server, another database, as a URL. */
export function urlOf({ host = '', port, socket, user, password, database }: ServerAddress): string {
  const word = encodeURIComponent;
  const who = user === '' ? '' : `${word(user)}${password === '' ? '' : `:${word(password)}`}@`;
  const where = socket === undefined ? `${host.includes(':') ? `[${host}]` : word(host)}:${port}` : '';
  return `mysql://${who}${where}/${word(database)}${socket === undefined ? '' : `?socket=${word(socket)}`}`;
}
