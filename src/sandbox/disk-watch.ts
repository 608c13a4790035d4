import { statfsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatCount, formatSize } from '../core/size.ts';
import { runCommand } from '../process/run.ts';
import { type Hit, type Limits, raise } from './limits.ts';
import { parts } from './protocol.ts';
import { deletedBytesOf } from './usage.ts';

/**
 * What is written to restored copies no quota can hold everywhere. How much free room the disk lost tells when a look into the
 * sandbox's folder is due, and only that look tells who took it.
 */
export function watchDisk(folder: string, limits: Limits, cells: () => readonly number[]) {
  const before = statfsSync(folder);
  let [bytesDue, filesDue] = [limits.diskBytes, limits.files];
  return {
    async look(): Promise<Hit | undefined> {
      const { bavail, bsize, files, ffree } = statfsSync(folder);
      const freeBytes = bavail * bsize;
      if (freeBytes < limits.leastFreeBytes) return short(`${formatSize(freeBytes)} of room`);
      if (files > 0 && ffree < Math.min(1000, files / 100)) return short(`room for ${formatCount(ffree)} files`);
      const bytesGone = before.bavail * bsize - freeBytes;
      if (bytesGone >= bytesDue) {
        const used = await measure(folder, '--block-size=1', bytesGone, deletedBytesOf(cells()));
        if (used >= limits.diskBytes) return tooMany('disk', formatSize(limits.diskBytes));
        bytesDue = bytesGone + limits.diskBytes - used;
      }
      const filesGone = files - ffree - (before.files - before.ffree);
      if (filesGone >= filesDue) {
        const used = await measure(folder, '--inodes', filesGone, 0);
        if (used >= limits.files) return tooMany('files', `${formatCount(limits.files)} files`);
        filesDue = filesGone + limits.files - used;
      }
      return undefined;
    },
  };
}

function short(left: string): Hit {
  const next = 'Make room, or set LIFEBOAT_STATE_DIR to a folder on a larger disk';
  return { of: 'disk', why: `it left only ${left} on the disk`, next };
}

function tooMany(of: 'disk' | 'files', most: string): Hit {
  return { of, why: `on disk it has more than the ${most} that it and the restored data may have`, next: raise(of) };
}

/** What lies in the folder. Where not all of it can be looked at, it is taken to hold all that is gone from the disk. */
async function measure(folder: string, unit: string, gone: number, beside: number): Promise<number> {
  try {
    // An overlay's own folder of work is closed to its owner too, and to the application out of reach.
    const layers = (await readdir(join(folder, 'layers'))).map((name) => join('layers', name, 'changes'));
    const folders = [...parts, ...layers].map((name) => join(folder, name));
    const { stdout } = await runCommand('du', ['--summarize', '--total', '--one-file-system', unit, '--', ...folders]);
    const total = stdout.toString().trimEnd().split('\n').at(-1)?.split('\t')[0];
    return Number(total) + beside;
  } catch {
    return gone;
  }
}
