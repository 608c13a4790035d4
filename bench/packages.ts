import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { aptInstall } from '../examples/apt.ts';
import { findPostgres } from '../examples/private-postgres.ts';

/** Programs that the contenders run, with the Debian package of each. */
const packageOf: Readonly<Record<string, string>> = {
  restic: 'restic',
  borg: 'borgbackup',
  age: 'age',
  zstd: 'zstd',
  tar: 'tar',
  pg_dump: 'postgresql',
  mariadb: 'mariadb-client-core',
  'mariadb-dump': 'mariadb-client',
  mariadbd: 'mariadb-server-core',
  postgres: 'postgresql',
};

/** Makes sure that these programs are here. Installs only when asked; otherwise throws with the line that installs them. */
export function requirePrograms(programs: readonly string[], install: boolean): void {
  const missing = [...new Set(programs.filter((program) => !isHere(program)).map((program) => packageOf[program]!))];
  if (missing.length === 0) return;
  const line = `apt-get install ${missing.join(' ')}`;
  if (!install) throw new Error(`Not here yet: ${missing.join(', ')}. Run \`${line}\` as root, or pass --install.`);
  if (process.getuid?.() !== 0) throw new Error(`--install needs root. Run: sudo ${line}`);
  process.stderr.write(`Installing ${missing.join(', ')} …\n`);
  aptInstall(missing);
}

function isHere(program: string): boolean {
  if (program === 'postgres') return findPostgres() !== undefined;
  return `${process.env.PATH}:/usr/sbin`.split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
