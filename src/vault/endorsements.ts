import { sentenceOf } from '../core/errors.ts';
import type { Destination } from '../destinations/destination.ts';
import { firstSound, type Trace } from '../destinations/first-version.ts';
import { decodeEndorsement, type EndorsedWriter, type Endorsement, maxEndorsementBytes } from './format/endorsement.ts';
import { writerId } from './format/signing.ts';
import { listUnder } from './hold/listing.ts';

/** Whoever can write to the store may fill a folder: so many names are looked at, and so many of the newest read. */
const mostNames = 10_000;
const mostRead = 20;

/**
 * The endorsement by `endorser` (an Ed25519 public key) that counts in `vault`: the one with the highest sequence at any of the
 * destinations; of several with one sequence only the writers that all of them name. What is forged, damaged or of another
 * vault counts for nothing and is told.
 */
export async function newestEndorsement(
  destinations: readonly Destination[],
  vault: string,
  endorser: string,
  onSuspect: (key: string, why: string) => void,
): Promise<Pick<Endorsement, 'sequence' | 'writers'> | undefined> {
  let newest: Pick<Endorsement, 'sequence' | 'writers'> | undefined;
  for (const destination of destinations) {
    for (const trace of await newestTraces(destination, `endorsements/${writerId(endorser)}/`)) {
      try {
        const read = (bytes: Uint8Array) => ofVault(decodeEndorsement(bytes, trace.key), vault);
        const { value } = await firstSound(destination, trace, read);
        newest = newer(newest, value);
      } catch (error) {
        onSuspect(trace.key, `in ${destination.name}: ${sentenceOf(error)}`);
      }
    }
  }
  return newest;
}

async function newestTraces(destination: Destination, prefix: string): Promise<Trace[]> {
  const traces: Trace[] = [];
  let names = 0;
  for await (const [parsed, trace] of listUnder(destination, prefix)) {
    if (++names > mostNames) break;
    if (parsed?.type === 'endorsement' && trace.sizeBytes <= maxEndorsementBytes) traces.push(trace);
  }
  return traces.sort((a, b) => (a.key < b.key ? 1 : -1)).slice(0, mostRead);
}

function ofVault(endorsement: Endorsement, vault: string): Endorsement {
  if (endorsement.vault !== vault) throw new Error(`it is of vault ${endorsement.vault}`);
  return endorsement;
}

function newer<One extends Pick<Endorsement, 'sequence' | 'writers'>>(known: One | undefined, found: One): One {
  if (known === undefined || found.sequence > known.sequence) return found;
  if (found.sequence < known.sequence) return known;
  return { ...known, writers: bothSay(known.writers, found.writers) };
}

function bothSay(some: readonly EndorsedWriter[], others: readonly EndorsedWriter[]): EndorsedWriter[] {
  return some.flatMap(({ key, systems }) => {
    const other = others.find((one) => one.key === key)?.systems ?? [];
    const both = systems.filter((system) => other.includes(system));
    return both.length === 0 ? [] : [{ key, systems: both }];
  });
}
