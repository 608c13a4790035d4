import { existsSync } from 'node:fs';
import { z } from 'zod';
import type { Catalog } from '../catalog/catalog.ts';
import { sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import type { ThreeTwoOne } from '../core/three-two-one.ts';
import { inState } from '../host/state-names.ts';
import type { DatasetStatus, SystemStatus } from '../operations/status/status.ts';
import { takeStatus } from '../operations/status/take-status.ts';
import type { OpenSystem } from '../operations/system.ts';
import { tellPassedOver } from '../vault/index.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count, time } = shapes;

const trouble = object({
  severity: z.enum(['bad', 'warning']),
  code: z.string(),
  message: z.string(),
  command: z.string().describe('what mends it'),
  urgent: z.literal(true).exactOptional(),
});

/** The 3-2-1 rule, as `destination-list` has it too. */
export const placementKeys = {
  ok: z.boolean().describe('three copies on two media, one elsewhere, and nothing single that takes every backup'),
  copies: count.describe('production counts as one'),
  media: names,
  elsewhere: names,
  locked: names,
  providers: names,
  regions: names,
  accounts: names,
  sites: names,
  findings: list(
    object({
      severity: z.enum(['bad', 'warning']),
      code: z.string(),
      message: z.string(),
      advice: z.string(),
      copies: names,
    }),
  ).describe('worst first'),
};

const placement: z.ZodType<ThreeTwoOne> = object(placementKeys);

const dataset: z.ZodType<DatasetStatus> = object({
  name: z.string(),
  type: z.string(),
  rpoMs: z.number(),
  rtoMs: z.number(),
  newest: object({
    id: z.string(),
    time,
    sizeBytes: count,
    destinations: names,
    missingAt: names.describe('required destinations that do not hold it: it is protected when there are none'),
  }).nullable(),
  restorePoints: count,
  passedOver: list(shapes.passedOver).describe("newer ones than 'newest' that are not believed"),
  lossMs: z.number().nullable().describe('null: everything would be lost'),
  provedAt: time.nullable(),
  failedAt: time.nullable().describe('when a drill found it wrong, if none has looked at it since'),
  data: z.enum(['sound', 'empty', 'lost']),
  accepted: list(
    object({
      id: z.string(),
      code: z.string(),
      point: z.string(),
      reason: z.string(),
      at: time,
      until: time.nullable(),
    }),
  ).describe('what a person said is right, oldest first'),
  troubles: list(trouble),
});

const destination = object({
  name: z.string(),
  location: z.string(),
  reachable: z.boolean(),
  required: z.boolean(),
  lastGood: time.nullable().describe('when it last did all that this host asked of it'),
  troubleSince: time.nullable(),
  lag: object({ restorePoints: count, objects: count, bytes: count, since: time.nullable(), ms: z.number().nullable() })
    .nullable()
    .describe('what it lacks of what the others hold'),
});

const prune = object({
  last: time.nullable(),
  overdue: object({ restorePoints: count, objects: count, bytes: count }).nullable(),
  waitsFor: list(
    object({ writer: z.string(), isHere: z.boolean(), since: time, datasets: names, lastBackup: time, objects: count }),
  ),
  stopped: object({ at: time, code: z.string(), message: z.string() }).nullable(),
});

const key = object({
  recipient: z.string(),
  label: z.string().nullable(),
  since: time.nullable().describe('it is at least this old'),
  proved: object({ at: time, drill: z.string(), kind: z.enum(['daily', 'escrow']) }).nullable(),
});

const proof = object({
  id: z.string(),
  at: time,
  checksPassed: count,
  checksTotal: count,
  rtoMs: z.number(),
  rtoObjectiveMs: z.number(),
  left: names.describe('datasets of which it proves nothing'),
});

const document: z.ZodType<SystemStatus> = object({
  system: z.string(),
  environment: z.string(),
  at: time,
  ok: z.boolean().describe('nothing bad and nothing to do'),
  answer: object({
    known: z.boolean().describe('false when no destination answers'),
    lossMs: z.number().nullable(),
    withoutRestorePoint: names,
    recoveryMs: z.number().nullable().describe('how long the last proved drill of everything took'),
    unproved: names,
  }).describe('if production disappeared now'),
  proof: proof.nullable(),
  failure: object({ drill: z.string(), at: time, checks: names })
    .nullable()
    .describe('the newest drill that failed, while what failed was not drilled again'),
  lastDrill: object({ id: z.string(), at: time, verdict: z.string() })
    .nullable()
    .describe('the newest drill, when it is not the proof'),
  verification: object({ soundParts: count, parts: count, completeSince: time.nullable() }).nullable(),
  configuration: object({ id: z.string(), time, destinations: names }).nullable(),
  datasets: list(dataset).describe('worst first'),
  destinations: list(destination),
  locks: list(object({ destination: z.string(), until: time.nullable(), keptAt: time })).exactOptional(),
  writers: list(object({ writer: z.string(), restorePoints: count, known: z.boolean().nullable() })).exactOptional(),
  prune: prune.exactOptional().describe('absent while no vault can be read'),
  placement,
  keys: list(key).exactOptional(),
  acceptedWarnings: list(object({ what: z.string(), reason: z.string() })),
  troubles: list(trouble).describe('of the system as a whole; worst first'),
});

/** How things stand. It changes nothing and needs no key. */
export const statusJob = defineJob({
  name: 'status',
  request: object({}),
  document,
  async run({ system, run }) {
    const found = await takeStatus(system, knownCatalog(system, run));
    for (const { passedOver } of found.datasets) tellPassedOver(passedOver, run);
    return { document: found, answer: okOrNo(found.ok) };
  },
});

/** A catalog that is not there yet, or out of this user's reach, takes nothing from the answer. */
function knownCatalog(system: OpenSystem, run: Run): Catalog | undefined {
  if (!existsSync(inState(system.config.stateDir, 'catalog'))) return undefined;
  try {
    const catalog = system.catalog();
    if (catalog.recovered) run.problem(catalog.recovered);
    return catalog;
  } catch (error) {
    run.problem({ code: 'catalog-unread', message: sentenceOf(error) });
    return undefined;
  }
}
