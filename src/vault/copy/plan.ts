import type { Key } from '../../destinations/destination.ts';
import { type ParsedKey, parseKey } from '../format/keys.ts';
import type { Holdings } from './holdings.ts';

/** An object that a destination lacks, and who has it. */
export interface Missing {
  readonly key: Key;
  readonly parsed: ParsedKey;
  readonly sizeBytes: number;
  /** At least one. */
  readonly sources: readonly Holdings[];
}

export interface CopyPlan {
  readonly to: Holdings;
  /** What records need, in the order in which it is copied. */
  readonly objects: readonly Missing[];
  /** They come last: a destination names only restore points that it holds. Oldest first. */
  readonly records: readonly Missing[];
  /** Held there too, with another size: one of the two is damaged. */
  readonly differing: readonly Key[];
  /** Of all that is missing. */
  readonly totalBytes: number;
  /** Packs and manifests that a prune has marked: they are not copied, nor what needs them. */
  readonly withdrawn: ReadonlySet<string>;
}

/** Large first; what tells writers and readers of the rest follows it. */
const order: Readonly<Partial<Record<ParsedKey['type'], number>>> = {
  pack: 0,
  manifest: 1,
  index: 2,
  generation: 3,
  ledger: 4,
  endorsement: 5,
};

/** What to copy from `sources` so that `to` holds all that they hold, except packs that a prune has `withdrawn`. */
export function planCopy(to: Holdings, sources: readonly Holdings[], withdrawn: ReadonlySet<string>): CopyPlan {
  const missing = new Map<Key, Missing & { readonly sources: Holdings[] }>();
  const differing = new Set<Key>();
  const newest = Math.max(0, ...[to, ...sources].map(newestGeneration));
  let totalBytes = 0;
  for (const source of sources) {
    for (const [key, sizeBytes] of source.sizes) {
      const known = missing.get(key);
      if (known !== undefined) {
        known.sources.push(source);
        continue;
      }
      const there = to.sizes.get(key);
      if (there !== undefined) {
        if (there !== sizeBytes) differing.add(key);
        continue;
      }
      const parsed = parseKey(key)!;
      if (!isCopied(parsed, withdrawn, newest)) continue;
      missing.set(key, { key, parsed, sizeBytes, sources: [source] });
      totalBytes += sizeBytes;
    }
  }
  const all = [...missing.values()];
  const isRecord = ({ parsed }: Missing) => parsed.type === 'snapshot';
  return {
    to,
    objects: all.filter((one) => !isRecord(one)).sort((a, b) => rank(a) - rank(b)),
    records: all.filter(isRecord).sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1)),
    differing: [...differing],
    totalBytes,
    withdrawn,
  };
}

/**
 * `vault.json` and the rescue script are made where they are missing, not copied. Of the prune generations the newest is
 * enough: those before it would only have to be removed again.
 */
function isCopied(parsed: ParsedKey, withdrawn: ReadonlySet<string>, newest: number): boolean {
  switch (parsed.type) {
    case 'vault':
    case 'rescue':
      return false;
    case 'pack':
    case 'manifest':
      return !withdrawn.has(parsed.id);
    case 'generation':
      return parsed.generation >= newest;
    default:
      return true;
  }
}

function newestGeneration({ sizes }: Holdings): number {
  let newest = 0;
  for (const key of sizes.keys()) {
    const parsed = parseKey(key);
    if (parsed?.type === 'generation') newest = Math.max(newest, parsed.generation);
  }
  return newest;
}

function rank({ parsed }: Missing): number {
  return order[parsed.type] ?? 0;
}

function timeOf({ parsed }: Missing): string {
  return parsed.type === 'snapshot' ? parsed.time : '';
}
