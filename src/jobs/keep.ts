import { z } from 'zod';
import { keep } from '../operations/keep.ts';
import { isKept, type KeepOutcome } from '../operations/keep-all.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, count } = shapes;

const request = object({ dryRun: z.boolean().describe('say how many locks would be extended; change nothing') });

const document = object({
  dryRun: z.boolean(),
  destinations: list(
    object({
      destination: z.string(),
      objects: count.describe('that restore points need there'),
      extended: count,
      missing: count,
      unlocked: count,
      lockedUntil: shapes.time.nullable().describe('when the first lock ends; null where something needed has none'),
      failed: z.string().nullable(),
      requests: z.record(z.string(), count).readonly(),
    }),
  ),
  without: list(shapes.unreachable).describe('destinations whose objects cannot be kept by locks'),
  suspect: list(shapes.suspect),
});

export type KeepDocument = z.infer<typeof document>;

/** Makes every lock reach as far as the restore points that need the object. */
export const keepJob = defineJob({
  name: 'keep',
  request,
  document,
  recorded: () => ({ operation: 'keep' }),
  async run({ system, run }, request) {
    const outcome = await keep(system, request, run);
    return { document: documentOf(outcome), answer: okOrNo(isKept(outcome)) };
  },
});

function documentOf({ dryRun, locks, without, suspect }: KeepOutcome): KeepDocument {
  const destinations = locks.map(({ untilMs, failed, birthMs: _, ...kept }) => ({
    ...kept,
    lockedUntil: untilMs === undefined ? null : new Date(untilMs).toISOString(),
    failed: failed ?? null,
  }));
  return { dryRun, destinations, without, suspect };
}
