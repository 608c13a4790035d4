import { z } from 'zod';
import type { CopyFacts } from '../core/three-two-one.ts';
import { lookAtPlacement, type Placement } from '../operations/three-two-one/placement.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';
import { placementKeys } from './status.ts';

const { object, list, names } = shapes;

const known = z.string().exactOptional();

const facts: z.ZodType<CopyFacts> = object({
  name: z.string().describe("'production', or a destination"),
  isProduction: z.boolean(),
  medium: z.enum(['disk', 'memory', 'server', 'object storage']),
  disks: names,
  ...{ machine: known, provider: known, region: known, account: known, bucket: known, site: known },
  immutable: z.enum(['compliance', 'governance', 'versions', 'none', 'unknown']),
});

const document: z.ZodType<Placement> = object({
  ...placementKeys,
  facts: list(facts).describe('production first'),
  unreachable: list(shapes.unreachable),
});

/** Where the copies lie, and what could be lost together. `no`: they do not keep the 3-2-1 rule. */
export const placementJob = defineJob({
  name: 'destination-list',
  request: object({}),
  document,
  async run({ system }) {
    const placement = await lookAtPlacement(system);
    return { document: placement, answer: okOrNo(placement.ok) };
  },
});
