import { isAbsolute, join, relative, sep } from 'node:path';

/**
 * How the configuration's files lie in its restore point: those in the folder of lifeboat.yaml or below under `here/`, by
 * their way from it; all others under `host/`, by their absolute path.
 */
export function storedPath(file: string, folder: string): string {
  const way = relative(folder, file);
  const isBelow = way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
  return isBelow ? `here/${way}` : `host${file}`;
}

/** Where a stored file belongs on a host whose configuration lies in `folder`; undefined for any other path. */
export function originalPath(stored: string, folder: string): string | undefined {
  if (stored.startsWith('here/')) return join(folder, stored.slice('here/'.length));
  return stored.startsWith('host/') ? stored.slice('host'.length) : undefined;
}
