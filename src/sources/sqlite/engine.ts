import { resolve } from 'node:path';
import { path } from '../../core/notations.ts';
import { defineEngine } from '../engine.ts';

export const sqliteEngine = defineEngine({
  kind: 'sqlite',
  holds: 'tables',
  keys: { path },
  build: ({ path }, { root }) => ({ path: resolve(root, path) }),
  placeOf: ({ path }) => ({ path }),
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
