import { z } from 'zod';
import type { DrillEvidence } from '../core/evidence.ts';
import type { RestoreBody } from './bodies.ts';

/** What is read out of evidence, and must therefore be there: the rest is shown as it is. Other versions may say more or less. */

const drill = z.looseObject({
  drill: z.looseObject({ id: z.string(), system: z.string(), started: z.iso.datetime() }),
  scope: z.looseObject({
    datasets: z.array(z.looseObject({ dataset: z.string() })),
    left: z.array(z.looseObject({ dataset: z.string(), reason: z.string() })),
    selection: z.string(),
  }),
  identity: z.looseObject({ kind: z.enum(['daily', 'escrow']), opened: z.array(z.string()) }).optional(),
  objectives: z.array(z.looseObject({ dataset: z.string(), rtoMeasuredMs: z.number().nullable() })),
  rtoMs: z.number(),
  checks: z.array(z.looseObject({ id: z.string(), verdict: z.enum(['pass', 'fail', 'skip', 'error']) })),
  outcome: z.looseObject({ verdict: z.enum(['proved', 'failed', 'inconclusive']) }),
});

const restore = z.looseObject({
  restores: z.array(z.looseObject({ dataset: z.string(), outcome: z.enum(['done', 'was back', 'failed']) })),
  rtoMs: z.number().nullable(),
});

/** Undefined for what is no evidence of a drill, whoever signed it. */
export function drillBodyOf(body: unknown): DrillEvidence | undefined {
  return drill.safeParse(body).success ? (body as DrillEvidence) : undefined;
}

export function restoreBodyOf(body: unknown): RestoreBody | undefined {
  return restore.safeParse(body).success ? (body as RestoreBody) : undefined;
}
