import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** The full path of a program on PATH, or undefined. */
export async function findOnPath(name: string, path = process.env.PATH ?? ''): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

const debianPackages: ReadonlyArray<readonly [string, readonly string[]]> = [
  ['postgresql-client', ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql']],
  ['postgresql', ['postgres', 'initdb', 'pg_ctl', 'pg_amcheck']],
  ['util-linux', ['setpriv', 'unshare', 'nsenter']],
  ['acl', ['getfacl', 'setfacl']],
  ['attr', ['getfattr', 'setfattr']],
  ['age', ['age', 'age-keygen']],
  ['zstd', ['zstd']],
];

/** The Debian package that holds a program, where we know it. */
export function debianPackageOf(tool: string): string | undefined {
  return debianPackages.find(([, tools]) => tools.includes(tool))?.[0];
}
