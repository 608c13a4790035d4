import { z } from 'zod';
import { runSabotage } from '../operations/drill/run-drill.ts';
import type { SabotageOutcome } from '../operations/drill/sabotage.ts';
import { drillRequest } from './drill.ts';
import { defineJob } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names } = shapes;

const document: z.ZodType<SabotageOutcome> = object({
  system: z.string(),
  verdict: z.enum(['caught', 'missed', 'inconclusive']),
  why: names,
  datasets: list(
    object({
      dataset: z.string(),
      restorePoint: z.string().nullable(),
      reason: z.string().nullable().describe('why nothing was tried, or not all'),
      tries: list(
        object({
          sabotage: z.string(),
          verdict: z.enum(['caught', 'missed', 'not-tried']),
          hurt: z.string().nullable(),
          check: z.string().nullable().describe('which check saw it'),
          message: z.string(),
          elapsedMs: shapes.elapsedMs,
        }),
      ),
    }),
  ),
  left: list(object({ dataset: z.string(), reason: z.string() })),
  elapsedMs: shapes.elapsedMs,
});

/** Puts the checks of a drill on trial. It says nothing of the restore points, so nothing notes it. */
export const sabotageJob = defineJob({
  name: 'sabotage',
  request: drillRequest,
  document,
  keys: () => 'needed',
  async run({ system, identities, identityFiles, run }, request) {
    const outcome = await runSabotage(system, { ...request, identities, identityFiles }, run);
    const answers = { caught: 'ok', missed: 'no', inconclusive: 'failed' } as const;
    return { document: outcome, answer: answers[outcome.verdict] };
  },
});
