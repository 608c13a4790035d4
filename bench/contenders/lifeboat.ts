import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { type Contender, quoted, type Subject } from '../contender.ts';

const lifeboat = join(import.meta.dirname, '../../bin/lifeboat');

export function lifeboatContender(subject: Subject, work: string): Contender {
  const config = join(work, 'lifeboat.yaml');
  const identity = join(work, 'identity.txt');
  const repository = join(work, 'repository');
  const env = { LIFEBOAT_STATE_DIR: join(work, 'state'), LIFEBOAT_BENCH_URL: subject.where };
  const run = (words: string) => ({ line: `${quoted(lifeboat)} --config ${quoted(config)} ${words}`, env });
  const dataset =
    subject.kind === 'files'
      ? { type: 'files', path: subject.where, defaultExcludes: false }
      : { type: subject.kind, url: '$' + '{LIFEBOAT_BENCH_URL}' };

  return {
    name: 'lifeboat',
    repository,
    async prepare() {
      mkdirSync(work, { recursive: true });
      const pair = generateIdentity();
      writeFileSync(identity, `${pair.identity}\n`, { mode: 0o600 });
      const system = {
        version: 1,
        system: 'bench',
        vault: { recipients: [pair.recipient] },
        destinations: { local: { type: 'local', path: repository } },
        datasets: { bench: dataset },
      };
      // JSON is YAML.
      writeFileSync(config, JSON.stringify(system, null, 2));
    },
    command(phase, target) {
      if (phase === 'restore') return run(`restore bench --into ${quoted(target)} --identity ${quoted(identity)}`);
      if (phase === 'full verification') return run(`verify --all --identity ${quoted(identity)}`);
      return run('backup');
    },
    restoredAt: (target) => target,
  };
}
