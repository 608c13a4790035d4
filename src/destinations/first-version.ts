import type { Destination, GetOptions, Key, Listed, Version } from './destination.ts';
import { objectDamaged, objectMissing } from './errors.ts';

/**
 * Everything that a destination still holds under one key. Objects never change, so the first version is the true one: later
 * ones were put over it, and a delete marker hides it. Size and time are those of the first version.
 */
export interface Trace extends Listed {
  /** Oldest first, without delete markers. Empty where the place keeps no history: then a plain `get` is all there is. */
  readonly versions: readonly Version[];
  /** A delete marker stands before it: a plain `get` does not find it. */
  readonly hidden: boolean;
  /** The delete markers that stand before all versions, newest first. */
  readonly markers: readonly Version[];
}

/** Where no history is kept. */
const plain = { versions: [], hidden: false, markers: [] } as const;

/** The keys that start with `prefix`, also those that a plain listing no longer shows. As many requests as a listing. */
export async function* tracesUnder(destination: Destination, prefix: string): AsyncGenerator<Trace> {
  if (destination.history === undefined) {
    yield* plainlyUnder(destination, prefix);
    return;
  }
  let versions: Version[] = [];
  for await (const version of destination.history.listVersions(prefix)) {
    if (versions.length > 0 && versions[0]!.key !== version.key) {
      const trace = traceFrom(versions);
      if (trace !== undefined) yield trace;
      versions = [];
    }
    versions.push(version);
  }
  const last = traceFrom(versions);
  if (last !== undefined) yield last;
}

/** The same as a plain `get` finds it: to list versions takes a permission that not everybody has. */
export async function* plainlyUnder(destination: Destination, prefix: string): AsyncGenerator<Trace> {
  for await (const listed of destination.list(prefix)) yield { ...listed, ...plain };
}

/** Undefined when nothing is left of it. One request. */
export async function traceOf(destination: Destination, key: Key): Promise<Trace | undefined> {
  if (destination.history !== undefined) return traceFrom(await destination.history.versionsOf(key));
  try {
    return { ...(await destination.stat(key)), ...plain };
  } catch (error) {
    if (objectMissing.is(error)) return undefined;
    throw error;
  }
}

/** @param newestFirst all versions and markers of one key */
function traceFrom(newestFirst: readonly Version[]): Trace | undefined {
  const versions = newestFirst.filter(({ isDeleteMarker }) => !isDeleteMarker).reverse();
  const first = versions[0];
  if (first === undefined) return undefined;
  const { key, sizeBytes, modifiedMs } = first;
  const upTo = newestFirst.findIndex(({ isDeleteMarker }) => !isDeleteMarker);
  const markers = newestFirst.slice(0, upTo);
  return { key, sizeBytes, modifiedMs, versions, hidden: markers.length > 0, markers };
}

/** For what is listed in the place of an object. */
export function standsInstead({ name }: Destination, key: Key, instead: string): Error {
  return objectDamaged({ destination: name, key, why: `it is ${instead} and no object` });
}

export interface FirstSound<Value> {
  readonly value: Value;
  readonly bytes: Uint8Array;
  /** When it was stored, by the store's clock, milliseconds since 1970 UTC. */
  readonly modifiedMs: number;
  /** Absent where the place keeps no history. */
  readonly version?: string;
  /** What was done to it since, or undefined: it still is what a plain `get` gives. */
  readonly spoiled: Spoiled | undefined;
}

/** `hidden`: a delete marker stands before it. `overwritten`: a plain `get` gives other bytes. */
export interface Spoiled {
  readonly kind: 'hidden' | 'overwritten';
  readonly why: string;
}

/**
 * The oldest version of an object that `read` takes. Where nothing was done to it this is one request.
 * @param read throws what is wrong with the bytes
 * @throws what was wrong with the last version that was tried; at once where one cannot be looked at, for a later one might be
 * somebody else's
 */
export async function firstSound<Value>(
  destination: Destination,
  trace: Trace,
  read: (bytes: Uint8Array) => Value | Promise<Value>,
  signal?: AbortSignal,
): Promise<FirstSound<Value>> {
  const { key, versions, modifiedMs } = trace;
  const options = signal === undefined ? {} : { signal };
  if (versions.length === 0) {
    const { instead, sizeBytes } = trace;
    if (instead !== undefined) throw standsInstead(destination, key, instead);
    const bytes = await destination.get(key, undefined, { ...options, mostBytes: sizeBytes });
    return { value: await read(bytes), bytes, modifiedMs, spoiled: undefined };
  }
  let failure: unknown;
  for (const { version, modifiedMs, sizeBytes } of versions) {
    let bytes: Uint8Array;
    let value: Value;
    try {
      bytes = await getVersion(destination, key, version, { ...options, mostBytes: sizeBytes });
    } catch (error) {
      if (!objectMissing.is(error) && !objectDamaged.is(error)) throw error;
      failure = error;
      continue;
    }
    try {
      value = await read(bytes);
    } catch (error) {
      signal?.throwIfAborted();
      failure = error;
      continue;
    }
    const spoiled = await spoiledOf(destination, trace, version, bytes, options);
    return { value, bytes, modifiedMs, version, spoiled };
  }
  throw failure;
}

/** What was done to an object whose version `sound` has `bytes`. */
async function spoiledOf(
  destination: Destination,
  { versions, hidden }: Trace,
  sound: string,
  bytes: Uint8Array,
  options: { readonly signal?: AbortSignal },
): Promise<Spoiled | undefined> {
  if (hidden) return { kind: 'hidden', why: 'a delete marker hides it; its first version is still there' };
  const latest = versions.at(-1)!;
  if (latest.version === sound) return undefined;
  if (await holdsSame(destination, latest, bytes, options)) return undefined;
  const when = new Date(latest.modifiedMs).toISOString();
  return { kind: 'overwritten', why: `other bytes were put over it at ${when}; its first version is still there` };
}

/** A second version of the same bytes takes nothing away: an upload was repeated. */
async function holdsSame(
  destination: Destination,
  version: Version,
  bytes: Uint8Array,
  options: { readonly signal?: AbortSignal },
): Promise<boolean> {
  if (version.sizeBytes !== bytes.length) return false;
  const sized = { ...options, mostBytes: version.sizeBytes };
  try {
    return Buffer.compare(await getVersion(destination, version.key, version.version, sized), bytes) === 0;
  } catch (error) {
    if (objectMissing.is(error) || objectDamaged.is(error)) return false;
    throw error;
  }
}

async function getVersion(
  destination: Destination,
  key: Key,
  version: string,
  options: GetOptions,
): Promise<Uint8Array> {
  const { history, name } = destination;
  if (history === undefined) throw objectDamaged({ destination: name, key, why: 'it keeps no versions' });
  return history.getVersion(key, version, undefined, options);
}
