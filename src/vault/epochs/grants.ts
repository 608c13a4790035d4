import { sentenceOf } from '../../core/errors.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { firstSound, type Trace } from '../../destinations/first-version.ts';
import { decodeGrant, type Grant, maxGrantBytes } from '../format/grant.ts';
import { parseKey } from '../format/keys.ts';
import { listHeld } from '../hold/listing.ts';
import { inParallel } from '../in-parallel.ts';
import { isKnownKey, type Trust } from '../trust.ts';

/** Whoever can write to the store may fill a folder: so many names are looked at, and so many of an epoch's newest grants read. */
const mostNames = 100_000;
const mostRead = 1000;
const atOnce = 8;

export interface GrantReading {
  readonly vault: string;
  /** Of these epochs; of all when absent. */
  readonly wanted?: (grant: { readonly key: Key; readonly epoch: string }) => boolean;
  readonly onSuspect: (key: Key, why: string) => void;
  readonly signal?: AbortSignal;
}

/** What lies under `keys/` at one destination. */
export async function keysAt(destination: Destination): Promise<Trace[]> {
  const traces: Trace[] = [];
  for await (const [, trace] of listHeld(destination, ['epoch-key', 'grant'])) {
    if (traces.push(trace) >= mostNames) break;
  }
  return traces;
}

/** The grants that these destinations hold, each once. Whose they are is not judged; what does not hold by itself is told. */
export async function readGrants(
  held: ReadonlyMap<Destination, readonly Trace[]>,
  { vault, wanted = () => true, onSuspect, signal = new AbortController().signal }: GrantReading,
): Promise<Grant[]> {
  const found = new Map<Key, Grant>();
  for (const [destination, traces] of held) {
    const readOne = async (trace: Trace) => {
      try {
        const { value } = await firstSound(destination, trace, (bytes) => decodeGrant(bytes, trace.key));
        if (value.vault === vault) found.set(trace.key, value);
      } catch (error) {
        onSuspect(trace.key, `in ${destination.name}: ${sentenceOf(error)}`);
      }
    };
    const isWanted = ({ key }: Trace) => {
      const parsed = parseKey(key);
      return parsed?.type === 'grant' && !found.has(key) && wanted({ key, epoch: parsed.epoch });
    };
    await inParallel(newestGrants(traces.filter(isWanted)), atOnce, readOne, signal);
  }
  return [...found.values()];
}

function newestGrants(traces: readonly Trace[]): Trace[] {
  const counts = new Map<string, number>();
  const isFew = ({ key }: Trace) => {
    const epoch = key.slice(0, key.lastIndexOf('/'));
    counts.set(epoch, (counts.get(epoch) ?? 0) + 1);
    return counts.get(epoch)! <= mostRead;
  };
  return traces
    .filter(({ sizeBytes }) => sizeBytes <= maxGrantBytes)
    .sort((a, b) => (a.key < b.key ? 1 : -1))
    .filter(isFew);
}

/** An epoch, as those say who may. */
export interface GrantedEpoch {
  readonly epoch: string;
  /** Public key of the writer that began it, and which of its epochs it is. */
  readonly maker: string;
  readonly number: number;
  /** Public key of those who open it. */
  readonly speaker: string;
  /** The first is the one that began it. */
  readonly grants: readonly Grant[];
}

/**
 * Who opens which epoch, by grants that count: the one with which a writer that `isMaker` takes for one begins an epoch, and those of who
 * opens that epoch or a later one of the same writer.
 */
export function epochsOf(
  grants: readonly Grant[],
  isMaker: (writer: string) => boolean,
): ReadonlyMap<string, GrantedEpoch> {
  const epochs = new Map<string, GrantedEpoch & { readonly grants: Grant[] }>();
  const sorted = grants.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  for (const grant of sorted) {
    const { epoch, begins, writer: maker } = grant;
    if (begins === undefined || !isMaker(maker) || epochs.has(epoch)) continue;
    epochs.set(epoch, { epoch, maker, ...begins, grants: [grant] });
  }
  // By maker and speaker the last epoch: strangers may begin any number of epochs, and grant as many times.
  const last = new Map<string, number>();
  for (const { maker, speaker, number } of epochs.values()) {
    last.set(`${maker} ${speaker}`, Math.max(number, last.get(`${maker} ${speaker}`) ?? 0));
  }
  const speaks = ({ maker, number }: GrantedEpoch, key: string) => (last.get(`${maker} ${key}`) ?? 0) >= number;
  for (const grant of sorted) {
    const epoch = epochs.get(grant.epoch);
    if (grant.begins === undefined && epoch !== undefined && speaks(epoch, grant.writer)) epoch.grants.push(grant);
  }
  return epochs;
}

/** The epochs of a vault as `trust` knows its writers. A destination that cannot be listed is passed over. */
export async function believedEpochs(
  destinations: readonly Destination[],
  vault: string,
  trust: Trust,
): Promise<ReadonlyMap<string, GrantedEpoch>> {
  const held = new Map<Destination, readonly Trace[]>();
  for (const destination of destinations) {
    const traces = await keysAt(destination).catch(() => undefined);
    if (traces !== undefined) held.set(destination, traces);
  }
  const grants = await readGrants(held, { vault, onSuspect: () => {} });
  return epochsOf(grants, (writer) => isKnownKey(trust, writer));
}

/** Prints of all whom an epoch's grants let in. */
export function openersOf(grants: Iterable<Pick<Grant, 'recipients'>>): ReadonlySet<string> {
  return new Set([...grants].flatMap(({ recipients }) => recipients));
}

/** The last epoch of each maker: who opens it speaks for the recipients of now. */
export function newestOf(epochs: Iterable<GrantedEpoch>, maker: string): GrantedEpoch | undefined {
  const own = [...epochs].filter((one) => one.maker === maker);
  return own.sort((a, b) => a.number - b.number || (a.grants[0]!.id < b.grants[0]!.id ? -1 : 1)).at(-1);
}
