import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { openSystem } from '../../src/operations/system.ts';
import { noteUsed } from '../../src/operations/used-destinations.ts';
import { aSystem } from '../support/vault.ts';

test('a destination is opened once for all that has the same credentials, and one that failed is tried again', async () => {
  const { config, at } = await aSystem({ destinations: ['disk', 'nas'] });
  using system = openSystem(config, { clock: systemClock });
  const ask = async (how: Parameters<typeof system.destinations>[0]) => {
    const { opened, failed } = await system.destinations(how);
    return { opened, failed: failed.map(({ name }) => name) };
  };
  expect(await ask({ create: false })).toEqual({ opened: [], failed: ['disk', 'nas'] });
  const { opened } = await ask({ create: true });
  expect(opened).toHaveLength(2);
  const again = await ask({ create: false, role: 'reader' });
  expect(again.opened.map((one, index) => one === opened[index])).toEqual([true, true]);
  // Another command, after the disk went away: it stays gone, and the other serves.
  using later = openSystem(config, { clock: systemClock });
  noteUsed(config.stateDir, opened);
  rmSync(at('disk'), { recursive: true });
  const { failed } = await later.destinations({ create: true });
  expect(failed.map(({ name }) => name)).toEqual(['disk']);
});
