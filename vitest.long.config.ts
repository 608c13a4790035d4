import { defineConfig } from 'vitest/config';
import { reportSkips } from './test/support/skips.ts';

/** Those that `npm test` goes a few rounds of (test/support/rounds.ts). */
const campaigns = [
  ...[
    'drill/saboteurs',
    'mysql/under-load',
    'postgres/odd-schemas',
    'prune/model',
    'prune/processes',
    's3/killed',
    'vault/failures',
    'vault/kill',
  ],
].map((name) => `test/${name}.test.ts`);

/** `npm run test:long`: what takes too long to be run for every change. */
export default defineConfig({
  test: {
    include: ['test/**/*.long.test.ts', ...campaigns],
    env: { LIFEBOAT_TEST_LONG: 'yes' },
    globalSetup: ['test/support/setup.ts', 'test/support/ceph-shared.ts', 'test/support/compile-cache.ts'],
    setupFiles: ['test/support/compile.ts'],
    reporters: ['default', reportSkips],
    testTimeout: 3_600_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});
