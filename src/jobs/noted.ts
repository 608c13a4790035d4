import type { OpenSystem } from '../operations/system.ts';
import { padme } from '../vault/format/index.ts';

/** What an entry of the ledger begins with: by whom, and when the work began. */
export function beginning({ config, tool, clock }: OpenSystem) {
  const started = new Date(clock.now()).toISOString();
  return { system: config.name, environment: config.environment, tool, started };
}

/** As everybody may read them: the exact ones are known only to who can open the restore point. */
export function publicCounts({ files, bytes }: { readonly files: number; readonly bytes: number }) {
  return { files: padme(files), bytes: padme(bytes) };
}
