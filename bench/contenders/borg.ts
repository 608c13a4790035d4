import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Contender, quoted, type Subject } from '../contender.ts';
import { measure } from '../measure.ts';

/** borg with its own encryption and zstd at level 1. An archive needs a name: the phase's. */
export function borgContender(subject: Subject, work: string): Contender {
  const repository = join(work, 'repository');
  const env = { BORG_REPO: repository, BORG_PASSPHRASE: 'a password for the bench', BORG_BASE_DIR: join(work, 'base') };
  const run = (words: string, cwd = work) => ({ line: `borg ${words}`, env, cwd, alsoDone: [1] });
  let newest = '';
  return {
    name: 'borg',
    repository,
    async prepare() {
      mkdirSync(env.BORG_BASE_DIR, { recursive: true });
      await measure(run('init --encryption repokey-blake2'));
    },
    command(phase, target) {
      if (phase === 'restore') return run(`extract ::${newest}`, target);
      if (phase === 'full verification') return run('check --verify-data');
      newest = phase.replace(/[^a-z0-9]+/g, '-');
      return run(`create --compression zstd,1 ::${newest} ${quoted(subject.where)}`);
    },
    restoredAt: (target) => join(target, subject.where),
  };
}
