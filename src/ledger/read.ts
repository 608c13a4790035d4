import { byteGate } from '../core/byte-gate.ts';
import { sentenceOf } from '../core/errors.ts';
import { countOf } from '../core/size.ts';
import { ulidTime } from '../core/ulid.ts';
import type { Destination } from '../destinations/destination.ts';
import { objectDamaged, objectMissing } from '../destinations/errors.ts';
import { firstSound, type Trace } from '../destinations/first-version.ts';
import {
  decodeLedgerEntry,
  type LedgerObject,
  type LedgerRecord,
  ledgerDamaged,
  ledgerKey,
} from '../vault/format/index.ts';
import { listHeld } from '../vault/hold/index.ts';
import { sha256Hex } from '../vault/index.ts';
import type { LedgerCache } from './cache.ts';

/** So many of strangers', and of what nobody can read, are looked at besides: whoever may only add must not bury the true ones. */
const mostStrange = 10_000;
/** Before the key of who signed it, where the kind of an entry that counts would stand. */
const strangeMark = 'by ';
/** Before what a listing shows of an entry that nobody can read: until that changes it is not fetched again. */
const damagedMark = 'damaged ';
/** Entries that are fetched at once. */
const READERS = 16;
/** Bytes of entries that are fetched at once: one of ours has some thousands, a stranger's may have as many as any may. */
const mostBytes = 16 * 1024 * 1024;
/** Of strangers', so much is held of a whole ledger. */
const mostStrangeBytes = 64 * 1024 * 1024;

/** A copy of an entry, also one that was hidden or written over where versions are kept. */
interface Holder {
  readonly destination: Destination;
  readonly trace: Trace;
}

type Told = (trouble: string) => void;

/** Ids of all entries, oldest first, and who holds each. */
async function listLedger(
  destinations: readonly Destination[],
  onFailure: (destination: Destination, error: unknown) => void,
): Promise<Map<string, Holder[]>> {
  const found = new Map<string, Holder[]>();
  for (const destination of destinations) {
    try {
      for await (const [{ id }, trace] of listHeld(destination, ['ledger'])) {
        const holders = found.get(id);
        if (holders === undefined) found.set(id, [{ destination, trace }]);
        else holders.push({ destination, trace });
      }
    } catch (error) {
      onFailure(destination, error);
    }
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What is damaged is the same whatever is in it, and anyone may have put any amount there. */
const nothing = new Uint8Array();

/** One entry as found: sound, or `record` undefined when no copy of it is. */
export interface FoundEntry {
  readonly id: string;
  readonly key: string;
  /** Undefined where no copy could be fetched; empty where every one is damaged. */
  readonly bytes: Uint8Array | undefined;
  readonly record: LedgerRecord | undefined;
  /** Every copy of it. */
  readonly isDamaged: boolean;
  /** The latest that the clock of any place that holds it shows, milliseconds since 1970 UTC. */
  readonly storedMs: number;
}

/** Of several copies the one that holds; a damaged one only when all are. `onTrouble` hears of every copy that does not. */
function entryReader(onTrouble: Told): (id: string, holders: readonly Holder[]) => Promise<FoundEntry> {
  const within = byteGate(mostBytes);
  return (id, holders) => {
    const sizeBytes = Math.max(...holders.map(({ trace }) => trace.sizeBytes));
    return within(Math.min(sizeBytes, mostBytes), () => readEntry(id, holders, onTrouble));
  };
}

async function readEntry(id: string, holders: readonly Holder[], onTrouble: Told): Promise<FoundEntry> {
  const key = ledgerKey(id);
  const storedMs = storedOf(holders);
  let damaged = 0;
  for (const { destination, trace } of holders) {
    const { name } = destination;
    try {
      const {
        value: record,
        bytes,
        spoiled,
      } = await firstSound(destination, trace, (body) => {
        return decodeLedgerEntry(body, key);
      });
      if (spoiled !== undefined) onTrouble(`${name}: ${key}: ${spoiled.why}.`);
      return { id, key, bytes, record, isDamaged: false, storedMs };
    } catch (error) {
      // Also what is larger than an entry can be: whoever put it there must not have it waited for.
      if (ledgerDamaged.is(error) || objectDamaged.is(error)) damaged++;
      if (objectMissing.is(error)) onTrouble(`${name} lacks ${key}.`);
      else
        onTrouble(
          ledgerDamaged.is(error) ? `${name} holds a damaged copy of ${key}.` : `${name}: ${sentenceOf(error)}`,
        );
    }
  }
  return damaged === 0
    ? { id, key, bytes: undefined, record: undefined, isDamaged: false, storedMs }
    : { id, key, bytes: nothing, record: undefined, isDamaged: damaged === holders.length, storedMs };
}

function storedOf(holders: readonly Holder[]): number {
  return Math.max(0, ...holders.map(({ trace }) => trace.modifiedMs));
}

/** Changes with any copy. */
function stateOf(holders: readonly Holder[]): string {
  const shown = holders.map(({ destination, trace: { sizeBytes, modifiedMs, hidden, versions } }) => [
    ...[destination.name, sizeBytes, modifiedMs, hidden],
    ...versions.map(({ version }) => version),
  ]);
  return sha256Hex(Buffer.from(JSON.stringify(shown)));
}

export function readable(bytes: Uint8Array, key: string): LedgerRecord | undefined {
  try {
    return decodeLedgerEntry(bytes, key);
  } catch {
    return undefined;
  }
}

export interface NewestOptions {
  /** Only these kinds; what is known to be of another is not fetched. All when absent. */
  readonly kinds?: ReadonlySet<string>;
  /** Nothing older than this, milliseconds since 1970 UTC. */
  readonly sinceMs?: number;
  /** So many are fetched at most; older ones are left for another time. Strangers' do not count, nor what nobody can read, up to `mostStrange`. */
  readonly most?: number;
  /** Whose entries are asked for; all when absent. A stranger's is remembered as such, and not fetched again. */
  readonly isOurs?: (writer: string) => boolean;
  readonly cache?: LedgerCache;
  readonly onTrouble?: Told;
}

/**
 * The entries, newest first, as they are asked for: whoever has seen enough stops, and nothing older is fetched. An entry that
 * is damaged everywhere is given too.
 */
export async function* newestEntries(
  destinations: readonly Destination[],
  options: NewestOptions = {},
): AsyncGenerator<FoundEntry> {
  const { kinds, sinceMs = 0, most = Number.POSITIVE_INFINITY } = options;
  const { cache, isOurs = () => true, onTrouble = () => {} } = options;
  let strange = 0;
  const found = await listLedger(destinations, ({ name }, error) => onTrouble(`${name}: ${sentenceOf(error)}`));
  const wanted = function* () {
    let fetched = 0;
    for (const [id, holders] of [...found].reverse()) {
      if (ulidTime(id) < sinceMs || fetched - Math.min(strange, mostStrange) >= most) return;
      const known = cache?.kindOf(id);
      if (known?.startsWith(strangeMark) && !isOurs(known.slice(strangeMark.length))) continue;
      const isKind = known !== undefined && !known.startsWith(strangeMark) && !known.startsWith(damagedMark);
      if (isKind && kinds?.has(known) === false) continue;
      fetched++;
      yield { id, holders };
    }
  };
  const queue = wanted();
  const read = entryReader(onTrouble);
  const readUnlessDamaged = async (id: string, holders: readonly Holder[]): Promise<FoundEntry> => {
    const mark = damagedMark + stateOf(holders);
    if (cache?.kindOf(id) === mark) {
      const key = ledgerKey(id);
      onTrouble(`${holders.map(({ destination }) => destination.name).join(', ')}: ${key} is damaged.`);
      return { id, key, bytes: nothing, record: undefined, isDamaged: true, storedMs: storedOf(holders) };
    }
    const entry = await read(id, holders);
    if (entry.isDamaged) cache?.noteKind(id, mark);
    return entry;
  };
  const ahead: Promise<FoundEntry>[] = [];
  const readAhead = (many: number) => {
    while (ahead.length < many) {
      const { value, done } = queue.next();
      if (done === true) return;
      const reading = readUnlessDamaged(value.id, value.holders);
      reading.catch(() => {}); // met when its turn comes
      ahead.push(reading);
    }
  };
  readAhead(1);
  for (let reading = ahead.shift(); reading !== undefined; reading = ahead.shift()) {
    const entry = await reading;
    const { record } = entry;
    const isStrange = record !== undefined && !isOurs(record.writer);
    if (isStrange || record === undefined) strange++;
    if (record !== undefined) cache?.noteKind(entry.id, isStrange ? `${strangeMark}${record.writer}` : record.kind);
    if (kinds === undefined || record === undefined || kinds.has(record.kind)) yield entry;
    // Only for whoever came back for more: the newest alone costs one request.
    readAhead(READERS);
  }
}

/** The same by when they say that they were written: an id runs ahead of that where its writer's clock once did. */
export async function* byTime(entries: AsyncIterable<FoundEntry>): AsyncGenerator<FoundEntry> {
  let held: FoundEntry[] = [];
  for await (const entry of entries) {
    const idMs = ulidTime(entry.id);
    yield* held.filter((one) => writtenMs(one) >= idMs);
    held = held.filter((one) => writtenMs(one) < idMs);
    if (writtenMs(entry) >= idMs) yield entry;
    else held = [...held, entry].sort((one, other) => writtenMs(other) - writtenMs(one));
  }
  yield* held;
}

function writtenMs({ id, record }: FoundEntry): number {
  return record === undefined ? ulidTime(id) : Date.parse(record.time);
}

export interface LedgerContents {
  /** Oldest first. Of several copies the one that holds; a damaged one only when all are. */
  readonly objects: readonly LedgerObject[];
  /** What could not be read, one sentence each. */
  readonly troubles: readonly string[];
  /** Names of destinations that could not be listed: what only they hold is not known. */
  readonly unlisted: readonly string[];
  /** Keys of entries of which no copy could be fetched. */
  readonly unread: readonly string[];
}

/** All of it, past every cache. Names every copy that is damaged or missing. Of whom `isHeard` does not name, only so much as fits. */
export async function readLedger(
  destinations: readonly Destination[],
  isHeard: (writer: string) => boolean,
): Promise<LedgerContents> {
  const troubles: string[] = [];
  const objects: LedgerObject[] = [];
  const unlisted: string[] = [];
  const unread: string[] = [];
  const listed = new Set(destinations);
  const found = await listLedger(destinations, (destination, error) => {
    listed.delete(destination);
    unlisted.push(destination.name);
    troubles.push(`${destination.name}: ${sentenceOf(error)}`);
  });
  const queue = found.entries();
  const read = entryReader((trouble) => troubles.push(trouble));
  let [strangeBytes, leftOut] = [0, 0];
  const line = async () => {
    for (const [id, holders] of queue) {
      const holding = new Set(holders.map(({ destination }) => destination));
      for (const one of listed) if (!holding.has(one)) troubles.push(`${one.name} lacks ${ledgerKey(id)}.`);
      const { key, bytes, record } = await read(id, holders);
      const isStrange = record !== undefined && !isHeard(record.writer);
      if (isStrange) strangeBytes += bytes?.length ?? 0;
      if (isStrange && strangeBytes > mostStrangeBytes) leftOut++;
      else if (bytes === undefined) unread.push(key);
      else objects.push({ key, bytes });
    }
  };
  await Promise.all(Array.from({ length: READERS }, line));
  if (leftOut > 0)
    troubles.push(`${countOf(leftOut, 'entry', 'entries')} signed by strangers, too much to hold, left out.`);
  return { objects: objects.sort((a, b) => (a.key < b.key ? -1 : 1)), troubles, unlisted, unread: unread.sort() };
}
