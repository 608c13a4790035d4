import { resolve } from 'node:path';
import { path } from '../../core/notations.ts';
import { defineEngine } from '../engine.ts';
import { isSqlite } from './recognise.ts';

export const sqliteEngine = defineEngine({
  kind: 'sqlite',
  title: 'SQLite',
  holds: 'tables',
  keys: { path },
  build: ({ path }, { root }) => ({ path: resolve(root, path) }),
  placeOf: ({ path }) => ({ path }),
  usual: { rpo: '15m', rto: '10m' },
  recognises: isSqlite,
  async open(name, { path }, { workFolder }) {
    const { sqliteSource } = await import('./source.ts');
    return sqliteSource({ path, name, ...(workFolder !== undefined && { workFolder }) });
  },
  roomFactor: 1.2,
  companions: ['-wal', '-shm', '-journal'],
  async *query(copy, query, options) {
    const { querySqlite } = await import('./query.ts');
    yield* querySqlite(copy, query, options);
  },
  async watchOpening({ outside }) {
    const { watchFile } = await import('./watch-opening.ts');
    return watchFile(outside);
  },
});
