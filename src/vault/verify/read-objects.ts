import { unhurried } from '../../core/breathe.ts';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { isOfTheDestination, objectMissing } from '../../destinations/errors.ts';
import { firstSound, type Trace } from '../../destinations/first-version.ts';
import { isHashed, type ParsedKey, parseKey } from '../format/keys.ts';
import { verifyLedger } from '../format/ledger.ts';
import type { Holdings } from '../hold/holdings.ts';
import { type CheckedObject, checkObject, type ObjectKeys } from './check-object.ts';
import type { Inside } from './look-inside.ts';
import type { Finding } from './survey.ts';

/** Which packs are read: none but what structure needs, those of part `part` of `parts`, or all. */
export type Depth = 'structure' | 'all' | { readonly part: number; readonly parts: number };

export interface ReadRequest extends ObjectKeys {
  readonly vault: string;
  readonly depth: Depth;
  /** Whose ledger entries are looked at as a chain: a stranger's gaps are nobody's loss. */
  readonly isHeard: (writer: string) => boolean;
  /** Whose checkpoints of the ledger count. */
  readonly decides: (writer: string) => boolean;
  readonly run: Run;
}

/** What reading one destination's objects brought to light, besides findings. */
export interface ObjectsRead {
  objects: number;
  bytes: number;
  /** Of them, those that none of the given identities opens. */
  closed: number;
  /** Sound objects, by who signed them. */
  readonly signed: Map<Key, string>;
  /**
   * By their writer's id the packs that the index deltas name, with the hashes of the tables of contents that they have by these; a
   * delta that no key opens makes its writer's unknown.
   */
  readonly indexed: Map<string, Map<string, Set<string>> | 'unknown'>;
  /** Packs, by id, whose bytes are right: what identities found in them. */
  readonly inside: Map<string, Inside>;
}

/** Reading several objects side by side keeps disk and processor busy; each is at most a pack. */
const READERS = 3;

/** Reads what `depth` asks for and tells `findings` what is not sound. */
export async function readObjects(
  destination: Destination,
  holdings: Holdings,
  request: ReadRequest,
  findings: Finding[],
): Promise<ObjectsRead> {
  const { vault, depth, run } = request;
  const read: ObjectsRead = {
    ...{ objects: 0, bytes: 0, closed: 0 },
    ...{ signed: new Map(), indexed: new Map(), inside: new Map() },
  };
  const damaged = new Set(
    findings
      .filter(({ kind, ...at }) => at.destination === destination.name && kind === 'damaged')
      .map(({ key }) => key),
  );
  const ledger: { key: Key; bytes: Uint8Array }[] = [];
  const traces: Trace[] = [];
  for await (const trace of unhurried(holdings.values(), run.signal)) {
    if (!damaged.has(trace.key) && isWanted(trace, depth)) traces.push(trace);
  }
  const totalBytes = traces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const find = (key: Key, kind: Finding['kind'], why: string) =>
    void findings.push({ destination: destination.name, key, kind, why });

  async function readOne(trace: Trace): Promise<void> {
    run.signal.throwIfAborted();
    const { key } = trace;
    const parsed = parseKey(key)!;
    try {
      const { bytes, value, spoiled } = await firstSound(
        destination,
        trace,
        (body) => checkObject(vault, key, parsed, body, request),
        run.signal,
      );
      read.objects++;
      read.bytes += bytes.length;
      if (value.isClosed) read.closed++;
      run.progress({ label: destination.name, doneBytes: read.bytes, totalBytes });
      if (spoiled?.kind === 'overwritten') find(key, 'overwritten', spoiled.why);
      if (value.writer !== undefined) read.signed.set(key, value.writer);
      if (parsed.type === 'ledger' && value.writer !== undefined && request.isHeard(value.writer))
        ledger.push({ key, bytes });
      if (parsed.type === 'index') noteIndexed(read, parsed.writer, value);
      const inside: Inside | undefined = value.isClosed ? { closed: true } : value.inside;
      if (inside !== undefined && parsed.type === 'pack') read.inside.set(parsed.id, inside);
    } catch (error) {
      run.signal.throwIfAborted();
      const kind = objectMissing.is(error) ? 'missing' : isOfTheDestination(error) ? 'unreachable' : 'damaged';
      find(key, kind, sentenceOf(error));
    }
  }

  const queue = traces[Symbol.iterator]();
  const line = async () => {
    for (const trace of queue) await readOne(trace);
  };
  await Promise.all(Array.from({ length: READERS }, line));
  for (const { key, message } of verifyLedger(ledger, { vault, decides: request.decides }).problems)
    find(key, 'damaged', message);
  return read;
}

function noteIndexed({ indexed }: ObjectsRead, writer: string, { tables, isClosed }: CheckedObject): void {
  const known = indexed.get(writer) ?? new Map<string, Set<string>>();
  if (isClosed) indexed.set(writer, 'unknown');
  if (tables === undefined || known === 'unknown') return;
  for (const [pack, hash] of tables) known.set(pack, (known.get(pack) ?? new Set()).add(hash));
  indexed.set(writer, known);
}

export function isSmall(parsed: ParsedKey | undefined): boolean {
  return parsed !== undefined && !isHashed(parsed);
}

/**
 * Small objects are always read; packs, manifests and lists by their id, so that parts together cover all, and those over which
 * something was put: which of the versions is the sound one only their bytes tell.
 */
function isWanted({ key, versions }: Trace, depth: Depth): boolean {
  const parsed = parseKey(key);
  if (!isHashed(parsed)) return parsed !== undefined;
  if (versions.length > 1) return true;
  if (typeof depth === 'string') return depth === 'all';
  return Number.parseInt(parsed.id.slice(0, 8), 16) % depth.parts === depth.part - 1;
}
