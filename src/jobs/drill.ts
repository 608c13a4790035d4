import { z } from 'zod';
import type { RecoveryPlan } from '../core/plan.ts';
import type { DrillOutcome } from '../operations/drill/parts.ts';
import { runDrill } from '../operations/drill/run-drill.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count } = shapes;

export const drillRequest = object({
  datasets: names.describe('all when empty'),
  atMs: shapes.momentMs.exactOptional().describe('the newest restore points at or before it; of all when absent'),
  withoutIsolation: z
    .boolean()
    .describe('start the application even where nothing keeps it from this host; proves nothing'),
  trigger: z.string().min(1).max(100).describe('what the evidence says started it: manual, schedule'),
  identityKind: z
    .enum(['daily', 'escrow'])
    .describe('escrow: the one key that comes with it was put together from shares'),
});

const plan: z.ZodType<RecoveryPlan> = object({
  system: z.string(),
  steps: list(
    object({
      id: z.string(),
      dataset: z.string().exactOptional(),
      action: z.enum(['find', 'restore', 'integrity', 'expectations', 'check', 'start', 'clean-up', 'manual']),
      purpose: z.string(),
      runs: z.string(),
      proves: z.string(),
      deadlineMs: z.number(),
      who: z.enum(['lifeboat', 'operator']),
      notProved: z.string().exactOptional().describe('why a drill cannot show that it works'),
    }),
  ),
});

const isolation: z.ZodType<NonNullable<DrillOutcome['isolation']>> = object({
  footing: z.enum(['root', 'user', 'none']),
  network: z.boolean().describe('every attempt to get out failed'),
  files: z.boolean().describe('nothing hidden could be seen'),
  limits: list(
    object({
      of: z.enum(['memory', 'processes', 'open-files', 'temporary-files', 'disk', 'files', 'time']),
      most: z.number(),
      by: z.enum(['cgroup-v2', 'cgroup-v1', 'rlimit', 'tmpfs', 'watch']),
      hit: z.boolean(),
    }),
  ),
  probes: list(object({ target: z.string(), reached: z.boolean(), what: z.string() })),
  notes: names,
});

const dataset: z.ZodType<DrillOutcome['datasets'][number]> = object({
  dataset: z.string(),
  kind: z.string(),
  restorePoint: z.string().nullable(),
  time: shapes.time.nullable(),
  manifestSha256: z.string().nullable(),
  logicalBytes: count,
  destinations: names,
  gaps: z.record(z.string(), count).readonly().exactOptional().describe('what its restore point lacks, by code'),
  leftOut: object({ rules: count, files: count, bytes: count }).exactOptional(),
  passedOver: object({
    count,
    points: list(object({ restorePoint: z.string(), time: shapes.time, reasons: names })),
  }).nullable(),
});

const document: z.ZodType<DrillOutcome> = object({
  id: z.string(),
  system: z.string(),
  verdict: z.enum(['proved', 'failed', 'inconclusive']),
  why: names.describe('why it is not proved'),
  started: shapes.time,
  checks: list(shapes.checkResult),
  phases: list(object({ phase: z.string(), elapsedMs: shapes.elapsedMs })),
  rtoMs: shapes.elapsedMs.describe('from the first step to the last check, milliseconds'),
  objectives: list(
    object({
      dataset: z.string(),
      rpoMs: z.number(),
      rpoMeasuredMs: z.number().nullable(),
      rpoFrom: z.enum(['newest-record', 'restore-point', 'nothing']),
      rtoMs: z.number(),
      rtoMeasuredMs: z.number().nullable(),
    }),
  ),
  objectivesMet: z.boolean(),
  datasets: list(dataset),
  left: list(object({ dataset: z.string(), reason: z.string() })).describe(
    'left out by the configuration: nothing is proved of it',
  ),
  leftOut: list(object({ dataset: z.string(), rules: list(shapes.leftOut) })),
  selection: z.string().describe("'newest', or which moment was chosen"),
  isolation: isolation.nullable(),
  identity: object({ kind: z.enum(['daily', 'escrow']), opened: names }),
  plan,
  notes: names,
  evidence: z.string().nullable().describe('its object in the vault; null when it could not be stored'),
});

/** Rehearses the recovery. `failed`: it could not find out, and the backups are not at fault. */
export const drillJob = defineJob({
  name: 'drill',
  request: drillRequest,
  document,
  keys: () => 'needed',
  recorded: () => ({ operation: 'drill' }),
  async run({ system, identities, identityFiles, run }, request) {
    const outcome = await runDrill(system, { ...request, identities, identityFiles }, run);
    const proved = outcome.verdict === 'proved' && outcome.objectivesMet && outcome.evidence !== null;
    return { document: outcome, answer: outcome.verdict === 'inconclusive' ? 'failed' : okOrNo(proved) };
  },
});
