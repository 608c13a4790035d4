import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { aptInstall, mayInstall } from '../apt.ts';
import { findPostgres } from '../private-postgres.ts';

/** PostgreSQL's programs are here when it returns: installed as root or by sudo, otherwise the error names the package. */
export function needPostgres(say: (text: string) => void): void {
  if (!findPostgres()) install('postgresql', 'PostgreSQL', say);
}

/** The same for what drills keep the restored application away from this host with. */
export function needSandbox(say: (text: string) => void): void {
  if (process.platform === 'linux' && !isOnPath('bwrap')) install('bubblewrap', 'bubblewrap', say);
}

function install(name: string, what: string, say: (text: string) => void): void {
  if (!mayInstall()) throw new Error(`${what} is not installed. Run: sudo apt-get install ${name}`);
  say(`${what} is not installed: installing the Debian package ${name} …`);
  aptInstall([name]);
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
