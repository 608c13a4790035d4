import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isAlive } from '../host/identity.ts';
import { runCommand } from '../process/run.ts';
import { groupsNamed, removeGroups } from './groups.ts';
import { parseMounts } from './mount-table.ts';
import { type Registered, registered, unregister } from './registry.ts';

const execute = promisify(execFile);

export interface Collected {
  /** Ids of sandboxes that were removed. */
  readonly removed: readonly string[];
  /** Of drills that still run. */
  readonly running: readonly string[];
  /** Registry files that were left alone, and why. */
  readonly left: ReadonlyArray<{ readonly file: string; readonly why: string }>;
}

/** Removes what killed drills left: only what is registered, only when the process that registered it is gone. */
export async function collectGarbage(
  stateDir: string,
  options: { readonly dryRun?: boolean } = {},
): Promise<Collected> {
  const removed: string[] = [];
  const running: string[] = [];
  const left: { file: string; why: string }[] = [];
  for (const { file, sandbox } of await registered(stateDir)) {
    if (sandbox === undefined) left.push({ file, why: 'it is not an entry that Lifeboat wrote' });
    else if (isAlive(sandbox.owner)) running.push(sandbox.id);
    else {
      if (!options.dryRun) {
        await removeSandbox(sandbox);
        await unregister(stateDir, sandbox.id);
      }
      removed.push(sandbox.id);
    }
  }
  return { removed, running, left };
}

/** Ends its processes, takes off its mounts and removes its folder. Safe to repeat. */
export async function removeSandbox(sandbox: Registered): Promise<void> {
  // What a drill starts ends with it, however it ends. Should something have stayed, its groups still know it.
  await removeGroups(groupsNamed(sandbox.id));
  await unmountBelow(sandbox.folder);
  if (sandbox.link !== undefined) await rm(sandbox.link, { force: true });
  await removeTree(sandbox.folder);
}

/** Mounts live in the sandbox's own namespace and go with it. Should one ever be ours, removing files through it is worse. */
async function unmountBelow(folder: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const mounts = parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  const below = mounts.filter(({ target }) => target === folder || target.startsWith(`${folder}/`));
  for (const { target } of below.reverse()) await execute('umount', ['--lazy', target]);
}

/**
 * Removes what an application may have left to stay: folders without any rights (restored ones may have none either), trees
 * deeper than a path can name, names of any bytes. `rm` and `find` go from folder to folder, never by a whole path, and
 * neither follows a link.
 */
async function removeTree(folder: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await runCommand('rm', ['-rf', '--one-file-system', '--', folder]);
      return;
    } catch (error) {
      // Without root, rights are missing; or what was killed just now still wrote.
      if (attempt === 4) throw error;
      await openUp(folder);
      await sleep(100);
    }
  }
}

/** Gives us the rights to remove what is in it, folder by folder. */
async function openUp(folder: string): Promise<void> {
  const closed = ['-type', 'd', '!', '-perm', '-u=rwx'];
  // A folder that `find` works in must not be one that programs are looked for in.
  const path = (process.env.PATH ?? '').split(':').filter((one) => one.startsWith('/'));
  const words = [folder, '-xdev', ...closed, '-execdir', 'chmod', 'u=rwx', '--', '{}', ';'];
  await runCommand('find', words, { env: { ...process.env, PATH: path.join(':') }, okExitCodes: [0, 1] });
}
