import { performance } from 'node:perf_hooks';
import type { Destination } from '../destination.ts';
import { type Gate, openGate } from './gate.ts';

export interface Pace {
  /** What takes longer went over a slow line. */
  readonly slowMs: number;
  /** Bodies from this size on share the line with each other. */
  readonly largeBytes: number;
}

const usual: Pace = { slowMs: 10_000, largeBytes: 1 << 20 };

/** No more are sent, or fetched, at once whatever the line. */
const most = 16;

/**
 * Lets as many packs travel at once as the line carries: on a slow one those that share it would all be late, be given up together, and
 * begin anew for ever. One alone is sent first, twice as many after each that was quick, half as many after one that was slow or failed.
 */
export function withFewerWhenSlow(destination: Destination, pace: Pace = usual): Destination {
  const sending = lane(1, pace.slowMs);
  const fetching = lane(4, pace.slowMs);
  return {
    ...destination,
    put: (key, body, options) => {
      const put = () => destination.put(key, body, options);
      return body.length < pace.largeBytes ? put() : sending(put, options?.signal);
    },
    get: (key, range, options) => {
      const get = () => destination.get(key, range, options);
      const isSmall = range === undefined ? !key.startsWith('packs/') : range.length < pace.largeBytes;
      return isSmall ? get() : fetching(get, options?.signal);
    },
  };
}

function lane(first: number, slowMs: number): Gate['pass'] {
  const gate = openGate(first);
  return (work, signal) =>
    gate.pass(async () => {
      const began = performance.now();
      let quick = false;
      try {
        const result = await work();
        quick = performance.now() - began < slowMs;
        return result;
      } finally {
        gate.places = quick ? Math.min(most, gate.places * 2) : Math.max(1, gate.places >> 1);
      }
    }, signal);
}
