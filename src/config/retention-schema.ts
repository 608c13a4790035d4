import { z } from 'zod';
import { duration, object } from '../core/notations.ts';
import type { Retention } from '../core/retention.ts';
import { retentionOf } from '../core/retention.ts';

const count = z.int('must be a whole number').min(0, 'must not be negative').max(100_000, 'is too many');

/** Of the whole system, or of one dataset. What neither says follows from the environment. */
export const retention = object({
  last: z.int('must be a whole number').min(1, 'must be at least 1').max(100_000, 'is too many').optional(),
  hourly: count.optional(),
  daily: count.optional(),
  weekly: count.optional(),
  monthly: count.optional(),
  yearly: count.optional(),
  within: duration.optional(),
}).prefault({});

type RetentionShape = z.output<typeof retention>;

/** Each rule from the first that names it: the dataset, the system, the environment's usual. */
export function buildRetention(
  { within, ...dataset }: RetentionShape,
  { within: usualWithin, ...system }: RetentionShape,
  environment: string,
): Retention {
  const withinMs = within ?? usualWithin;
  return {
    ...retentionOf(environment),
    ...named(system),
    ...named(dataset),
    ...(withinMs !== undefined && { withinMs }),
  };
}

function named(rules: Omit<RetentionShape, 'within'>): Partial<Retention> {
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}
