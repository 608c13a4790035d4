export interface Gate {
  /** How many are let in at once. May be set while others wait. */
  places: number;
  /** Does `work` when there is a place; who is aborted while waiting leaves the queue and takes none. */
  pass<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** Lets in so many at once; the others wait in turn. */
export function openGate(places: number): Gate {
  const waiting: (() => void)[] = [];
  let running = 0;

  function letIn(): void {
    while (running < gate.places && waiting.length > 0) {
      running++;
      waiting.shift()?.();
    }
  }

  function turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const enter = () => {
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    const leave = () => {
      waiting.splice(waiting.indexOf(enter), 1);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', leave, { once: true });
    waiting.push(enter);
    return promise;
  }

  const gate: Gate = {
    places,
    async pass(work, signal) {
      signal?.throwIfAborted();
      if (running < gate.places) running++;
      else await turn(signal);
      try {
        return await work();
      } finally {
        running--;
        letIn();
      }
    },
  };
  return gate;
}
