import { existsSync } from 'node:fs';
import type { System } from '../../config/system.ts';
import { configurationDataset } from '../../core/configuration-dataset.ts';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { choiceOrNone, type RestorePoints, type VaultReader } from '../../vault/index.ts';
import { storedPath } from '../configuration/layout.ts';
import { readConfiguration } from '../configuration/read-back.ts';
import { planMissing, writePlaces } from './bring-back.ts';

/**
 * Brings back what the configuration refers to in its own folder and is not there: without its envFile no database can be reached.
 * What lies elsewhere on the host is left to people. What could not be had is told; a dataset that needs it fails by itself.
 */
export async function bringOwnFiles(
  config: Pick<System, 'files' | 'file' | 'root'>,
  vault: VaultReader,
  found: RestorePoints,
  request: { readonly identities: readonly string[]; readonly atMs?: number },
  run: Run,
): Promise<void> {
  const gone = config.files.filter((file) => !existsSync(file)).map((file) => storedPath(file, config.root));
  const missing = gone.filter((stored) => stored.startsWith('here/'));
  const choice = missing.length === 0 ? undefined : choiceOrNone(found, configurationDataset, request.atMs);
  if (choice === undefined) return;
  try {
    const stored = await readConfiguration(await vault.open(choice.point, request.identities));
    const files = stored.files.filter(({ path }) => missing.includes(path));
    if (files.length === 0) return;
    const places = await planMissing(files, config.root);
    await writePlaces(places);
    for (const { path, why, expected } of places.files) {
      const where = why === undefined ? '' : ` at ${path}, because ${why}`;
      const message = `${expected} was gone. It is back as of ${choice.point.record.time}${where}.`;
      run.problem({ code: 'configuration-file-back', message });
    }
  } catch (error) {
    run.signal.throwIfAborted();
    run.problem({ code: 'configuration-file-lost', message: sentenceOf(error) });
  }
}
