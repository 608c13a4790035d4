/** Looks at the files that rows name. A thread of its own, so that a check over a million files can be ended. Never imported. */
import { parentPort, workerData } from 'node:worker_threads';
import { showPath } from '../../../core/paths.ts';
import { unknownType } from './file-types.ts';
import { inspectFile } from './inspect-file.ts';
import { startPathSet } from './path-set.ts';
import type { FromReferencesWorker, ReferencesWork, ToReferencesWorker } from './references.ts';
import { openRestoredFiles } from './restored-files.ts';

const { trees, dataset, opens } = workerData as ReferencesWork;
const files = openRestoredFiles(trees);
const seen = startPathSet();

function inspectAll({ references }: Extract<ToReferencesWorker, { type: 'inspect' }>): FromReferencesWorker {
  const troubles: string[] = [];
  const unknown: Record<string, number> = {};
  for (const reference of references) {
    const { found, trouble } = inspectFile(files, dataset, reference, opens);
    if (found?.dataset === dataset) seen.add(found.path);
    const type = opens && trouble === undefined ? unknownType(reference.path) : undefined;
    if (type !== undefined) unknown[type] = (unknown[type] ?? 0) + 1;
    if (trouble !== undefined) troubles.push(`${showPath(reference.path)} ${trouble}`);
  }
  return { type: 'inspected', troubles, unknown };
}

/** Files that no row named. */
function countOrphans(): FromReferencesWorker {
  let count = 0;
  let example: string | undefined;
  for (const path of files.list(dataset)) {
    if (seen.has(path)) continue;
    count++;
    example ??= showPath(path);
  }
  return { type: 'orphans', count, ...(example !== undefined && { example }) };
}

parentPort?.on('message', (message: ToReferencesWorker) => {
  parentPort?.postMessage(message.type === 'inspect' ? inspectAll(message) : countOrphans());
});
