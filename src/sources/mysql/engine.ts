// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written
import { existsSync } from 'node:fs';
import { defineEngine } from '../engine.ts';
import { answers } from '../local-port.ts';
import { type AddressParts, addressKeys, addressOnce, buildAddress, whoOf } from '../server-keys.ts';

const sockets = ['/run/mysqld/mysqld.sock', '/var/lib/mysql/mysql.sock', '/tmp/mysql.sock'];

export const mysqlEngine = defineEngine({
  kind: 'mysql',
  title: 'MariaDB',
  holds: 'tables',
  keys: addressKeys,
  refine: addressOnce,
  build: (address, context) => ({ url: buildAddress(address, context, urlOf) }),
  placeOf: ({ url }) => ({ url }),
  usual: { rpo: '15m', rto: '30m' },
  server: {
    scheme: /^(mysql2?|mysqlx|mariadb)$/,
    names: /(^|[._])(mysql2?|mariadb|trilogy|pdo_mysql|mysqli)$/i,
    image: /mariadb/,
    user: 'root',
    variables: ['MARIADB', 'MYSQL'].map((prefix) => ({
      host: `${prefix}_HOST`,
      port: `${prefix}_PORT`,
      user: `${prefix}_USER`,
      password: `${prefix}_PASSWORD`,
      name: `${prefix}_DATABASE`,
    })),
    container: {
      user: '${MARIADB_USER}',
      // It stays where it is: the configuration holds references only.
      password: '${MARIADB_PASSWORD}',
      database: '${MARIADB_DATABASE}',
    },
    async findLocal() {
      const socket = sockets.find((one) => existsSync(one));
      return socket ?? ((await answers('127.0.0.1', 3306)) ? '127.0.0.1:3306' : undefined);
    },
  },
  async open(_, { url }) {
    const { mysqlSource } = await import('./source.ts');
    return mysqlSource({ url: await url.expand() });
  },
  // Indexes, and the log that they are made with.
  roomFactor: 3,
  async rehearse({ url }, back, run) {
    const { rehearseMysql } = await import('./rehearse.ts');
    return rehearseMysql(url, back, run);
  },
  async *query(copy, query, options) {
    const { queryMysql } = await import('./query.ts');
    yield* queryMysql(copy, query, options);
  },
  async watchOpening({ outside }) {
    const { watchServer } = await import('./watch-opening.ts');
    return watchServer(outside);
  },
  // No room, no memory, shutting down, and a server that is gone.
  isOutage: (error) =>
    ('errno' in error && [1021, 1037, 1038, 1041, 1053, 1114, 1135].includes(Number(error.errno))) ||
    ('code' in error && /^(PROTOCOL_CONNECTION_LOST|ECONNRESET|EPIPE|ECONNREFUSED)$/.test(String(error.code))),
});

function urlOf({ host = '', port, database = '', ...who }: AddressParts): string {
  const isSocket = host.startsWith('/') || host.startsWith('%2F');
  if (isSocket) return `mysql://${whoOf(who)}/${database}?socket=${host}`;
  return `mysql://${whoOf(who)}${host}${port === undefined ? '' : `:${port}`}/${database}`;
}
