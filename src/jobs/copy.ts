import { z } from 'zod';
import { copyVault } from '../operations/copy/copy.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count } = shapes;

const request = object({
  from: z.string().exactOptional().describe('all others when absent'),
  to: names.exactOptional().describe("all but 'from' when absent"),
  refill: z.boolean().describe('fill a destination anew whose vault is known to be gone'),
});

const asked = z.record(z.string(), count).readonly().describe('requests by operation');

const document = object({
  vault: z.string(),
  filled: list(
    object({
      destination: z.string(),
      objects: count,
      bytes: count,
      records: count.describe('restore points among them'),
      refused: list(object({ key: z.string(), code: z.string(), why: z.string() })),
      waiting: names.describe('records that wait for what they need'),
      strange: names.describe('records that may not spread: nobody who is known signed them'),
      requests: asked,
      behind: z.string().nullable().describe('why it is not up to date; null when it is'),
    }),
  ),
  read: list(object({ destination: z.string(), requests: asked })),
});

export type CopyDocument = z.infer<typeof document>;

/** Brings destinations up to date from one another. A backup that set one aside does the same, so the operation itself notes it. */
export const copyJob = defineJob({
  name: 'copy',
  request,
  document,
  async run({ system, run }, request) {
    const { vault, filled, read } = await copyVault(system, request, run);
    const document = {
      vault,
      filled: filled.map(({ destination, objects, bytes, records, refused, waiting, strange, requests, behind }) => ({
        ...{ destination, objects, bytes, records, refused, waiting, strange, requests },
        behind: behind ?? null,
      })),
      read,
    };
    return { document, answer: okOrNo(filled.every(({ behind }) => behind === undefined)) };
  },
});
