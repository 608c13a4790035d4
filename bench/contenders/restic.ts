import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, quoted, type Subject } from '../contender.ts';
import { measure } from '../measure.ts';

/** restic as its manual sets it up: repository version 2, compression `auto`, its cache kept (in a folder of this run). */
export function resticContender(subject: Subject, work: string): Contender {
  const repository = join(work, 'repository');
  const env = {
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD_FILE: join(work, 'password'),
    RESTIC_CACHE_DIR: join(work, 'cache'),
  };
  const run = (words: string) => ({ line: `restic --quiet ${words}`, env });
  return {
    name: 'restic',
    repository,
    async prepare() {
      mkdirSync(work, { recursive: true });
      writeFileSync(env.RESTIC_PASSWORD_FILE, 'a password for the bench\n');
      await measure(run('init --repository-version 2'));
    },
    command(phase, target) {
      if (phase === 'restore') return run(`restore latest --target ${quoted(target)}`);
      if (phase === 'full verification') return run('check --read-data');
      return run(`backup ${quoted(subject.where)}`);
    },
    restoredAt: (target) => join(target, subject.where),
  };
}
