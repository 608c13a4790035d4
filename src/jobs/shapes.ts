import { z } from 'zod';
import type { CheckResult } from '../core/checks.ts';
import { LifeboatError, sentenceOf } from '../core/errors.ts';
import type { LeftOut } from '../core/left-out.ts';
import type { Problem, Run } from '../core/run.ts';
import type { OpenSystem } from '../operations/system.ts';
import type { Damage } from '../vault/hold/index.ts';
import type { PassedOver, RestorePoint } from '../vault/index.ts';

/** What several documents have in common. A document has no other keys than those that it names. */

export const object = z.strictObject;

export function list<Item extends z.ZodType>(item: Item) {
  return z.array(item).readonly();
}

export const time = z.string().describe('UTC, ISO 8601');
export const count = z.number().int().nonnegative();
export const elapsedMs = z.number().nonnegative().describe('milliseconds');

export const problem: z.ZodType<Problem> = object({
  code: z.string().describe('stable words joined by hyphens'),
  message: z.string(),
  urgent: z.literal(true).exactOptional(),
});

export const leftOut: z.ZodType<LeftOut> = object({
  rule: z.string(),
  by: z.enum(['exclude', 'defaultExcludes', 'oneFileSystem', 'always']).describe('the key of the dataset that has it'),
  reason: z.string(),
  files: count,
  bytes: count,
  folders: count,
  more: z.literal(true).exactOptional().describe('there is more than was counted'),
  tables: count.exactOptional().describe('of a database'),
  rows: z.number().exactOptional().describe("by the server's statistics"),
});

export const passedOver: z.ZodType<PassedOver> = object({
  dataset: z.string(),
  id: z.string(),
  time,
  doubts: list(
    object({
      code: z.enum(['time-ahead', 'stored-late', 'writer-unknown', 'chain-forked', 'replayed', 'unreadable']),
      why: z.string(),
    }),
  ).describe('why it is not believed; at least one'),
}).describe('a newer restore point that was not believed');

export const suspect = object({ key: z.string(), why: z.string() }).describe('a record that cannot be believed');

export const unreachable = object({ destination: z.string(), why: z.string() });

export const damage = object({
  destination: z.string(),
  key: z.string().describe('the object; empty when the whole destination is meant'),
  code: z.string(),
  why: z.string(),
}).describe('a copy that could not be used: another one served');

/** As errors have it. */
export const told = object({ code: z.string(), message: z.string(), hint: z.string() });
export type Told = z.infer<typeof told>;

export function toldOf(error: unknown): Told {
  if (!(error instanceof LifeboatError)) return { code: 'unexpected', message: sentenceOf(error), hint: '' };
  const { code, message, hint } = error;
  return { code, message, hint };
}

export const requests = z
  .record(z.string(), z.record(z.string(), count).readonly())
  .readonly()
  .describe('by destination and operation, where a provider counts them');

export const pointId = object({ dataset: z.string(), id: z.string(), time });

export function pointIdOf({ record: { dataset, id, time } }: RestorePoint): z.infer<typeof pointId> {
  return { dataset, id, time };
}

export const checkResult: z.ZodType<CheckResult> = object({
  id: z.string(),
  kind: z.enum(['restored', 'expectations', 'integrity', 'sql', 'references', 'freshness', 'http', 'command']),
  dataset: z.string().exactOptional().describe('absent for checks of the whole application'),
  verdict: z.enum(['pass', 'fail', 'skip', 'error']),
  looked: z.number().nonnegative().describe('rows, files or requests that it looked at'),
  emptyIsRight: z.boolean().exactOptional(),
  passesOnNothing: z.boolean().exactOptional(),
  expected: z.string(),
  actual: z.string(),
  message: z.string(),
  reason: z.string().exactOptional().describe('why it was skipped'),
  elapsedMs,
});

/** A moment as requests have it: milliseconds since 1970 UTC. */
export const momentMs = z.number().int();
export const names = list(z.string());
export const openReason = z.string().trim().min(1).max(500).describe('why; stands in the vault in clear');

/** A copy that cannot be used is a problem of the run, and another one serves. */
export function damageTo(run: Run): (damage: Damage) => void {
  return ({ destination, key, code, why }) =>
    run.problem({ code, message: `${destination}${key === '' ? '' : ` ${key}`}: ${why}` });
}

/** For who shows what there is, or says something of it: restores and proofs read all of it anew. */
export function readableVault({ vault }: OpenSystem, run: Run) {
  return vault(damageTo(run), { remembered: true });
}
