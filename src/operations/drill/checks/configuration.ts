import { parseSystem } from '../../../config/load.ts';
import { configurationDataset } from '../../../core/configuration-dataset.ts';
import type { Run } from '../../../core/run.ts';
import { countOf } from '../../../core/size.ts';
import { newestOrNone } from '../../../vault/index.ts';
import { readConfiguration } from '../../configuration/read-back.ts';
import type { Drill, Rehearsal } from '../parts.ts';
import { conductCheck } from '../results.ts';

/**
 * Reads the newest copy of the configuration back and parses it: without it a bare machine would not know what to do with all
 * the rest. In drills of the whole system, from vaults that hold one.
 */
export async function checkConfiguration(rehearsal: Rehearsal, drill: Drill, run: Run): Promise<void> {
  const { parts, options } = drill;
  if (options.datasets.length > 0) return;
  const { points } = await parts.vault.of(parts.system.name).restorePoints(configurationDataset);
  const point = newestOrNone(points, configurationDataset, options.atMs);
  if (point === undefined) return;
  const about = { id: `${configurationDataset}/restored`, kind: 'restored' } as const;
  await conductCheck(
    rehearsal,
    drill,
    about,
    async () => {
      const { file, files } = await readConfiguration(await parts.vault.open(point, parts.identities));
      const own = files.find(({ path }) => path === file);
      const system = parseSystem(own?.bytes ?? Buffer.alloc(0), parts.system.file, process.env);
      const now = system.digest === parts.system.digest ? 'as it is now' : `as of ${point.record.time}`;
      const datasets = countOf(Object.keys(system.datasets).length, 'dataset');
      return {
        verdict: 'pass',
        looked: files.length,
        expected: 'a configuration that can be read',
        actual: `${countOf(files.length, 'file')}, ${datasets}`,
        message: `lifeboat.yaml comes back ${now}: ${countOf(files.length, 'file')}, ${datasets}.`,
      };
    },
    run,
  );
}
