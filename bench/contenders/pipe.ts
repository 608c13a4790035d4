import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Contender, type Phase, quoted, type Subject } from '../contender.ts';
import { databaseIn, socketIn } from '../mariadb.ts';
import { type Command, measure } from '../measure.ts';

const toolsOf: Readonly<Record<Subject['kind'], Tools>> = {
  files: {
    name: 'tar',
    read: (where) => `tar --create --file=- --directory=${quoted(dirname(where))} ${quoted(basename(where))}`,
    write: (target) => `tar --extract --file=- --directory=${quoted(target)}`,
  },
  postgres: {
    name: 'pg_dump',
    read: (where) => `pg_dump --format=custom --compress=0 ${quoted(where)}`,
    write: (target) => `pg_restore --exit-on-error --dbname=${quoted(target)}`,
  },
  mysql: {
    name: 'mariadb-dump',
    read: (where) => `mariadb-dump ${guest(where)} --single-transaction --routines --events ${databaseIn(where)}`,
    write: (target) => `mariadb ${guest(target)} ${databaseIn(target)}`,
  },
};

interface Tools {
  readonly name: string;
  /** Words of a shell. */
  readonly read: (where: string) => string;
  readonly write: (target: string) => string;
}

function guest(url: string): string {
  return `--no-defaults --user=root --socket=${quoted(socketIn(url))}`;
}

/**
 * What a careful person pipes together: `tar | zstd -1 | age` for files, `pg_dump -Fc -Z0 | zstd -1 | age` and
 * `mariadb-dump | zstd -1 | age` for databases.
 * It knows no unchanged data: each backup is whole and replaces the last one.
 */
export function pipeContender(subject: Subject, work: string): Contender {
  const repository = join(work, 'repository');
  const backup = quoted(join(repository, 'backup.zst.age'));
  const identity = quoted(join(work, 'identity.txt'));
  const { name, read, write } = toolsOf[subject.kind];

  return {
    name: `${name}|zstd|age`,
    repository,
    async prepare() {
      mkdirSync(repository, { recursive: true });
      await measure({ line: `age-keygen --output ${identity}` });
    },
    command(phase: Phase, target): Command {
      const open = `age --decrypt --identity ${identity} ${backup}`;
      if (phase === 'restore') return { line: `${open} | zstd --quiet -d | ${write(target)}` };
      if (phase === 'full verification') return { line: `${open} | zstd --quiet --test` };
      return { line: `${read(subject.where)} | zstd --quiet -1 | age --encrypt --identity ${identity} > ${backup}` };
    },
    restoredAt: (target) => join(target, basename(subject.where)),
  };
}
