/** The only source of the time of day and of waiting, so that tests can move it. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. May jump: never measure a duration with it. */
  now(): number;
  /** Milliseconds that never go back, for durations. */
  elapsed(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
};

/** Random bytes, injected so that tests can repeat a run. */
export type RandomBytes = (sizeBytes: number) => Uint8Array;
