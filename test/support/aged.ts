import { dayMs } from '../../src/core/duration.ts';
import type { Destination, Listed } from '../../src/destinations/destination.ts';

/** Objects of a store whose clock nobody can set, as if those under `keys` had been stored four days earlier. */
export function withAged(destination: Destination, keys: ReadonlySet<string>): Destination {
  const seen = <One extends Listed>(one: One): One =>
    keys.has(one.key) ? { ...one, modifiedMs: one.modifiedMs - 4 * dayMs } : one;
  async function* each<One extends Listed>(listed: AsyncIterable<One>): AsyncIterable<One> {
    for await (const one of listed) yield seen(one);
  }
  const { history } = destination;
  return {
    ...destination,
    list: (prefix) => each(destination.list(prefix)),
    stat: async (key) => seen(await destination.stat(key)),
    ...(history && {
      history: {
        ...history,
        listVersions: (prefix) => each(history.listVersions(prefix)),
        versionsOf: async (key) => (await history.versionsOf(key)).map(seen),
      },
    }),
  };
}
