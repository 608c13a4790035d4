import type { Destination } from '../destination.ts';

/** What a wrapper does around everything that a destination can be asked. */
export interface Around {
  /** One request. `signal`: that of its caller, where it has one. */
  one<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** A listing, which `begin` begins. */
  each<T>(begin: () => AsyncIterable<T>): AsyncIterable<T>;
}

/** The destination with the same done around each of its verbs, those of its history too. */
export function wrapVerbs(destination: Destination, { one, each }: Around): Destination {
  const { history } = destination;
  return {
    ...destination,
    ...(history && {
      history: {
        listVersions: (prefix) => each(() => history.listVersions(prefix)),
        versionsOf: (key) => one(() => history.versionsOf(key)),
        getVersion: (key, version, range, options) =>
          one(() => history.getVersion(key, version, range, options), options?.signal),
        lockOf: (key, version) => one(() => history.lockOf(key, version)),
        extendLock: (key, version, untilMs) => one(() => history.extendLock(key, version, untilMs)),
      },
    }),
    put: (key, body, options) => one(() => destination.put(key, body, options), options?.signal),
    get: (key, range, options) => one(() => destination.get(key, range, options), options?.signal),
    stat: (key) => one(() => destination.stat(key)),
    list: (prefix) => each(() => destination.list(prefix)),
    delete: (key, version) => one(() => destination.delete(key, version)),
    freeBytes: () => one(() => destination.freeBytes()),
  };
}
