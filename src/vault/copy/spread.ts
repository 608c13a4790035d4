import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import type { Key } from '../../destinations/destination.ts';
import { believedEpochs } from '../epochs/grants.ts';
import { spanOf } from '../format/cover.ts';
import { logKey } from '../format/keys.ts';
import { recordHash, recordKey, type SnapshotRecord } from '../format/record.ts';
import { createIdSet } from '../hold/id-set.ts';
import { believedCovers } from '../logs/covers.ts';
import { type Doubt, isKnownWriter } from '../trust.ts';
import type { VaultReader } from '../vault.ts';
import { recordsStrange } from './errors.ts';
import type { Wanted } from './plan.ts';

/** Doubts that are about who wrote, not about when: such a restore point stays where it is. */
const strange: ReadonlySet<Doubt['code']> = new Set(['writer-unknown', 'chain-forked', 'replayed']);

/** Whether a record may be copied to where it is not. */
export type SpreadRule = (record: SnapshotRecord) => boolean;

/**
 * The rule for the records that `vault` holds now; one that comes later is told by its writer alone. It goes by the whole record:
 * whoever puts another one under the same id, or the same name, does not hold up the true one, and the other one stays.
 */
export async function spreadRule(vault: VaultReader): Promise<SpreadRule> {
  const { points } = await vault.pointsOfAll();
  const judged = new Set(points.map(({ record }) => recordKey(record)));
  const sound = points.filter(({ doubts }) => !doubts.some(({ code }) => strange.has(code)));
  const spreading = new Set(sound.map(({ record }) => recordHash(record)));
  return (record) =>
    isKnownWriter(vault.trust, record.writer, record.system) &&
    (spreading.has(recordHash(record)) || !judged.has(recordKey(record)));
}

/**
 * Packs, manifests, lists and keys of epochs that a record needs which may spread, pieces of logs that covers name, and what else opens
 * those: no other is copied. By id, pieces by key.
 */
export async function wantedBy(vault: VaultReader, spreads: SpreadRule, signal: AbortSignal): Promise<Wanted> {
  const { points } = await vault.pointsOfAll();
  const needed = createIdSet(vault.ids);
  const spreading = points.filter(({ record }) => spreads(record));
  for (const { needs } of await vault.withNeeds(spreading, signal)) {
    needed.addNeeds(needs);
    for (const [, id] of needs.keys) needed.add(id);
  }
  const epochs = await believedEpochs(vault.destinations, vault.id, vault.trust);
  for (const { grants } of epochs.values()) for (const { key } of grants) needed.add(key[0]);
  const pieces = new Set<Key>();
  const reading = { vault: vault.id, trust: vault.trust, onFailure: () => {} };
  for (const { cover } of await believedCovers(vault.destinations, reading)) {
    for (const [, id] of cover.keys) needed.add(id);
    for (const [start, end, id] of cover.pieces) pieces.add(logKey(spanOf(cover, start, end), id));
  }
  return (name) => pieces.has(name) || (!name.startsWith('logs/') && needed.has(name));
}

/** Says once for a whole run how many objects stay where they are, however many places lack them. */
export function tellStrange(copied: ReadonlyArray<{ readonly strange: readonly Key[] }>, run: Run): void {
  const left = new Set(copied.flatMap(({ strange }) => strange));
  if (left.size === 0) return;
  const objects = countOf(left.size, 'object');
  run.problem({ code: recordsStrange.code, message: sentenceOf(recordsStrange({ objects })) });
}
