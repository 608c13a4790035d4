import type { Run } from '../../core/run.ts';
import { countOf, formatSize } from '../../core/size.ts';
import type { Destination } from '../../destinations/destination.ts';
import { copyMissing } from '../copy/copy-missing.ts';
import { type Holdings, holdingsOf } from '../copy/holdings.ts';
import { planCopy } from '../copy/plan.ts';
import { withdrawnAt } from '../copy/withdrawn.ts';
import { parseKey } from '../format/keys.ts';
import type { IndexCache } from '../index/cache.ts';
import type { Trust } from '../trust.ts';
import type { Copies } from './copies.ts';

/** More than this is copied after the backup: the new restore point comes first. */
const mostBeforeBytes = 256 * 1024 * 1024;

export interface CatchUpParts {
  readonly vault: string;
  readonly index: IndexCache;
  readonly copies: Copies;
  /** Whose prunes count; everyone's when absent. */
  readonly trust?: Trust;
}

/**
 * Copies to each destination what others hold and it does not. Ciphertext as it is: no key is needed. One that lacks much, or
 * that cannot be filled from here, is set aside: it would hold up the others.
 */
export async function catchUp(parts: CatchUpParts, run: Run, mostBytes = mostBeforeBytes): Promise<void> {
  const { index, copies } = parts;
  const seen = new Map<Destination, Holdings>();
  const lookAt = async (destination: Destination) => {
    try {
      if (!seen.has(destination)) seen.set(destination, await holdingsOf(destination, run.signal));
    } catch (error) {
      copies.drop(destination, error);
    }
    return seen.get(destination);
  };
  for (const to of [...copies.active]) {
    if (index.get(`lagging ${to.name}`) !== 'yes' && index.missingAt(to.name).length === 0) continue;
    const target = await lookAt(to);
    if (target === undefined) continue;
    const sources: Holdings[] = [];
    for (const from of [...copies.active]) {
      const source = from === to ? undefined : await lookAt(from);
      if (source !== undefined) sources.push(source);
    }
    await fill(parts, target, sources, run, mostBytes);
  }
}

async function fill(
  { vault, index, copies, trust }: CatchUpParts,
  target: Holdings,
  sources: readonly Holdings[],
  run: Run,
  mostBytes: number,
): Promise<void> {
  const to = target.destination;
  try {
    const plan = planCopy(target, sources, await withdrawnAt(vault, [target, ...sources], trust));
    if (plan.totalBytes > mostBytes) {
      const objects = countOf(plan.objects.length + plan.records.length, 'object');
      copies.setAside(to, `it lacks ${objects} (${formatSize(plan.totalBytes)}) that others hold`);
      return;
    }
    const copied = await copyMissing(plan, { vault }, run);
    if (copied.refused.length > 0 && copied.silent.length > 0) {
      copies.setAside(to, 'what it lacks could not be read from the others');
      return;
    }
    index.forgetHolder(to.name);
    for (const [key, sizeBytes] of target.sizes) {
      const parsed = parseKey(key);
      if (parsed?.type === 'pack' && index.packSize(parsed.id) === sizeBytes) index.addHolder(parsed.id, to.name);
    }
    // What a prune has marked is used by nobody again, so nobody needs to have it.
    for (const pack of index.missingAt(to.name)) {
      if (plan.withdrawn.has(pack)) for (const { destination } of sources) index.forgetHolder(destination.name, pack);
    }
    const isWhole = copied.refused.length === 0 && copied.waiting.length === 0;
    if (isWhole && index.missingAt(to.name).length === 0) index.set(`lagging ${to.name}`, 'no');
  } catch (error) {
    copies.drop(to, error);
  }
}
