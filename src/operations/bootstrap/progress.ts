import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** What a recovery on this machine has brought back so far, so that one that was interrupted goes on where it was. */
export interface Progress {
  /** The restore point that `dataset` was brought back whole from, and when that ended; ISO 8601. */
  restored(dataset: string): { readonly restorePoint: string; readonly at: string } | undefined;
  note(dataset: string, restorePoint: string, at: string): void;
}

const shape = z.strictObject({
  format: z.literal(1),
  vault: z.string(),
  restored: z.record(z.string(), z.strictObject({ restorePoint: z.string(), at: z.string() })),
});

/** Of another vault, or unreadable: nothing was brought back. Then a restore meets what it left, and refuses to replace it. */
export function openProgress(stateDir: string, vault: string): Progress {
  const file = join(stateDir, 'recovery.json');
  const restored = new Map(Object.entries(read(file, vault)));
  return {
    restored: (dataset) => restored.get(dataset),
    note(dataset, restorePoint, at) {
      restored.set(dataset, { restorePoint, at });
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.new`, `${JSON.stringify({ format: 1, vault, restored: Object.fromEntries(restored) })}\n`);
      renameSync(`${file}.new`, file);
    },
  };
}

function read(file: string, vault: string): z.infer<typeof shape>['restored'] {
  try {
    const found = shape.parse(JSON.parse(readFileSync(file, 'utf8')));
    return found.vault === vault ? found.restored : {};
  } catch {
    return {};
  }
}
