import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Measured } from '../../core/anomalies.ts';
import type { LeftOut } from '../../core/left-out.ts';
import { writeStateFile } from '../../host/state-file.ts';
import { inState } from '../../host/state-names.ts';
import type { Origin } from './origin.ts';

export interface KnownPoint extends Measured {
  /** By which rule; absent where this host did not take it, or nothing was left out. */
  readonly leftOut?: readonly LeftOut[];
  /** Absent where this host did not take it. */
  readonly origin?: Origin;
}

/** What this host remembers of the restore points of a dataset: without a key the vault does not say how many rows they hold. */
export interface KnownCounts {
  /** Oldest first. */
  readonly points: readonly KnownPoint[];
  /** The last that this host knows to be proved or accepted. */
  readonly settled?: string;
}

/** Besides these only the settled one and the fullest are remembered: a slow loss is seen against those. */
const mostRemembered = 64;
/** Of the newest, one of which will be settled next. They take more room than counts. */
const mostSamples = 8;

const count = z.number().int().nonnegative();
const leftOut = z.strictObject({
  rule: z.string(),
  by: z.enum(['exclude', 'defaultExcludes', 'oneFileSystem', 'always']),
  reason: z.string(),
  files: count,
  bytes: count,
  folders: count,
  more: z.literal(true).exactOptional(),
  tables: count.exactOptional(),
  rows: count.exactOptional(),
});
const sample = z.strictObject({
  key: z.array(z.string()),
  columns: z.array(z.string()),
  until: z.string().exactOptional(),
  rows: z.array(z.string()),
});
const shape = z.strictObject({
  format: z.literal(1),
  vault: z.string(),
  settled: z.string().nullable(),
  points: z.array(
    z.strictObject({
      id: z.string(),
      timeMs: z.number(),
      bytes: count,
      entries: count,
      rows: z.array(z.tuple([z.string(), count])).exactOptional(),
      samples: z.array(z.tuple([z.string(), sample])).exactOptional(),
      altered: z.array(z.string()).exactOptional(),
      leftOut: z.array(leftOut).exactOptional(),
      origin: z.strictObject({ server: z.string().exactOptional(), place: z.string().exactOptional() }).exactOptional(),
    }),
  ),
});

/**
 * Nothing where nothing is remembered, or what is cannot be read: the vault's sizes are looked at instead. Without `vault`, what is
 * known of whichever it was.
 */
export function readCounts(stateDir: string, vault: string | undefined, dataset: string): KnownCounts {
  try {
    const known = shape.parse(JSON.parse(readFileSync(fileOf(stateDir, dataset), 'utf8')));
    if (vault !== undefined && known.vault !== vault) return { points: [] };
    const points = known.points.map(({ rows, samples, ...point }) => ({
      ...point,
      ...(rows && { rows: byTable(rows) }),
      ...(samples && { samples: byTable(samples) }),
    }));
    return { points, ...(known.settled !== null && { settled: known.settled }) };
  } catch {
    return { points: [] };
  }
}

/** Remembers what a backup took or a drill opened, in place of what was known of the same restore points. */
export function noteCounts(stateDir: string, vault: string, dataset: string, news: KnownCounts): void {
  const known = readCounts(stateDir, vault, dataset);
  const settled = news.settled ?? known.settled;
  const all = new Map<string, KnownPoint>();
  for (const point of [...known.points, ...news.points]) all.set(point.id, { ...all.get(point.id), ...point });
  const sorted = [...all.values()].sort((a, b) => a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1));
  const fullest = sorted.reduce<KnownPoint | undefined>(
    (best, one) => (best && total(best) > total(one) ? best : one),
    undefined,
  );
  const kept = sorted.filter(
    (point, at) => at >= sorted.length - mostRemembered || point === fullest || point.id === settled,
  );
  const first = settled === undefined ? kept[0] : undefined;
  const points = kept.map(({ rows, samples, ...point }, at) => {
    const isHeld = at >= kept.length - mostSamples || point.id === settled || point.id === first?.id;
    return {
      ...point,
      ...(rows && { rows: Object.entries(rows) }),
      ...(samples && isHeld && { samples: Object.entries(samples) }),
    };
  });
  writeStateFile(fileOf(stateDir, dataset), { format: 1, vault, settled: settled ?? null, points });
}

function total({ rows = {} }: Measured): number {
  return Object.values(rows).reduce((sum, one) => sum + one, 0);
}

/** A table may have any name, also one that every object answers to. */
function byTable<T>(entries: ReadonlyArray<readonly [string, T]>): Readonly<Record<string, T>> {
  return Object.assign(Object.create(null), Object.fromEntries(entries));
}

function fileOf(stateDir: string, dataset: string): string {
  return join(inState(stateDir, 'counts'), `${dataset}.json`);
}
