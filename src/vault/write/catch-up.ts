import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { countOf, formatSize } from '../../core/size.ts';
import type { Destination } from '../../destinations/destination.ts';
import {
  type Copied,
  type CopyPlan,
  copyMissing,
  planCopy,
  type SpreadRule,
  spreadRule,
  tellStrange,
  wantedBy,
  withdrawnAt,
} from '../copy/index.ts';
import { isNamedByHash, parseKey } from '../format/keys.ts';
import type { NeedsReader, WithNeeds } from '../hold/needs.ts';
import { type Sizes, sizesAt } from '../hold/sizes.ts';
import type { IndexCache } from '../index/cache.ts';
import { openVault } from '../open.ts';
import type { Trust } from '../trust.ts';
import type { RestorePoint } from '../vault.ts';
import type { Copies } from './copies.ts';

/** More than this is copied after the backup: the new restore point comes first. */
const mostBeforeBytes = 256 * 1024 * 1024;

export interface CatchUpParts {
  readonly vault: string;
  readonly index: IndexCache;
  readonly copies: Copies;
  /** Whose records are copied, and whose prunes count; everyone's when absent. */
  readonly trust?: Trust;
}

/**
 * Copies to each destination what others hold and it does not. Ciphertext as it is: no key is needed. Records that `lifeboat copy`
 * would leave are left, and that is told. A destination that lacks much, or that cannot be filled from here, is set aside: it
 * would hold up the others.
 */
export async function catchUp(parts: CatchUpParts, run: Run, mostBytes = mostBeforeBytes): Promise<void> {
  const { index, copies } = parts;
  const ruled = { ...parts, belief: beliefOver(parts, run) };
  const done: Copied[] = [];
  const seen = new Map<Destination, Sizes>();
  const lookAt = async (destination: Destination) => {
    try {
      if (!seen.has(destination)) seen.set(destination, await sizesAt(destination, run.signal));
    } catch (error) {
      copies.drop(destination, error);
    }
    return seen.get(destination);
  };
  for (const to of [...copies.active]) {
    if (index.get(`lagging ${to.name}`) !== 'yes' && index.missingAt(to.name).length === 0) continue;
    const target = await lookAt(to);
    if (target === undefined) continue;
    const sources: Sizes[] = [];
    for (const from of [...copies.active]) {
      const source = from === to ? undefined : await lookAt(from);
      if (source !== undefined) sources.push(source);
    }
    const copied = await fill(ruled, target, sources, run, mostBytes);
    if (copied !== undefined) {
      done.push(copied);
      tellRefused(copied, to, run);
    }
  }
  tellStrange(done, run);
}

/** What no place has sound: the backup in hand makes up for what it needs itself, and for no older restore point. */
function tellRefused({ refused }: Copied, to: Destination, run: Run): void {
  const [first] = refused;
  if (first === undefined) return;
  const objects = countOf(refused.length, 'object');
  const message = `${to.name} still lacks ${objects} that could not be copied, and the restore points that need them. The first: ${first.why}`;
  run.problem({ code: first.code, message });
}

interface Belief {
  readonly spreads: SpreadRule;
  readonly points: ReadonlyArray<WithNeeds<RestorePoint>>;
  readonly withNeeds: NeedsReader;
  readonly wanted: (id: string) => boolean;
}

/** The rules of `lifeboat copy`, asked for where there is something to copy: that reads all records. */
function beliefOver({ copies, trust = {} }: CatchUpParts, run: Run): () => Promise<Belief> {
  const read = async (): Promise<Belief> => {
    const vault = await openVault(copies.active, { trust: () => trust, signal: run.signal });
    const spreads = await spreadRule(vault);
    const points = await vault.withNeeds((await vault.pointsOfAll()).points, run.signal);
    return { spreads, points, withNeeds: vault.withNeeds, wanted: await wantedBy(vault, spreads, run.signal) };
  };
  let belief: Promise<Belief> | undefined;
  return () => {
    belief ??= read();
    return belief;
  };
}

/** What records need, and what this host's own index counts on; the records are read only where others' packs are missing. */
async function wantedHere({ index, belief }: RuledParts, target: Sizes, sources: readonly Sizes[]) {
  const isOwn = (id: string) => index.packSize(id) !== undefined;
  for (const { sizes } of sources) {
    for (const [key] of sizes) {
      const parsed = target.sizes.has(key) ? undefined : parseKey(key);
      if (isNamedByHash(parsed) && !isOwn(parsed.id)) {
        const { wanted } = await belief();
        return (name: string) => isOwn(name) || wanted(name);
      }
    }
  }
  return isOwn;
}

interface RuledParts extends CatchUpParts {
  readonly belief: () => Promise<Belief>;
}

/** What was copied; undefined where it was given up. */
async function fill(
  parts: RuledParts,
  target: Sizes,
  sources: readonly Sizes[],
  run: Run,
  mostBytes: number,
): Promise<Copied | undefined> {
  const { vault, index, copies, trust, belief } = parts;
  const to = target.destination;
  try {
    const points = async () => (await belief()).points;
    const withdrawn = await withdrawnAt(vault, [target, ...sources], { trust: trust ?? {}, points });
    const wanted = await wantedHere(parts, target, sources);
    const plan = planCopy(target, sources, withdrawn, wanted);
    const copied = await carryOut(plan, parts, run, mostBytes);
    if (typeof copied === 'string') {
      copies.setAside(to, copied);
      return undefined;
    }
    index.forgetHolder(to.name);
    for (const [key, sizeBytes] of target.sizes) {
      const parsed = parseKey(key);
      if (isNamedByHash(parsed) && index.packSize(parsed.id) === sizeBytes) index.addHolder(parsed.id, to.name);
    }
    // What a prune has marked is used by nobody again, so nobody needs to have it.
    for (const pack of index.missingAt(to.name)) {
      if (plan.withdrawn.has(pack)) for (const { destination } of sources) index.forgetHolder(destination.name, pack);
    }
    const isWhole = copied.refused.length === 0 && copied.waiting.length === 0;
    if (isWhole && index.missingAt(to.name).length === 0) index.set(`lagging ${to.name}`, 'no');
    return copied;
  } catch (error) {
    copies.drop(to, error);
    return undefined;
  }
}

/** Or why it has to wait until after the backup. */
async function carryOut(
  plan: CopyPlan,
  { vault, trust, belief }: RuledParts,
  run: Run,
  mostBytes: number,
): Promise<Copied | string> {
  if (plan.totalBytes > mostBytes) {
    const objects = countOf(plan.objects.length + plan.records.length, 'object');
    return `it lacks ${objects} (${formatSize(plan.totalBytes)}) that others hold`;
  }
  let spreads: SpreadRule = () => false;
  let withNeeds: NeedsReader = async () => [];
  try {
    if (plan.records.length > 0) ({ spreads, withNeeds } = await belief());
  } catch (error) {
    run.signal.throwIfAborted();
    return `the records that it lacks could not be judged: ${sentenceOf(error)}`;
  }
  const copied = await copyMissing(plan, { vault, spreads, withNeeds, trust: trust ?? {} }, run);
  const isUnread = copied.refused.length > 0 && copied.silent.length > 0;
  return isUnread ? 'what it lacks could not be read from the others' : copied;
}
