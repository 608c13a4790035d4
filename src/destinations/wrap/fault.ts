import type { Destination, History } from '../destination.ts';
import { destinationUnreachable } from '../errors.ts';

type Verb = keyof History | 'put' | 'get' | 'stat' | 'list' | 'delete' | 'freeBytes';

export interface Fault {
  /** Any verb when absent. */
  readonly verb?: Verb;
  /** Keys (for `list`: prefixes) that it applies to; all when absent. */
  readonly key?: RegExp;
  /** Which of the calls that fit is hit, from 1; every one when absent. */
  readonly nth?: number;
  /**
   * `error-before` fails without doing it, `error-after` does it and then fails. `truncate` and `flip-bit` damage the body that
   * is stored or handed out. `hang` waits for its signal, or for ever. `kill-before` and `kill-after` end this process with
   * SIGKILL.
   */
  readonly kind: 'error-before' | 'error-after' | 'truncate' | 'flip-bit' | 'hang' | 'kill-before' | 'kill-after';
  /** What is thrown; `destination-unreachable` when absent. */
  readonly error?: Error;
}

export interface FaultyDestination extends Destination {
  /** Calls so far, of one verb or of all. */
  calls(verb?: Verb): number;
  /** Faults that no call has met yet: a test whose script was not played to the end proves nothing. */
  unreached(): readonly Fault[];
}

/** Plays a script of faults over a destination, to test what is built on it. */
export function withFaults(destination: Destination, script: readonly Fault[]): FaultyDestination {
  const counts = new Map<Verb, number>();
  const fitting = new Map(script.map((fault) => [fault, 0]));
  const met = new Set<Fault>();

  const meet = (verb: Verb, key: string): Fault | undefined => {
    counts.set(verb, (counts.get(verb) ?? 0) + 1);
    let hit: Fault | undefined;
    for (const fault of script) {
      if ((fault.verb !== undefined && fault.verb !== verb) || (fault.key !== undefined && !fault.key.test(key)))
        continue;
      const count = (fitting.get(fault) ?? 0) + 1;
      fitting.set(fault, count);
      if (fault.nth === undefined || fault.nth === count) hit ??= fault;
    }
    if (hit !== undefined) met.add(hit);
    return hit;
  };

  const errorOf = (fault: Fault) =>
    fault.error ??
    destinationUnreachable({ destination: destination.name, location: destination.location, why: 'a scripted fault' });

  async function before(fault: Fault | undefined, signal?: AbortSignal): Promise<void> {
    if (fault?.kind === 'error-before') throw errorOf(fault);
    if (fault?.kind === 'kill-before') killOurselves();
    if (fault?.kind === 'hang') await untilAborted(signal);
  }

  async function after(fault: Fault | undefined): Promise<void> {
    if (fault?.kind === 'error-after') throw errorOf(fault);
    if (fault?.kind === 'kill-after') killOurselves();
  }

  async function played<T>(verb: Verb, key: string, work: (fault?: Fault) => Promise<T>, signal?: AbortSignal) {
    const fault = meet(verb, key);
    await before(fault, signal);
    const result = await work(fault);
    await after(fault);
    return result;
  }

  async function* playedList<T>(verb: Verb, prefix: string, items: AsyncIterable<T>): AsyncGenerator<T> {
    const fault = meet(verb, prefix);
    await before(fault);
    yield* items;
    await after(fault);
  }

  const { history } = destination;
  return {
    ...destination,
    ...(history && {
      history: {
        listVersions: (prefix) => playedList('listVersions', prefix, history.listVersions(prefix)),
        versionsOf: (key) => played('versionsOf', key, () => history.versionsOf(key)),
        getVersion: (key, version, range, options) =>
          played(
            'getVersion',
            key,
            async (fault) => damage(await history.getVersion(key, version, range, options), fault),
            options?.signal,
          ),
        lockOf: (key, version) => played('lockOf', key, () => history.lockOf(key, version)),
        extendLock: (key, version, untilMs) =>
          played('extendLock', key, () => history.extendLock(key, version, untilMs)),
      },
    }),
    calls: (verb) => (verb === undefined ? [...counts.values()].reduce((a, b) => a + b, 0) : (counts.get(verb) ?? 0)),
    unreached: () => script.filter((fault) => !met.has(fault)),
    put: (key, body, options) =>
      played('put', key, (fault) => destination.put(key, damage(body, fault), options), options?.signal),
    get: (key, range, options) =>
      played('get', key, async (fault) => damage(await destination.get(key, range, options), fault), options?.signal),
    stat: (key) => played('stat', key, () => destination.stat(key)),
    list: (prefix) => playedList('list', prefix, destination.list(prefix)),
    delete: (key, version) => played('delete', key, () => destination.delete(key, version)),
    freeBytes: () => played('freeBytes', '', () => destination.freeBytes()),
  };
}

function damage(bytes: Uint8Array, fault: Fault | undefined): Uint8Array {
  if (fault?.kind === 'truncate') return bytes.slice(0, bytes.length >> 1);
  if (fault?.kind !== 'flip-bit') return bytes;
  const flipped = Uint8Array.from(bytes);
  const middle = flipped.length >> 1;
  if (flipped[middle] !== undefined) flipped[middle] ^= 0x10;
  return flipped;
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function killOurselves(): void {
  process.kill(process.pid, 'SIGKILL');
}
