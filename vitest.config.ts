import { defineConfig } from 'vitest/config';
import { reportSkips } from './test/support/skips.ts';
import { seeThreats } from './test/support/threats.ts';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['test/support/setup.ts', 'test/support/ceph-shared.ts'],
    reporters: ['default', reportSkips, seeThreats()],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
