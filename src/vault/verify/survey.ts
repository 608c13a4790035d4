import { unhurried } from '../../core/breathe.ts';
import { sentenceOf } from '../../core/errors.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import type { Trace } from '../../destinations/first-version.ts';
import type { Ids } from '../format/ids.ts';
import { parseKey } from '../format/keys.ts';
import { allAt, type Holdings } from '../hold/holdings.ts';
import type { NeededObjects } from './needed.ts';

/** Something in a destination that is not as the records say. */
export interface Finding {
  readonly destination: string;
  readonly key: Key;
  /**
   * `missing`, `damaged`; `hidden` behind a delete marker, `overwritten` with other bytes (in both cases the first version is
   * still there and is read); `unknown` (no object of ours), `unreachable`.
   */
  readonly kind: 'missing' | 'damaged' | 'hidden' | 'overwritten' | 'unknown' | 'unreachable';
  readonly why: string;
}

/** Lists everything; undefined, and a finding, when the destination cannot be listed. */
export async function holdingsOf(
  destination: Destination,
  ids: Ids,
  findings: Finding[],
  signal: AbortSignal,
): Promise<Holdings | undefined> {
  try {
    return await allAt(destination, ids, signal);
  } catch (error) {
    signal.throwIfAborted();
    findings.push({ destination: destination.name, key: '', kind: 'unreachable', why: sentenceOf(error) });
    return undefined;
  }
}

/** Sizes and presence: what is missing, what has another size, what is hidden, what does not belong. */
export async function compareHoldings(
  destination: string,
  holdings: Holdings,
  needed: NeededObjects,
  findings: Finding[],
  signal: AbortSignal,
): Promise<void> {
  for await (const [key, sizeBytes] of unhurried(needed.objects(), signal)) {
    const held = holdings.get(key);
    if (held === undefined) findings.push({ destination, key, kind: 'missing', why: 'it is not there' });
    // Told below, of all of them.
    else if (held.instead !== undefined) continue;
    else if (!sizesOf(held).includes(sizeBytes)) {
      const why = `it has ${held.sizeBytes} bytes instead of ${sizeBytes}`;
      findings.push({ destination, key, kind: 'damaged', why });
    }
  }
  for await (const { key, hidden, instead } of unhurried(holdings.values(), signal)) {
    if (instead !== undefined) {
      findings.push({ destination, key, kind: 'damaged', why: `it is ${instead}, which is not followed` });
    } else if (parseKey(key) === undefined) {
      // Below probe/ lies what was tried out where it may not be removed: it is nobody's, and nothing needs it.
      if (hidden || key.startsWith('probe/')) continue;
      findings.push({ destination, key, kind: 'unknown', why: 'it is no object of this vault' });
    } else if (hidden) {
      findings.push({ destination, key, kind: 'hidden', why: 'a delete marker hides it; its first version is there' });
    }
  }
}

function sizesOf({ sizeBytes, versions }: Trace): number[] {
  return versions.length === 0 ? [sizeBytes] : versions.map((version) => version.sizeBytes);
}
