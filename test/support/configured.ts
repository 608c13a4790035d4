import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSystem } from '../../src/config/load.ts';
import type { System } from '../../src/config/system.ts';
import { temporaryFolder } from './temp.ts';

/** The system `harbor` in a folder of its own, for two recipients that nobody can be; `more`: the rest of its lifeboat.yaml. */
export async function configured(more: string): Promise<{ readonly folder: string; readonly config: System }> {
  const folder = await temporaryFolder();
  const file = join(folder, 'lifeboat.yaml');
  const recipients = ['q', 'p'].map((letter) => `age1${letter.repeat(58)}`).join(', ');
  writeFileSync(file, `version: 1\nsystem: harbor\nvault: { recipients: [${recipients}] }\n${more}\n`);
  return { folder, config: loadSystem(file, { LIFEBOAT_STATE_DIR: join(folder, 'state') }) };
}
