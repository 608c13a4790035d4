import { sentenceOf } from '../../core/errors.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import type { Trace } from '../../destinations/first-version.ts';
import type { Ids } from '../format/ids.ts';
import { parseKey } from '../format/keys.ts';
import { recordHash } from '../format/record.ts';
import { allAt, type Holdings } from '../hold/holdings.ts';
import { unhurried } from '../unhurried.ts';
import type { RestorePoint } from '../vault.ts';
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

/**
 * Each record names the one that its writer wrote before it. A name that no record has means that one was taken away. The
 * newest of all can vanish unseen by this: the writing host and the other destinations notice that.
 */
export function missingLinks(points: readonly RestorePoint[]): { after: RestorePoint; previous: string }[] {
  const known = new Set(points.map(({ record }) => recordHash(record)));
  return points.flatMap((point) => {
    const { previous } = point.record;
    return previous === null || known.has(previous) ? [] : [{ after: point, previous }];
  });
}
