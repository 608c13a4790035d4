import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from './binary-objects.ts';
import { Broken } from './strict-json.ts';
import type { Keys } from './vault-check.ts';

/** By Debian's `age`; secrets go through a pipe. What was opened once is remembered, so that many changed vaults cost little. */
export function ageKeys(folder: string): Keys & { remember(sealed: Buffer, plain: Buffer): void } {
  const known = new Map<string, Buffer>();
  const file = join(folder, 'sealed');
  return {
    nameOf(secret) {
      const recipient = execFileSync('age-keygen', ['-y'], { input: `${secret}\n` })
        .toString()
        .trim();
      return createHash('sha256').update(recipient).digest('hex');
    },
    open(bytes, secrets) {
      const before = known.get(sha256(bytes));
      if (before !== undefined) return before;
      writeFileSync(file, bytes);
      const { status, stdout } = spawnSync('age', ['-d', '-i', '-', file], {
        input: secrets.join('\n'),
        maxBuffer: 2 ** 30,
      });
      if (status !== 0) throw new Broken('no key opens it');
      known.set(sha256(bytes), stdout);
      return stdout;
    },
    remember(sealed, plain) {
      known.set(sha256(sealed), plain);
    },
  };
}
