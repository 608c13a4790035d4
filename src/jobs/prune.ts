import { z } from 'zod';
import { type PruneOutcome, prune } from '../operations/prune.ts';
import { type DatasetPlan, reasonText } from '../retention/index.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count } = shapes;

const request = object({
  dryRun: z.boolean().describe('say what would go and why; change nothing'),
  allowLarge: z.boolean().describe('remove more than a fifth at once'),
  allowFlood: z.boolean(),
  allowMissing: z.boolean().describe('accept what is missing, and name it in the ledger'),
  retire: names.describe('ids or keys of writers that will never write again'),
});

const point = object({
  id: z.string(),
  time: shapes.time,
  keptBy: names,
  goes: shapes.time.nullable().describe('about when, if backups go on; null when nobody knows'),
});

const amount = { objects: count, bytes: count };
/** Milliseconds since 1970 UTC, by the clock of the store. */
const untilMs = z.number().exactOptional();

const place = object({
  destination: z.string(),
  goes: object({ records: count, ...amount }).describe('what may go now'),
  waits: object(amount).describe('what is marked and waits'),
  graceUntilMs: untilMs,
  writers: names.describe('ids of writers that have to back up first'),
  locked: object({ objects: count, untilMs, isSample: z.boolean() })
    .exactOptional()
    .describe('of what may go, what locks hold now; in a dry run'),
  swept: object({
    destination: z.string(),
    records: count,
    ...amount,
    locked: object({ ...amount, untilMs }),
    failed: z.string().exactOptional(),
  })
    .exactOptional()
    .describe('what was removed; absent in a dry run'),
});

const document = object({
  dryRun: z.boolean(),
  datasets: list(object({ dataset: z.string(), kept: list(point), dropped: list(point) })).describe('newest first'),
  destinations: list(place),
  outOfReach: names,
  freedBytes: count.describe('in the end'),
  freedObjects: count,
  suspect: list(shapes.suspect),
  brakes: list(shapes.told).describe('what stops the prune that a dry run is of'),
});

export type PruneDocument = z.infer<typeof document>;

/** Marks what the retention drops, and removes what was marked before. A dry run is in no catalog: nothing was done. */
export const pruneJob = defineJob({
  name: 'prune',
  request,
  document,
  recorded: ({ dryRun }) => (dryRun ? undefined : { operation: 'prune' }),
  async run({ system, run }, request) {
    const outcome = await prune(system, request, run);
    const isThrough = outcome.places.every(({ swept }) => swept?.failed === undefined);
    const isFine = isThrough && outcome.suspect.length + outcome.brakes.length === 0;
    return { document: documentOf(outcome, request.dryRun), answer: okOrNo(isFine) };
  },
});

function documentOf(
  { plan, frees, places, outOfReach, suspect, brakes }: PruneOutcome,
  dryRun: boolean,
): PruneDocument {
  return {
    dryRun,
    datasets: plan.datasets.map(({ dataset, points }) => ({
      dataset,
      kept: points.filter(({ keep }) => keep).map(pointOf),
      dropped: points.filter(({ keep }) => !keep).map(pointOf),
    })),
    destinations: places,
    outOfReach,
    ...frees,
    suspect: suspect.map(({ key, why }) => ({ key, why })),
    brakes: brakes.map(shapes.toldOf),
  };
}

function pointOf({ point: { record }, reasons, goesMs }: DatasetPlan['points'][number]): z.infer<typeof point> {
  const goes = goesMs === undefined ? null : new Date(goesMs).toISOString();
  return { id: record.id, time: record.time, keptBy: reasons.map(reasonText), goes };
}
