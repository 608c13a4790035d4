import { z } from 'zod';
import { duration, object } from './notations.ts';

const count = z.int('must be a whole number').min(0, 'must not be negative').max(100_000, 'is too many');

export const retention = object({
  last: z.int('must be a whole number').min(1, 'must be at least 1').max(100_000, 'is too many').default(3),
  hourly: count.default(24),
  daily: count.default(7),
  weekly: count.default(4),
  monthly: count.default(12),
  yearly: count.default(0),
  within: duration.optional(),
}).prefault({});
