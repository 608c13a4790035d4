import * as fs from 'node:fs/promises';
import { sentenceOf } from '../../core/errors.ts';
import type { BytePath } from '../../core/paths.ts';
import { showPath } from '../../core/paths.ts';
import type { Problem } from '../../core/run.ts';
import { findOnPath } from '../../process/programs.ts';
import { runCommand } from '../../process/run.ts';
import { codeOf, onDisk } from '../file-system.ts';
import type { RootFacts } from './capture.ts';

interface FolderMetadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly xattrs?: Readonly<Record<string, string>>;
}

export function applyMetadata(path: BytePath, root: RootFacts): Promise<Problem[]> {
  return setMetadata(path, { ...root, mtimeNs: BigInt(root.mtimeNs) });
}

/** Gives a folder its owner, permissions, attributes and time. What cannot be set is a problem, not a failure. */
export async function setMetadata(path: BytePath, metadata: FolderMetadata): Promise<Problem[]> {
  const problems: Problem[] = [];
  const place = onDisk(path);
  const attempt = async (what: string, work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code === undefined ? sentenceOf(error) : codeOf(error);
      problems.push({
        code: 'metadata-not-set',
        message: `The ${what} of ${showPath(path)} could not be set: ${why}.`,
      });
    }
  };
  const found = await fs.stat(place);
  if (found.uid !== metadata.uid || found.gid !== metadata.gid) {
    await attempt('owner', () => fs.chown(place, metadata.uid, metadata.gid));
  }
  await attempt('permissions', () => fs.chmod(place, metadata.mode));
  const xattrs = Object.entries(metadata.xattrs ?? {});
  if (xattrs.length > 0) await attempt('extended attributes', () => setXattrs(path, xattrs));
  const seconds = Number(metadata.mtimeNs) / 1e9;
  await attempt('time', () => fs.utimes(place, seconds, seconds));
  return problems;
}

async function setXattrs(path: BytePath, xattrs: readonly (readonly [string, string])[]): Promise<void> {
  const setfattr = await findOnPath('setfattr');
  if (setfattr === undefined) throw new Error('setfattr is missing (apt-get install attr)');
  const lines = xattrs.map(([name, value]) => `${quote(name)}=0x${Buffer.from(value, 'latin1').toString('hex')}`);
  const input = Buffer.from(`# file: ${quote(path)}\n${lines.join('\n')}\n\n`, 'latin1');
  await runCommand(setfattr, ['--restore=-'], { input });
}

function quote(text: string): string {
  return text.replace(/[\\\n\r=]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
