import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeStateFile } from '../../host/state-file.ts';
import { inState } from '../../host/state-names.ts';

/** What a recovery on this machine has brought back so far, so that one that was interrupted goes on where it was. */
export interface Progress {
  /** The restore point that `dataset` was brought back whole from, and when that ended; ISO 8601. */
  restored(dataset: string): { readonly restorePoint: string; readonly at: string } | undefined;
  note(dataset: string, restorePoint: string, at: string): void;
  /** What was about to go to the place of `dataset` and is not noted: a run that was killed may have come to it, or not. */
  placing(dataset: string): { readonly restorePoint: string; readonly mark: string } | undefined;
  /** `mark`: what the source knows it by. */
  notePlacing(dataset: string, restorePoint: string, mark: string): void;
}

const shape = z.strictObject({
  format: z.literal(1),
  vault: z.string(),
  restored: z.record(z.string(), z.strictObject({ restorePoint: z.string(), at: z.string() })),
  placing: z.record(z.string(), z.strictObject({ restorePoint: z.string(), mark: z.string() })).default({}),
});

/** Of another vault, or unreadable: nothing was brought back. Then a restore meets what it left, and refuses to replace it. */
export function openProgress(stateDir: string, vault: string): Progress {
  const file = inState(stateDir, 'recovery');
  const found = read(file, vault);
  const restored = new Map(Object.entries(found?.restored ?? {}));
  const placing = new Map(Object.entries(found?.placing ?? {}));
  const write = () => {
    const known = { restored: Object.fromEntries(restored), placing: Object.fromEntries(placing) };
    // On the disk before what it tells of is: a host that loses its power remembers it too.
    writeStateFile(file, { format: 1, vault, ...known });
  };
  return {
    restored: (dataset) => restored.get(dataset),
    note(dataset, restorePoint, at) {
      restored.set(dataset, { restorePoint, at });
      placing.delete(dataset);
      write();
    },
    placing: (dataset) => placing.get(dataset),
    notePlacing(dataset, restorePoint, mark) {
      placing.set(dataset, { restorePoint, mark });
      write();
    },
  };
}

function read(file: string, vault: string): z.infer<typeof shape> | undefined {
  try {
    const found = shape.parse(JSON.parse(readFileSync(file, 'utf8')));
    return found.vault === vault ? found : undefined;
  } catch {
    return undefined;
  }
}
