import { z } from 'zod';
import { type Collected, collectGarbage } from '../sandbox/remove.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names } = shapes;

const document: z.ZodType<Collected> = object({
  removed: names.describe('ids of sandboxes'),
  running: names.describe('of drills that still run'),
  left: list(object({ file: z.string(), why: z.string() })),
});

/** Removes what killed drills left. */
export const gcJob = defineJob({
  name: 'gc',
  request: object({ dryRun: z.boolean() }),
  document,
  async run({ system }, request) {
    const collected = await collectGarbage(system.config.stateDir, request);
    return { document: collected, answer: okOrNo(collected.left.length === 0) };
  },
});
