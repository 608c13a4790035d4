import { z } from 'zod';
import { checkSystem } from '../operations/check.ts';
import type { Checked } from '../operations/probe/checked.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list } = shapes;

const checked: z.ZodType<Checked> = object({
  area: z.string().describe('configuration, key, destination, protection, clock or dataset'),
  name: z.string(),
  result: z.enum(['good', 'warning', 'bad']),
  message: z.string(),
  hint: z.string().exactOptional().describe('what mends it'),
  facts: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .readonly()
    .exactOptional(),
});

/** Looks at everything that a backup and a restore need. */
export const checkJob = defineJob({
  name: 'check',
  request: object({}),
  document: object({ good: z.boolean(), checks: list(checked), requests: shapes.requests }),
  keys: () => 'given',
  async run({ system, identities, run }) {
    const checks = await checkSystem(system, identities, run);
    const good = checks.every((one) => one.result !== 'bad');
    return { document: { good, checks, requests: system.requests() }, answer: okOrNo(good) };
  },
});
