import { failureOfPlace, LifeboatError, sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { noDestination } from '../errors.ts';
import { sha256Hex } from '../hash.ts';
import { putConfirmed } from '../hold/put-confirmed.ts';

/**
 * The destinations of one run: the same bytes go to each, side by side. One that fails is left out for the rest of the run
 * and reported; the others go on. Only when none is left does the run fail.
 */
export interface Copies {
  readonly active: readonly Destination[];
  /** Stores and confirms an object everywhere; the names of the destinations that hold it now. */
  put(key: Key, body: Uint8Array, sha256?: string): Promise<string[]>;
  /** Leaves a destination out from now on. */
  drop(destination: Destination, error: unknown): void;
  readonly dropped: ReadonlyMap<string, unknown>;
  /** Leaves a destination out that lacks too much to wait for it: it is brought up to date after the run. */
  setAside(destination: Destination, why: string): void;
  readonly aside: ReadonlyMap<string, string>;
}

export function copiesTo(destinations: readonly Destination[], run: Run): Copies {
  let active = [...destinations];
  const dropped = new Map<string, unknown>();
  const aside = new Map<string, string>();

  function drop(destination: Destination, error: unknown): void {
    if (run.signal.aborted) throw run.signal.reason;
    if (dropped.has(destination.name)) return;
    active = active.filter((other) => other !== destination);
    dropped.set(destination.name, error);
    if (active.length > 0) {
      const { code, message } = failureOfPlace(error);
      run.problem({ code, message: `${message} The other destinations go on.` });
      return;
    }
    // Where there is only one, its own error says best what to do.
    if (dropped.size === 1 && error instanceof LifeboatError) throw error;
    throw noDestination({ why: sentenceOf(error) }, { cause: error });
  }

  return {
    get active() {
      return active;
    },
    dropped,
    drop,
    aside,
    setAside(destination, why) {
      active = active.filter((other) => other !== destination);
      aside.set(destination.name, why);
    },
    async put(key, body, sha256 = sha256Hex(body)) {
      const tried = [...active];
      const results = await Promise.allSettled(
        tried.map((destination) => putConfirmed(destination, key, body, { sha256, signal: run.signal })),
      );
      const holders: string[] = [];
      for (const [index, result] of results.entries()) {
        const destination = tried[index]!;
        if (result.status === 'fulfilled') holders.push(destination.name);
        else drop(destination, result.reason);
      }
      return holders;
    },
  };
}
