import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { type BytePath, pathFromText, showPath } from '../../core/paths.ts';
import { runCommand } from '../../process/run.ts';
import { targetUnsuitable } from '../errors.ts';
import { workPrefix } from '../exchange.ts';
import { codeOf, isGone, onDisk } from '../file-system.ts';
import { mountPoints } from './mounts.ts';

export async function stateOf(target: BytePath): Promise<'absent' | 'empty' | 'filled' | 'other'> {
  try {
    const names = await fs.readdir(onDisk(target), 'latin1');
    return names.every((name) => name.startsWith(workPrefix)) ? 'empty' : 'filled';
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return 'other';
    if (isGone(error)) return 'absent';
    throw targetUnsuitable({ target: showPath(target), why: codeOf(error) }, { cause: error });
  }
}

export async function mustStay(folder: string): Promise<boolean> {
  if ((await mountPoints()).has(folder)) return true;
  const [own, parent] = await Promise.all([fs.stat(folder), fs.stat(dirname(folder))]);
  if (own.dev !== parent.dev) return true;
  return fs.access(dirname(folder), fs.constants.W_OK).then(
    () => false,
    () => true,
  );
}

/** What goes is removed with all that is in it. What is mounted there was in no backup, and would go as well. */
export async function refuseMountsIn(target: BytePath): Promise<void> {
  const inside = [...(await mountPoints())].find((mount) => pathFromText(mount).startsWith(`${target}/`));
  if (inside === undefined) return;
  const why = `another file system is mounted in it, at ${inside}`;
  throw targetUnsuitable({ target: showPath(target), why });
}

/** What replaces something must be on the disk before that is removed. */
export async function flush(folder: BytePath): Promise<void> {
  // Through sh, which reads the name from its input: arguments of Node's children are text, and names are bytes.
  await runCommand('sh', ['-c', 'IFS= read -r folder; sync -f "$folder" || sync'], {
    input: Buffer.from(`${folder}\n`, 'latin1'),
  });
}
