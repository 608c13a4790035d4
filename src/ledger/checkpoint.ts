import { dayMs } from '../core/duration.ts';
import type { Run } from '../core/run.ts';
import { countOf } from '../core/size.ts';
import {
  type CheckpointedChain,
  checkpointsIn,
  hashOfEntry,
  isUnder,
  type LedgerObject,
  type LedgerRecord,
  mostKept,
  rangeOf,
} from '../vault/format/index.ts';
import { graceMs, isOurs, isPruner, type Trust } from '../vault/index.ts';
import { type Place, removeWhole } from '../vault/prune/index.ts';
import { readable } from './read.ts';

export interface CheckpointLimits {
  /** Younger entries stay, for whoever reads the log. */
  readonly keepMs: number;
  /** A chain with fewer that may go is left as it is. */
  readonly least: number;
}

export const usualCheckpoints: CheckpointLimits = { keepMs: 400 * dayMs, least: 1000 };

/** What machines note each time that they do what they always do. No answer rests on it, but what the log itself shows. */
const passing: ReadonlySet<string> = new Set(['backup', 'copy', 'lock']);

export function isPassing({ kind, body }: LedgerRecord): boolean {
  return passing.has(kind) || (kind === 'prune' && body.step === 'sweep');
}

export interface LedgerJudging {
  readonly vault: string;
  /** Whose entries count, and whose checkpoints. */
  readonly trust: Trust;
  /** By the stores' clocks. */
  readonly nowMs: number;
}

interface Read {
  readonly key: string;
  readonly hash: string;
  readonly record: LedgerRecord;
}

function readAll(objects: readonly LedgerObject[], { vault, trust }: LedgerJudging): Read[] {
  return objects.flatMap(({ key, bytes }) => {
    const record = readable(bytes, key);
    if (record?.vault !== vault || !isOurs(trust, record.writer)) return [];
    return [{ key, hash: hashOfEntry(bytes), record }];
  });
}

function checkpointsOf(entries: readonly Read[], { trust }: LedgerJudging) {
  return checkpointsIn(
    entries.map(({ record }) => record),
    (writer) => isPruner(trust, writer),
  );
}

/**
 * What a new checkpoint says of the chains that have grown enough since the last; none where nothing is worth it. It goes on from the one
 * before, entry by entry: past a gap, a fork, or what is young, it does not go, nor to the end of a chain.
 */
export function nextCheckpoint(
  objects: readonly LedgerObject[],
  judging: LedgerJudging,
  { keepMs, least }: CheckpointLimits,
): CheckpointedChain[] {
  const entries = readAll(objects, judging);
  const before = checkpointsOf(entries, judging);
  const chains: CheckpointedChain[] = [];
  let room = mostKept;
  for (const [writer, own] of Map.groupBy(entries, ({ record }) => record.writer)) {
    const known = before.get(writer);
    const walked = walk(own, known, judging.nowMs - keepMs);
    const end = walked.at(-1);
    if (end === undefined || walked.filter(({ record }) => isPassing(record)).length < least) continue;
    const stays = walked.filter(({ record }) => !isPassing(record));
    const kept = [...(known?.kept ?? []), ...stays.map(({ record, hash }) => [record.sequence, hash] as const)];
    if (kept.length > room) continue;
    room -= kept.length;
    const range = rangeOf(
      walked.map(({ hash }) => hash),
      known?.range,
    );
    chains.push({ writer, through: end.record.sequence, last: end.hash, range, kept });
  }
  return chains.sort((a, b) => (a.writer < b.writer ? -1 : 1));
}

/** The entries that follow one another from behind `known` on, all of them old, without the newest of the chain. */
function walk(own: readonly Read[], known: CheckpointedChain | undefined, beforeMs: number): Read[] {
  const bySequence = Map.groupBy(own, ({ record }) => record.sequence);
  const newest = Math.max(...bySequence.keys());
  const walked: Read[] = [];
  let previous = known?.last ?? null;
  for (let sequence = (known?.through ?? 0) + 1; sequence < newest; sequence++) {
    const [next, rival] = bySequence.get(sequence) ?? [];
    if (next === undefined || rival !== undefined || next.record.previous !== previous) break;
    if (Date.parse(next.record.time) > beforeMs) break;
    walked.push(next);
    previous = next.hash;
  }
  return walked;
}

/**
 * Keys of what is under a checkpoint that is older than the grace of a prune. Whatever it says, only what nothing rests on goes: no chain's
 * end, which its writer goes on from.
 */
export function passedEntries(objects: readonly LedgerObject[], judging: LedgerJudging): string[] {
  const entries = readAll(objects, judging);
  const ends = new Map<string, number>();
  for (const { record } of entries) {
    ends.set(record.writer, Math.max(record.sequence, ends.get(record.writer) ?? 0));
  }
  const settled = entries.filter(({ record }) => Date.parse(record.time) <= judging.nowMs - graceMs);
  const checkpoints = checkpointsOf(settled, judging);
  return entries
    .filter(({ record }) => {
      const { writer, sequence } = record;
      const checkpoint = checkpoints.get(writer);
      const isEnd = sequence === ends.get(writer);
      return checkpoint !== undefined && !isEnd && isPassing(record) && isUnder(checkpoint, sequence);
    })
    .map(({ key }) => key)
    .sort();
}

/** Removes them from every place. What a lock holds stays; the next prune goes on. */
export async function removeEntries(places: readonly Place[], keys: readonly string[], run: Run): Promise<void> {
  for (const { destination } of places) {
    for (const [at, key] of keys.entries()) {
      run.signal.throwIfAborted();
      run.progress({ label: `${countOf(keys.length, 'entry', 'entries')} at ${destination.name}`, doneItems: at });
      await removeWhole(destination, key);
    }
  }
}
