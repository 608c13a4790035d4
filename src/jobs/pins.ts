import { z } from 'zod';
import { pin, unpin } from '../operations/pins.ts';
import { defineJob } from './job.ts';
import * as shapes from './shapes.ts';

const { object } = shapes;

/** Keeps a restore point whatever the retention says. */
export const pinJob = defineJob({
  name: 'pin',
  request: object({
    point: z.string(),
    reason: shapes.openReason,
    untilMs: shapes.momentMs.exactOptional().describe('when it ends; when it is taken away, when absent'),
  }),
  document: object({ point: z.string(), reason: z.string(), until: shapes.time.nullable() }),
  async run({ system, run }, request) {
    await pin(system, await shapes.readableVault(system, run), request, run);
    const { point, reason, untilMs } = request;
    const until = untilMs === undefined ? null : new Date(untilMs).toISOString();
    return { document: { point, reason, until }, answer: 'ok' };
  },
});

/** Lets the retention decide about it again. */
export const unpinJob = defineJob({
  name: 'unpin',
  request: object({ point: z.string() }),
  document: object({ point: z.string() }),
  async run({ system, run }, { point }) {
    await unpin(system, await shapes.readableVault(system, run), point, run);
    return { document: { point }, answer: 'ok' };
  },
});
