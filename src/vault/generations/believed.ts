import type { Destination } from '../../destinations/destination.ts';
import { isOfTheDestination, objectMissing } from '../../destinations/errors.ts';
import { type FirstSound, firstSound, type Trace } from '../../destinations/first-version.ts';
import { formatNewer } from '../format/errors.ts';
import { decodeGeneration, type Generation } from '../format/generation.ts';
import { folders } from '../format/keys.ts';
import { readEnvelope } from '../format/signed-json.ts';
import { listHeld } from '../hold/listing.ts';
import { isPruner, type Trust } from '../trust.ts';

/** Whose generations count, of which vault. */
export interface Believing {
  readonly vault: string;
  readonly trust: Trust;
}

/** Sound, and by somebody who may not prune: it says nothing. */
export class Foreign extends Error {}

/** @throws `Foreign`, or what is wrong with it */
function believed(bytes: Uint8Array, number: number, { vault, trust }: Believing): Generation {
  const generation = decodedFor(bytes, trust);
  if (generation.vault !== vault || generation.generation !== number) throw new Error('it belongs elsewhere');
  if (!isPruner(trust, generation.writer)) throw foreign(generation.writer);
  return generation;
}

/** One that only later programs read is a matter for who heeds its signer. */
function decodedFor(bytes: Uint8Array, trust: Trust): Generation {
  try {
    return decodeGeneration(bytes);
  } catch (error) {
    const signer = formatNewer.is(error) ? readEnvelope('generation', bytes)?.writer : undefined;
    throw signer === undefined || isPruner(trust, signer) ? error : foreign(signer);
  }
}

function foreign(signer: string): Foreign {
  return new Foreign(`it is signed by ${signer}, which may not prune`);
}

/**
 * The first version of a generation that counts. What came after one that only later programs read takes nothing away from that one.
 * @throws `format-newer`, `Foreign`, or what is wrong with the last version
 */
export async function readBelieved(
  destination: Destination,
  trace: Trace,
  number: number,
  believing: Believing,
): Promise<FirstSound<Generation>> {
  let newer: unknown;
  const found = await firstSound(destination, trace, (bytes) => {
    try {
      return believed(bytes, number, believing);
    } catch (error) {
      if (formatNewer.is(error)) newer = error;
      throw error;
    }
  }).catch((error: unknown) => {
    throw newer ?? error;
  });
  if (newer !== undefined) throw newer;
  return found;
}

/** A generation as listed. */
export type Listed = readonly [number: number, trace: Trace];

/** Newest first. */
export async function generationsAt(destination: Destination): Promise<Listed[]> {
  const found: Listed[] = [];
  for await (const [{ generation }, trace] of listHeld(destination, ['generation'])) found.push([generation, trace]);
  return found.sort(([a], [b]) => b - a);
}

/** So many that do not count are looked at, of so many bytes, to find one that does: anybody can put any number after it. */
const mostPassed = { items: 10_000, bytes: 256 * 1024 * 1024 };
/** At once. */
const together = { items: 16, bytes: 16 * 1024 * 1024 };

/**
 * Those that count, in the order given, as they are asked for. `onPassed`: one that is damaged, or only for later programs; not a
 * stranger's. @throws what concerns the destination
 */
export async function* believedOf(
  destination: Destination,
  listed: readonly Listed[],
  believing: Believing,
  onPassed: (key: string, error: unknown) => void,
): AsyncGenerator<Generation> {
  let passed = { items: 0, bytes: 0 };
  for (const some of inBatches(listed)) {
    if (passed.items >= mostPassed.items || passed.bytes >= mostPassed.bytes) {
      return onPassed(
        folders.generation,
        new Error(`${passed.items} objects there are no prunes of ours, and no more are looked at`),
      );
    }
    const read = some.map(([number, trace]) =>
      readBelieved(destination, trace, number, believing).then(
        ({ value }) => value,
        (error: unknown) => ({ key: trace.key, error }),
      ),
    );
    for (const [at, one] of (await Promise.all(read)).entries()) {
      if (!('error' in one)) {
        yield one;
        passed = { items: 0, bytes: 0 };
        continue;
      }
      const { key, error } = one;
      if (isOfTheDestination(error)) throw error;
      if (!objectMissing.is(error) && !(error instanceof Foreign)) onPassed(key, error);
      passed.items++;
      passed.bytes += some[at]![1].sizeBytes;
    }
  }
}

/** The first by itself, which mostly is the one that is sought. */
function* inBatches(listed: readonly Listed[]): Generator<readonly Listed[]> {
  let batch: Listed[] = [];
  let [bytes, most] = [0, 1];
  for (const one of listed) {
    const { sizeBytes } = one[1];
    if (batch.length > 0 && (batch.length >= most || bytes + sizeBytes > together.bytes)) {
      yield batch;
      [batch, bytes, most] = [[], 0, together.items];
    }
    batch.push(one);
    bytes += sizeBytes;
  }
  if (batch.length > 0) yield batch;
}
