import { createHash } from 'node:crypto';
import { sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import type { Destination, Key, Listed } from './destination.ts';
import { objectDamaged, objectExists, objectMissing } from './errors.ts';

export interface Copied {
  readonly copied: number;
  readonly copiedBytes: number;
  /** Were there already, with the same size. */
  readonly existed: number;
  /** Objects that could not be copied for a reason of their own: missing or damaged in `from`, other bytes in `to`. */
  readonly refused: ReadonlyArray<{ readonly key: Key; readonly code: string; readonly why: string }>;
}

/** So many objects are held in memory at once. */
const mostAtOnce = 4;

/**
 * Copies the objects that `to` does not hold. What is named by its SHA-256 is checked on the way, so a damaged object never
 * spreads. Goes on after an object that cannot be copied; throws what concerns a whole destination (full, unreachable …).
 */
export async function copyMissing(
  from: Destination,
  to: Destination,
  keys: Iterable<Key> | AsyncIterable<Key>,
  run: Run,
): Promise<Copied> {
  const refused: { key: Key; code: string; why: string }[] = [];
  let copied = 0;
  let copiedBytes = 0;
  let existed = 0;

  const copyOne = async (key: Key) => {
    try {
      const sizeBytes = await copyUnlessThere(from, to, key, run.signal);
      if (sizeBytes === undefined) existed++;
      else copied++;
      copiedBytes += sizeBytes ?? 0;
    } catch (error) {
      if (!objectMissing.is(error) && !objectDamaged.is(error) && !objectExists.is(error)) throw error;
      refused.push({ key, code: error.code, why: sentenceOf(error) });
    }
    run.progress({ doneItems: copied + existed + refused.length, doneBytes: copiedBytes });
  };

  await inParallel(keys, mostAtOnce, copyOne, run.signal);
  return { copied, copiedBytes, existed, refused };
}

/** The size of what was copied, or undefined when nothing had to be. */
async function copyUnlessThere(
  from: Destination,
  to: Destination,
  key: Key,
  signal: AbortSignal,
): Promise<number | undefined> {
  const [source, target] = await Promise.all([from.stat(key), statOrAbsent(to, key)]);
  if (target?.sizeBytes === source.sizeBytes) return undefined;
  const body = await from.get(key, undefined, { signal });
  const sha256 = createHash('sha256').update(body).digest('hex');
  const named = /(?:^|\/)([0-9a-f]{64})(?:\.[^/]*)?$/.exec(key)?.[1];
  if (named !== undefined && named !== sha256) {
    throw objectDamaged({ destination: from.name, key, why: 'its bytes are not the ones that its name promises' });
  }
  await to.put(key, body, { sha256, signal });
  return body.length;
}

async function statOrAbsent(destination: Destination, key: Key): Promise<Listed | undefined> {
  return destination.stat(key).catch((error: unknown) => {
    if (objectMissing.is(error)) return undefined;
    throw error;
  });
}

/** Takes from `items` as fast as `most` workers finish. The first failure stops the others after their item. */
async function inParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  most: number,
  work: (item: T) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const item of items) {
      if (failure !== undefined || signal.aborted) break;
      const task = work(item)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(task));
      running.add(task);
      if (running.size >= most) await Promise.race(running);
    }
  } finally {
    await Promise.all(running);
  }
  signal.throwIfAborted();
  if (failure !== undefined) throw failure.error;
}
