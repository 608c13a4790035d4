import * as fs from 'node:fs';
import type { BytePath } from '../../core/paths.ts';
import { isGone, onDisk } from '../file-system.ts';
import type { Weight } from './walk.ts';

/** What is left out is counted at each backup, so no more of it than takes a second or two. */
const MOST_COUNTED = 250_000;
/** The caller gives way so often. */
const PACE = 4096;

/** A folder of which nothing but its name is known. */
export const unseen: Weight = { files: 0, bytes: 0, folders: 1, more: true };

export type Scale = ReturnType<typeof startScale>;

/** Counts what a walk leaves out, without a look beyond `mounts`. It yields nothing, now and then. */
export function startScale(mounts: ReadonlySet<BytePath>) {
  let counted = 0;

  function* weighInside(folder: BytePath): Generator<never[], Weight> {
    const sum = { files: 0, bytes: 0, folders: 0, more: false };
    const waiting = [folder];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      for (const name of namesIn(at, sum)) {
        if (counted >= MOST_COUNTED) return { ...sum, more: true };
        if (++counted % PACE === 0) yield [];
        const file: BytePath = `${at}/${name}`;
        const isMount = mounts.has(file);
        const found = isMount ? undefined : lookAt(file, sum);
        if (isMount) sum.more = true;
        else if (found?.isDirectory()) waiting.push(file);
        else if (found !== undefined) {
          sum.files++;
          if (found.isFile()) sum.bytes += found.size;
        }
        if (isMount || found?.isDirectory()) sum.folders++;
      }
    }
    return sum;
  }

  return {
    weighInside,
    *weigh(file: BytePath, found: fs.BigIntStats): Generator<never[], Weight> {
      if (!found.isDirectory()) {
        return { files: 1, bytes: found.isFile() ? Number(found.size) : 0, folders: 0, more: false };
      }
      if (mounts.has(file)) return unseen;
      const inside = yield* weighInside(file);
      return { ...inside, folders: inside.folders + 1 };
    },
  };
}

function namesIn(folder: BytePath, sum: { more: boolean }): BytePath[] {
  try {
    return fs.readdirSync(onDisk(folder), 'latin1');
  } catch (error) {
    if (!isGone(error)) sum.more = true;
    return [];
  }
}

function lookAt(file: BytePath, sum: { more: boolean }): fs.Stats | undefined {
  try {
    return fs.lstatSync(onDisk(file));
  } catch (error) {
    if (!isGone(error)) sum.more = true;
    return undefined;
  }
}
