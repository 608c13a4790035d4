import { z } from 'zod';
import type { Loss } from '../core/anomalies.ts';
import { acceptLoss, withdrawAcceptance } from '../operations/anomalies/accept.ts';
import { defineJob } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names } = shapes;

const point = z.string().exactOptional();

const loss: z.ZodType<Loss> = object({
  what: z.string().describe("a table, 'files', 'rows', 'entries' or 'bytes'"),
  before: z.number(),
  now: z.number(),
  altered: object({ how: z.enum(['noise', 'rewritten', 'replaced']), columns: names }).exactOptional(),
});

const document = object({
  dataset: z.string(),
  reason: z.string(),
  until: shapes.time.nullable(),
  point: z.string().describe('the restore point that later ones are held against'),
  fullest: z.string().describe('the restore point that held the most'),
  losses: list(loss),
});

/** Says that a loss of data was meant. */
export const acceptJob = defineJob({
  name: 'accept',
  request: object({
    dataset: z.string(),
    reason: shapes.openReason,
    point: point.describe('the restore point that was looked at; the newest when absent'),
    untilMs: shapes.momentMs.exactOptional().describe('when this ends; when it is withdrawn, when absent'),
  }),
  document,
  keys: () => 'given',
  async run({ system, identities, run }, request) {
    const vault = await shapes.readableVault(system, run);
    const accepted = await acceptLoss(system, vault, { ...request, identities }, run);
    const { dataset, reason, untilMs } = request;
    const until = untilMs === undefined ? null : new Date(untilMs).toISOString();
    return { document: { dataset, reason, until, ...accepted }, answer: 'ok' };
  },
});

/** Ends what was accepted. */
export const withdrawJob = defineJob({
  name: 'withdraw',
  request: object({ dataset: z.string(), point: point.describe('all of the dataset when absent') }),
  document: object({
    dataset: z.string(),
    withdrawn: list(
      object({
        ...{ id: z.string(), system: z.string(), dataset: z.string(), code: z.string(), point: z.string() },
        ...{ reason: z.string(), at: shapes.time, until: shapes.time.nullable() },
      }),
    ),
  }),
  async run({ system, run }, request) {
    const vault = await shapes.readableVault(system, run);
    const withdrawn = await withdrawAcceptance(system, vault, request, run);
    return { document: { dataset: request.dataset, withdrawn }, answer: 'ok' };
  },
});
