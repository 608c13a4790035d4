import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Contender, type Phase, quoted, type Subject } from '../contender.ts';
import { type Command, measure } from '../measure.ts';

/**
 * What a careful person pipes together: `tar | zstd -1 | age` for files, `pg_dump -Fc -Z0 | zstd -1 | age` for databases.
 * It knows no unchanged data: each backup is whole and replaces the last one.
 */
export function pipeContender(subject: Subject, work: string): Contender {
  const repository = join(work, 'repository');
  const backup = quoted(join(repository, 'backup.zst.age'));
  const identity = quoted(join(work, 'identity.txt'));
  const files = subject.kind === 'files';
  const read = files
    ? `tar --create --file=- --directory=${quoted(dirname(subject.where))} ${quoted(basename(subject.where))}`
    : `pg_dump --format=custom --compress=0 ${quoted(subject.where)}`;
  const write = (target: string) =>
    files
      ? `tar --extract --file=- --directory=${quoted(target)}`
      : `pg_restore --exit-on-error --dbname=${quoted(target)}`;

  return {
    name: files ? 'tar|zstd|age' : 'pg_dump|zstd|age',
    repository,
    async prepare() {
      mkdirSync(repository, { recursive: true });
      await measure({ line: `age-keygen --output ${identity}` });
    },
    command(phase: Phase, target): Command {
      const open = `age --decrypt --identity ${identity} ${backup}`;
      if (phase === 'restore') return { line: `${open} | zstd --quiet -d | ${write(target)}` };
      if (phase === 'full verification') return { line: `${open} | zstd --quiet --test` };
      return { line: `${read} | zstd --quiet -1 | age --encrypt --identity ${identity} > ${backup}` };
    },
    restoredAt: (target) => join(target, basename(subject.where)),
  };
}
