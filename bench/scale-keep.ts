/** `lifeboat keep --dry-run` over the folder that a bench planted, as if the place locked everything for a month. */
import { loadSystem } from '../src/config/load.ts';
import { systemClock } from '../src/core/clock.ts';
import { dayMs } from '../src/core/duration.ts';
import { startRun } from '../src/core/run.ts';
import type { Destination, Listed, Version } from '../src/destinations/destination.ts';
import { keep } from '../src/operations/keep.ts';
import { type OpenSystem, openSystem } from '../src/operations/system.ts';

using open = openSystem(await loadSystem('lifeboat.yaml', process.env), { clock: systemClock });
const system: OpenSystem = {
  ...open,
  async destinations(request) {
    const { opened, failed } = await open.destinations(request);
    return { opened: opened.map(locking), failed };
  },
};
const { locks } = await keep(system, { dryRun: true }, startRun({ clock: systemClock }));
process.stderr.write(JSON.stringify(locks));

function locking(folder: Destination): Destination {
  const onlyVersion = (listed: Listed): Version => ({
    ...{ ...listed, version: '1', isLatest: true, isDeleteMarker: false },
  });
  const lock = { mode: 'compliance', untilMs: Date.now() + 30 * dayMs } as const;
  return {
    ...folder,
    capabilities: { ...folder.capabilities, objectLock: 'compliance', versions: true },
    history: {
      async *listVersions(prefix) {
        for await (const listed of folder.list(prefix)) yield onlyVersion(listed);
      },
      versionsOf: async (key) => [onlyVersion(await folder.stat(key))],
      getVersion: (key, _, range, options) => folder.get(key, range, options),
      lockOf: async () => lock,
      extendLock: async () => lock,
    },
  };
}
