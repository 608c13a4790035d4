import { aptInstall } from '../apt.ts';
import { findPostgres } from '../private-postgres.ts';

/** PostgreSQL's programs are here when it returns: installed when root, otherwise the error names the package. */
export function needPostgres(say: (text: string) => void): void {
  if (findPostgres()) return;
  if (process.getuid?.() !== 0) {
    throw new Error('PostgreSQL is not installed. Run: sudo apt-get install postgresql');
  }
  say('PostgreSQL is not installed: installing the Debian package postgresql …');
  aptInstall(['postgresql']);
}
