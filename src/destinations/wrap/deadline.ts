import { formatDuration } from '../../core/duration.ts';
import { formatSize } from '../../core/size.ts';
import type { Destination, History } from '../destination.ts';
import { destinationUnreachable } from '../errors.ts';
import { mostBytesOf } from '../object-sizes.ts';

export interface Patience {
  /** How long a place may take to begin with. */
  readonly answerMs: number;
  /** What it must move at least while it sends or receives. */
  readonly bytesPerSecond: number;
}

/** A line of 128 kbit/s carries it, where nothing shares that line (`withFewerWhenSlow`). A disk is quicker, or hangs. */
const usual = {
  line: { answerMs: 60_000, bytesPerSecond: 16 * 1024 },
  disk: { answerMs: 60_000, bytesPerSecond: 64 * 1024 },
};

/** From this size on its time depends on the line. */
const mentionedBytes = 1 << 20;

/** More than a pack: a forged record may say any size. */
const mostTimedBytes = 64 * 1024 * 1024;

/**
 * Ends every verb that takes longer than it may: a place that hangs must not hang those beside it. Retries and turns are
 * inside, so this is the longest that anything takes. It is the last guard: adapters notice a silent connection much sooner.
 */
export function withDeadline(
  destination: Destination,
  patience: Patience = destination.type === 'local' ? usual.disk : usual.line,
): Destination {
  const { answerMs, bytesPerSecond } = patience;
  // A forged record may ask for any number of bytes, and a timer that is set too far ends at once.
  const timeFor = (sizeBytes: number) => answerMs + (Math.min(sizeBytes, mostTimedBytes) / bytesPerSecond) * 1000;

  async function within<T>(
    sizeBytes: number,
    work: (signal: AbortSignal) => Promise<T>,
    outer?: AbortSignal,
  ): Promise<T> {
    const allowedMs = timeFor(sizeBytes);
    const late = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const slow =
        sizeBytes < mentionedBytes
          ? ''
          : `, for ${formatSize(sizeBytes)}: the line carries less than ${formatSize(bytesPerSecond)}/s, or it hangs`;
      const why = `it did not answer within ${formatDuration(allowedMs)}${slow}`;
      const error = destinationUnreachable({ destination: destination.name, location: destination.location, why });
      reject(error);
      late.abort(error);
    }, allowedMs);
    try {
      return await Promise.race([work(outer ? AbortSignal.any([outer, late.signal]) : late.signal), promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function* eachWithin<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]();
    let hangs = true;
    try {
      for (;;) {
        hangs = true;
        const next = await within(0, () => iterator.next());
        hangs = false;
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // A listing that hangs would hang in its own end as well.
      const ended = iterator.return?.();
      if (hangs) ended?.catch(() => {});
      else await ended;
    }
  }

  const { history } = destination;
  return {
    ...destination,
    ...(history && { history: historyWithin(history, within, eachWithin) }),
    put: (key, body, options) =>
      within(body.length, (signal) => destination.put(key, body, { ...options, signal }), options?.signal),
    get: (key, range, options) =>
      within(
        range?.length ?? mostBytesOf(key, options),
        (signal) => destination.get(key, range, { ...options, signal }),
        options?.signal,
      ),
    stat: (key) => within(0, () => destination.stat(key)),
    list: (prefix) => eachWithin(destination.list(prefix)),
    delete: (key, version) => within(0, () => destination.delete(key, version)),
    freeBytes: () => within(0, () => destination.freeBytes()),
  };
}

type Within = <T>(sizeBytes: number, work: (signal: AbortSignal) => Promise<T>, outer?: AbortSignal) => Promise<T>;

function historyWithin(
  history: History,
  within: Within,
  eachWithin: <T>(items: AsyncIterable<T>) => AsyncIterable<T>,
): History {
  return {
    listVersions: (prefix) => eachWithin(history.listVersions(prefix)),
    versionsOf: (key) => within(0, () => history.versionsOf(key)),
    getVersion: (key, version, range, options) =>
      within(
        range?.length ?? mostBytesOf(key, options),
        (signal) => history.getVersion(key, version, range, { ...options, signal }),
        options?.signal,
      ),
    lockOf: (key, version) => within(0, () => history.lockOf(key, version)),
    extendLock: (key, version, untilMs) => within(0, () => history.extendLock(key, version, untilMs)),
  };
}
