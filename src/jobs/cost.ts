import { z } from 'zod';
import { classNames } from '../core/storage-classes.ts';
import { type CostReport, costOf } from '../operations/cost/cost.ts';
import { defineJob } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count } = shapes;

const amount = { objects: count, bytes: count };
const dollars = z.number().nonnegative();
const monthly = object({ storage: dollars, requests: dollars, total: dollars }).nullable();

const document: z.ZodType<CostReport> = object({
  pricesFrom: z.string().describe('from where and when the built-in prices are'),
  destinations: list(
    object({
      destination: z.string(),
      location: z.string(),
      provider: z.string().nullable(),
      storageClass: z.string(),
      datasets: list(object({ dataset: z.string(), restorePoints: count, ownBytes: count, sharedBytes: count })),
      ...amount,
      monthly: monthly.describe('US dollars; null where no price is known'),
      afterPrune: object({ ...amount, monthly }),
      otherwise: object({ storageClass: z.string(), monthly }).nullable().describe('in the class that was asked about'),
      restore: object({
        ...amount,
        cost: dollars.nullable(),
        thaw: object({ ...amount, usualHours: z.number(), cheapHours: z.number(), keys: names })
          .exactOptional()
          .describe('packs that must be thawed first'),
      }).describe('reading back the newest restore point of each dataset'),
    }),
  ),
  unknown: names.describe('destinations that do not answer'),
  total: dollars.describe('a month, of all whose prices are known'),
  totalAfterPrune: dollars,
});

/** What is stored, and about what it costs. */
export const costJob = defineJob({
  name: 'cost',
  request: object({ className: z.enum(classNames).exactOptional().describe('compare with this storage class') }),
  document,
  async run({ system, run }, request) {
    const vault = await shapes.readableVault(system, run);
    return { document: await costOf(system, vault, request), answer: 'ok' };
  },
});
