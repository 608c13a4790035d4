import type { Key } from '../../destinations/destination.ts';
import { isHashed, isNamedByHash, type ParsedKey, parseKey } from '../format/keys.ts';
import type { Sizes } from '../hold/sizes.ts';
import { type Floors, isLetGo } from '../logs/floors.ts';
import type { Withdrawn } from './withdrawn.ts';

/** An object that a destination lacks, and who has it. */
export interface Missing {
  readonly key: Key;
  readonly parsed: ParsedKey;
  readonly sizeBytes: number;
  /** At least one. */
  readonly sources: readonly Sizes[];
}

export interface CopyPlan {
  readonly to: Sizes;
  /** What records need, in the order in which it is copied. */
  readonly objects: readonly Missing[];
  /** They come last: a destination names only restore points, and pieces of logs, that it holds. Oldest first. */
  readonly records: readonly Missing[];
  /** Held there too, with another size: one of the two is damaged. */
  readonly differing: readonly Key[];
  /** Of all that is missing. */
  readonly totalBytes: number;
  /** Packs, manifests and lists that a prune has marked: they are not copied, nor what needs them. */
  readonly withdrawn: ReadonlySet<string>;
  /** How far logs are let go of: those are not copied either. */
  readonly floors: Floors;
}

/** Whether somebody needs a pack, a manifest, a list or a piece of a log: strangers may have put any number there. */
export type Wanted = (name: string) => boolean;

/** By what it is asked for: bytes that a cover names may also lie under the name of another piece. */
export function wantedName(key: Key, parsed: Extract<ParsedKey, { readonly id: string }>): string {
  return parsed.type === 'log' ? key : parsed.id;
}

/** Large first; what tells writers and readers of the rest follows it. */
const order: Readonly<Partial<Record<ParsedKey['type'], number>>> = {
  pack: 0,
  manifest: 1,
  list: 1,
  log: 0,
  index: 2,
  generation: 3,
  ledger: 4,
  endorsement: 5,
  // Before what it announces.
  announcement: -1,
  // A pack means nothing without the key of its epoch.
  'epoch-key': -1,
  grant: -1,
};

/**
 * What to copy from `sources` so that `to` holds all that they hold, except what a prune has `withdrawn`, and packs, manifests and lists
 * that nobody wants.
 */
export function planCopy(
  to: Sizes,
  sources: readonly Sizes[],
  { number, ids: withdrawn, floors }: Withdrawn,
  wanted: Wanted = () => true,
): CopyPlan {
  const missing = new Map<Key, Missing & { readonly sources: Sizes[] }>();
  const differing = new Set<Key>();
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
      // No prune removes keys of epochs, whatever it says.
      const isOver = parsed.type === 'log' || parsed.type === 'cover' ? isLetGo(floors, parsed) : false;
      const isWithdrawn = isOver || (isHashed(parsed) && withdrawn.has(parsed.id));
      if (!isCopied(parsed, number) || isWithdrawn) continue;
      if (isNamedByHash(parsed) && !wanted(wantedName(key, parsed))) continue;
      missing.set(key, { key, parsed, sizeBytes, sources: [source] });
      totalBytes += sizeBytes;
    }
  }
  const all = [...missing.values()];
  const isRecord = ({ parsed }: Missing) => parsed.type === 'snapshot' || parsed.type === 'cover';
  return {
    to,
    objects: all.filter((one) => !isRecord(one)).sort((a, b) => rank(a) - rank(b)),
    records: all.filter(isRecord).sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1)),
    differing: [...differing],
    totalBytes,
    withdrawn,
    floors,
  };
}

/**
 * `vault.json` and the rescue script are made where they are missing, not copied. Of the prune generations the newest is
 * enough: those before it would only have to be removed again.
 */
function isCopied(parsed: ParsedKey, newest: number): boolean {
  switch (parsed.type) {
    case 'vault':
    case 'rescue':
      return false;
    case 'generation':
      return parsed.generation >= newest;
    default:
      return true;
  }
}

function rank({ parsed }: Missing): number {
  return order[parsed.type] ?? 0;
}

function timeOf({ parsed }: Missing): string {
  return parsed.type === 'snapshot' ? parsed.time : '';
}
