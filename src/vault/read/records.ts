import { sentenceOf } from '../../core/errors.ts';
import type { Destination } from '../../destinations/destination.ts';
import { objectDamaged, objectMissing } from '../../destinations/errors.ts';
import { firstSound, standsInstead, type Trace } from '../../destinations/first-version.ts';
import { formatNewer } from '../format/errors.ts';
import { folders } from '../format/keys.ts';
import { decodeRecordAt, recordAgain, recordBytes, recordHash, type SharedNames } from '../format/record.ts';
import { readEnvelope } from '../format/signed-json.ts';
import { sha256Hex } from '../hash.ts';
import { collectSooner } from '../hold/collect-sooner.ts';
import { type Damage, damageOf, spoiledDamage } from '../hold/fetch-sound.ts';
import { listUnder } from '../hold/listing.ts';
import { type FoundRecord, isKnownKey, isKnownWriter, type StoreClock, type Trust } from '../trust.ts';
import type { Suspect } from '../vault.ts';
import type { RecordMemory } from './record-memory.ts';

export interface RecordsFound {
  readonly found: readonly FoundRecord[];
  /** Objects where a record should be, that are none of this vault's; and names under which two places hold two records. */
  readonly suspect: readonly Suspect[];
  /** Keys of what strangers signed for later programs: that says nothing. */
  readonly strange: readonly string[];
}

/** Small objects are mostly waiting. */
const READERS = 8;

interface Copy {
  readonly destination: Destination;
  readonly trace: Trace;
}

type Tell = (damage: Damage) => void;

interface Outcome {
  /** More than one where places hold different records under one name; that of a place that keeps versions first. */
  readonly found: readonly FoundRecord[];
  readonly why: string;
  /** What only later programs read of it, any version at any place. */
  readonly newer: readonly Newer[];
  /** Nothing else failed. */
  readonly isNewerAlone: boolean;
  /** Whatever failed was read: it is no record of this vault. */
  readonly isJunk: boolean;
  readonly damage: readonly Damage[];
}

interface Newer {
  readonly writer: string;
  readonly why: string;
}

/**
 * Reads all records of a vault, from every destination that holds one: the first version, where versions are kept. What was
 * read once is not read again as long as a listing shows it unchanged.
 */
export function recordReader(
  vault: string,
  destinations: readonly Destination[],
  onDamage: Tell,
  { signal, memory }: { readonly signal?: AbortSignal; readonly memory?: RecordMemory } = {},
) {
  const known = new Map<string, { readonly state: string; readonly outcome: Outcome }>();
  const names: SharedNames = new Map();

  async function list(onDamage: Tell): Promise<{ copies: Map<string, Copy[]>; isWhole: boolean }> {
    const copies = new Map<string, Copy[]>();
    let isWhole = true;
    for (const destination of destinations) {
      try {
        for await (const [parsed, trace] of listUnder(destination, folders.snapshot, { signal })) {
          if (parsed?.type !== 'snapshot') {
            if (trace.instead !== undefined) {
              const error = standsInstead(destination, trace.key, trace.instead);
              onDamage(damageOf(destination.name, trace.key, error));
            }
            continue;
          }
          copies.set(trace.key, [...(copies.get(trace.key) ?? []), { destination, trace }]);
        }
      } catch (error) {
        signal?.throwIfAborted();
        onDamage(damageOf(destination.name, folders.snapshot, error));
        isWhole = false;
      }
    }
    return { copies, isWhole };
  }

  async function read(key: string, copies: readonly Copy[]): Promise<Outcome> {
    const states = copies.map(stateOf);
    const state = states.join(' ');
    const before = known.get(key);
    if (before?.state === state) return before.outcome;
    const remembered = memory?.find(key, states);
    const outcome = remembered
      ? soundAgain(key, copies, remembered, names)
      : await readRecord(vault, key, copies, names);
    signal?.throwIfAborted();
    known.set(key, { state, outcome });
    const sound = remembered === undefined ? wholeIn(outcome, copies) : undefined;
    if (sound !== undefined) memory?.note(key, states, recordBytes(sound.record));
    return outcome;
  }

  return async (trust: Trust = {}, tell: Tell = onDamage): Promise<RecordsFound> => {
    const { copies, isWhole } = await list(tell);
    collectSooner(copies.size);
    const found: FoundRecord[] = [];
    const suspect: Suspect[] = [];
    const strange: string[] = [];
    const queue = [...copies].sort(([a], [b]) => (a < b ? -1 : 1))[Symbol.iterator]();
    const line = async () => {
      for (const [key, holders] of queue) {
        const outcome = await read(key, holders);
        const { chosen, why } = choose(outcome, trust);
        for (const damage of outcome.damage) tell(damage);
        if (chosen !== undefined) {
          found.push(chosen);
          for (const damage of contested(key, chosen, outcome.found)) tell(damage);
        }
        // Whatever else lies under its name: what it needs is not known.
        const newer = outcome.newer.find(({ writer }) => isKnownKey(trust, writer));
        if (newer !== undefined) suspect.push({ key, why: newer.why, newer: true });
        else if (why !== undefined && outcome.isNewerAlone) strange.push(key);
        else if (why !== undefined) suspect.push({ key, why, ...(outcome.isJunk && { isJunk: true }) });
      }
    };
    await Promise.all(Array.from({ length: READERS }, line));
    memory?.keep((key) => isWhole && !copies.has(key));
    suspect.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { found, suspect, strange };
  };
}

/**
 * Of several records under one name that of a known writer: a stranger's beside it takes nothing away. Where known writers signed two,
 * nobody can say which is the true one.
 */
function choose({ found, why }: Outcome, trust: Trust): { chosen?: FoundRecord; why?: string } {
  const known = found.filter(({ record }) => isKnownWriter(trust, record.writer, record.system));
  const [chosen, rival] = known.length > 0 ? known : found;
  if (chosen === undefined) return { why };
  return rival === undefined ? { chosen } : { chosen, why: whyContested(chosen, rival) };
}

function contested(key: string, chosen: FoundRecord, found: readonly FoundRecord[]): Damage[] {
  return found
    .filter((rival) => rival !== chosen)
    .flatMap((rival) =>
      rival.destinations.map((destination) => ({
        ...{ destination, key, code: 'record-forged' },
        why: whyContested(chosen, { destinations: [destination] }),
      })),
    );
}

function whyContested(chosen: Pick<FoundRecord, 'destinations'>, rival: Pick<FoundRecord, 'destinations'>): string {
  return `${rival.destinations[0]} holds another record under this name than ${chosen.destinations[0]}`;
}

/** What a listing shows of a copy; where a place keeps no versions, of its only one. */
function stateOf({ destination, trace }: Copy): string {
  const versions = trace.versions.map(({ version }) => version);
  return JSON.stringify([destination.name, trace.sizeBytes, trace.modifiedMs, trace.hidden, ...versions]);
}

/** The one record that all copies hold, where nothing at all is wrong with any of them. */
function wholeIn({ found, damage, newer }: Outcome, copies: readonly Copy[]): FoundRecord | undefined {
  const [one, ...others] = found;
  const isWhole = others.length + damage.length + newer.length === 0 && one?.destinations.length === copies.length;
  return isWhole && copies.every(({ trace }) => trace.versions.length <= 1) ? one : undefined;
}

/** What `readRecord` said of copies that were whole. */
function soundAgain(key: string, copies: readonly Copy[], bytes: Uint8Array, names: SharedNames): Outcome {
  const holders = witnessesFirst(copies);
  const destinations = holders.map(({ destination }) => destination.name);
  const clocks = holders.map(({ destination, trace }) => clockOf(destination, trace));
  const found = [{ record: recordAgain(bytes, names), key, destinations, clocks }];
  return { found, why: '', newer: [], isNewerAlone: false, isJunk: false, damage: [] };
}

function clockOf({ history }: Destination, { modifiedMs }: Pick<Trace, 'modifiedMs'>): StoreClock {
  return { storedMs: modifiedMs, isWitness: history !== undefined };
}

async function readRecord(vault: string, key: string, copies: readonly Copy[], names: SharedNames): Promise<Outcome> {
  const damage: Damage[] = [];
  const found: (FoundRecord & { readonly destinations: string[]; readonly clocks: StoreClock[] })[] = [];
  const newer: Newer[] = [];
  let why = '';
  let [isNewerAlone, isJunk] = [true, true];
  for (const { destination, trace } of witnessesFirst(copies)) {
    /** What is wrong with each version that was read. */
    const refused: unknown[] = [];
    const decode = (bytes: Uint8Array) => {
      // Another copy of the same bytes says the same.
      const hash = sha256Hex(bytes);
      const known = found.find(({ record }) => recordHash(record) === hash);
      if (known !== undefined) return known.record;
      try {
        return decodeRecordAt(vault, key, bytes, names);
      } catch (error) {
        const signed = formatNewer.is(error) ? readEnvelope('record', bytes) : undefined;
        if (signed?.vault === vault) newer.push({ writer: signed.writer, why: sentenceOf(error) });
        refused.push(error);
        throw error;
      }
    };
    try {
      const { value, modifiedMs, spoiled } = await firstSound(destination, trace, decode);
      if (spoiled !== undefined) damage.push(spoiledDamage(destination.name, key, spoiled));
      let same = found.find(({ record }) => record.signature === value.signature);
      if (same === undefined) {
        same = { record: value, key, destinations: [], clocks: [] };
        found.push(same);
      }
      same.destinations.push(destination.name);
      same.clocks.push(clockOf(destination, { modifiedMs }));
    } catch (error) {
      if (objectMissing.is(error) && copies.length > 1) continue;
      why = sentenceOf(error);
      isNewerAlone &&= refused.length > 0 && refused.every((one) => formatNewer.is(one));
      isJunk &&= refused.includes(error) || objectDamaged.is(error);
      damage.push(damageOf(destination.name, key, error));
    }
  }
  const isNothingElse = newer.length > 0 && isNewerAlone;
  return { found, why, newer, isNewerAlone: isNothingElse, isJunk: found.length === 0 && isJunk, damage };
}

/** Where versions are kept, nobody could put another record in the place of the first. */
function witnessesFirst(copies: readonly Copy[]): readonly Copy[] {
  const isWitness = ({ destination }: Copy) => destination.history !== undefined;
  return [...copies.filter(isWitness), ...copies.filter((copy) => !isWitness(copy))];
}
