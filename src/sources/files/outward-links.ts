import { type BytePath, isInside } from '../../core/paths.ts';

/** Programs, libraries and devices: a new machine has its own, so a link to one of them leads to nothing that is missing. */
const ofTheSystem = ['bin', 'dev', 'etc/alternatives', 'lib', 'lib32', 'lib64', 'proc', 'run', 'sbin', 'sys', 'usr'];

export interface Link {
  /** In the dataset's folder. */
  readonly path: BytePath;
  readonly target: BytePath;
}

/**
 * Where a symbolic link leads when that is out of everything that a backup brings back; undefined when it stays. The target is
 * not looked at: it may be on a disk that does not answer. `homes` are absolute: this dataset's folder, and what others bring back.
 */
export function leadsOut(folder: BytePath, link: Link, homes: readonly BytePath[]): BytePath | undefined {
  const target = absolute(folder, link);
  const stays = [...homes, ...ofTheSystem.map((name) => `/${name}`)].some((home) => isInside(target, home));
  return stays ? undefined : target;
}

function absolute(folder: BytePath, { path, target }: Link): BytePath {
  const names: BytePath[] = [];
  const from = target.startsWith('/') ? '' : `${folder}/${path}/..`;
  for (const name of `${from}/${target}`.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return `/${names.join('/')}`;
}
