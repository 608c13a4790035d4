import type { Session } from './session.ts';

/** A session that is there when it is needed: opened anew after it was lost or had been idle. */
export interface Connection {
  session(signal?: AbortSignal): Promise<Session>;
}

export function reconnecting(open: () => Promise<Session>): Connection {
  let current: Promise<Session> | undefined;

  function start(): Promise<Session> {
    const opening = open();
    current = opening;
    opening.catch(() => {
      if (current === opening) current = undefined;
    });
    return opening;
  }

  return {
    async session(signal) {
      for (;;) {
        signal?.throwIfAborted();
        const wanted = current ?? start();
        const session = await unlessAborted(wanted, signal);
        if (session.alive) return session;
        if (current === wanted) current = undefined;
      }
    },
  };
}

/** `work`, or the reason of the abort as soon as it comes; `work` then goes on unseen. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => {});
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** How long an aborted verb may take to end in good order, before the connection is given up for it. */
const farewellMs = 5000;

/** `work`, or the reason of the abort once `work` has cleaned up; a server that does not even answer to that is left. */
export async function stoppable<T>(session: Session, work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await unlessAborted(work, signal);
  } catch (error) {
    if (!signal?.aborted) throw error;
    const timer = setTimeout(() => session.abandon('it was aborted'), farewellMs);
    await work.catch(() => {});
    clearTimeout(timer);
    throw signal.reason;
  }
}
