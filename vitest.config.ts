import { configDefaults, defineConfig } from 'vitest/config';
import { reportSkips } from './test/support/skips.ts';
import { seeThreats } from './test/support/threats.ts';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, '**/*.long.test.ts'],
    globalSetup: ['test/support/setup.ts', 'test/support/ceph-shared.ts', 'test/support/compile-cache.ts'],
    setupFiles: ['test/support/compile.ts'],
    reporters: ['default', reportSkips, seeThreats()],
    // A bound for what hangs, not a verdict on how fast a machine is: six others may be at work on it.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    // Tests wait for servers, children and disks for more than half of their time: on two cores, three workers leave one core idle
    // (52 minutes against 38 with five).
    maxWorkers: 5,
  },
});
