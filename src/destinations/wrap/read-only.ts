import type { Destination } from '../destination.ts';
import { destinationReadOnly } from '../errors.ts';

/** Refuses every change: for drills and restores, which only read. */
export function readOnly(destination: Destination): Destination {
  const refuse = async () => {
    throw destinationReadOnly({ destination: destination.name, location: destination.location });
  };
  const { history } = destination;
  return {
    ...destination,
    put: refuse,
    delete: refuse,
    ...(history && { history: { ...history, extendLock: refuse } }),
  };
}
