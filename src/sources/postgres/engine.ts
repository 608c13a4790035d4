// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written
import { z } from 'zod';
import { reason, text } from '../../core/notations.ts';
import { defineEngine } from '../engine.ts';
import { type AddressParts, addressKeys, addressOnce, buildAddress, whoOf } from '../server-keys.ts';
import { findLocalServer } from './local-server.ts';

export const postgresEngine = defineEngine({
  kind: 'postgres',
  title: 'PostgreSQL',
  holds: 'tables',
  keys: {
    ...addressKeys,
    exclude: z.record(text, reason).default({}),
    expectations: z.enum(['checksums', 'rows']).default('checksums'),
  },
  refine: addressOnce,
  build: ({ exclude, expectations, ...address }, context) => ({
    url: buildAddress(address, context, urlOf),
    /** Tables whose rows are left out; their definition is kept. `schema.table`. */
    exclude: Object.entries(exclude).map(([table, reason]) => ({ table, reason })),
    /** What is recorded for drills to compare: counts and checksums of all rows, or counts only. */
    expectations,
  }),
  placeOf: ({ url }) => ({ url }),
  rulesOf: ({ exclude }) => exclude.map(({ table, reason }) => ({ rule: table, by: 'exclude', reason })),
  usual: { rpo: '15m', rto: '30m' },
  server: {
    scheme: /^(postgres|postgresql|postgis|pgsql|psql)$/,
    names: /^(pg|pgsql|postgres|postgresql|postgis)$/i,
    image: /postgres|postgis|timescale|pgvector/,
    user: 'postgres',
    variables: [
      {
        host: 'POSTGRES_HOST',
        port: 'POSTGRES_PORT',
        user: 'POSTGRES_USER',
        password: 'POSTGRES_PASSWORD',
        name: 'POSTGRES_DB',
      },
      { host: 'PGHOST', port: 'PGPORT', user: 'PGUSER', password: 'PGPASSWORD', name: 'PGDATABASE' },
    ],
    container: {
      user: '${POSTGRES_USER:-postgres}',
      // It stays where it is: the configuration holds references only.
      password: '${POSTGRES_PASSWORD}',
      database: '${POSTGRES_DB:-postgres}',
    },
    findLocal: () => findLocalServer(),
  },
  async open(name, { url, exclude, expectations }) {
    const { postgresSource } = await import('./postgres.ts');
    const how = expectations === 'rows' ? 'counts' : 'checksums';
    return postgresSource({ name, url: await url.expand(), exclude, expectations: how });
  },
  // Indexes, and while it is loaded a log.
  roomFactor: 2.5,
  async rehearse({ url }, back, run) {
    const { rehearsePostgres } = await import('./rehearse.ts');
    return rehearsePostgres(url, back, run);
  },
  async *query(copy, query, options) {
    const { queryPostgres } = await import('./query.ts');
    yield* queryPostgres(copy, query, options);
  },
  async watchOpening({ outside }) {
    const { watchServer } = await import('./watch-opening.ts');
    return watchServer(outside);
  },
  isOutage: (error) => 'code' in error && /^(?:(?:08|53|58)[0-9A-Z]{3}|57P0[0-9A-Z])$/.test(String(error.code)),
});

function urlOf({ host = '', port, database = '', ...who }: AddressParts): string {
  const isFolder = host.startsWith('/') || host.startsWith('%2F');
  if (isFolder) return `postgres://${whoOf(who)}/${database}?host=${host}${port === undefined ? '' : `&port=${port}`}`;
  return `postgres://${whoOf(who)}${host}${port === undefined ? '' : `:${port}`}/${database}`;
}
