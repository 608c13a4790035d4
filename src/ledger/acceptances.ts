import { z } from 'zod';
import type { Destination } from '../destinations/destination.ts';
import type { LedgerRecord } from '../vault/format/index.ts';
import { mayProve } from '../vault/index.ts';
import { openLedgerCache } from './cache.ts';
import { newestEntries } from './read.ts';
import { type Hearing, standingOf } from './standing.ts';

/** The trouble of `status` that says that most of a dataset is gone. */
export const dataLost = 'data-lost';

/** That a person looked at a trouble and said that it is right as it is. */
export interface Acceptance {
  /** Of the ledger entry. */
  readonly id: string;
  readonly system: string;
  readonly dataset: string;
  /** Of the trouble. */
  readonly code: string;
  /** What was looked at: what comes after it is not accepted. */
  readonly point: string;
  readonly reason: string;
  /** UTC, ISO 8601. */
  readonly at: string;
  readonly until: string | null;
}

const sizes = z.object({ bytes: z.number(), entries: z.number() });
const shape = z.discriminatedUnion('action', [
  z.object({
    action: z.literal('accept'),
    system: z.string(),
    dataset: z.string(),
    code: z.string(),
    point: z.string(),
    reason: z.string(),
    until: z.iso.datetime().nullable(),
    /** As everyone who can list the vault sees them; rows are in the sealed part. */
    before: sizes.nullable(),
    now: sizes,
  }),
  z.object({
    action: z.literal('withdraw'),
    system: z.string(),
    dataset: z.string(),
    code: z.string(),
    entries: z.array(z.string()).max(1000),
  }),
]);

export type AcceptBody = z.infer<typeof shape>;

/** The body of an entry `accept`; undefined for what cannot be read, which does nothing. */
export function acceptBodyOf(body: unknown): AcceptBody | undefined {
  return shape.safeParse(body).data;
}

/**
 * Which acceptances were not withdrawn, oldest first. As with pins, one is ended by the entry that names it, wherever that stands. Only
 * entries count that are believed for the system that they speak of: who can write to a destination could otherwise make a theft look
 * meant.
 */
export function foldAcceptances(
  entries: readonly { readonly record: LedgerRecord; readonly storedMs: number }[],
  hearing: Omit<Hearing, 'system'>,
): Acceptance[] {
  const endOf = (system: string, entry: string) => `${system} ${entry}`;
  const ended = new Set<string>();
  const found: Acceptance[] = [];
  for (const { record, storedMs } of entries) {
    const said = record.kind === 'accept' ? acceptBodyOf(record.body) : undefined;
    if (said === undefined) continue;
    const { system, dataset, code } = said;
    if (standingOf({ record, storedMs }, { ...hearing, system }) !== 'believed') continue;
    if (said.action === 'withdraw') for (const entry of said.entries) ended.add(endOf(system, entry));
    else {
      const { point, reason, until } = said;
      found.push({ id: record.id, system, dataset, code, point, reason, at: record.time, until });
    }
  }
  return found.filter(({ id, system }) => !ended.has(endOf(system, id))).sort((a, b) => (a.id < b.id ? -1 : 1));
}

const kinds: ReadonlySet<string> = new Set(['accept']);
/** On a host that knows nothing of the ledger yet; what is read is remembered, so the next look goes further back. With status/proofs.ts, status/prune.ts and learn-keys.ts at most 5,000. */
const mostRead = 500;

/** Those of a system that hold now. */
export async function readAcceptances(
  destinations: readonly Destination[],
  hearing: Hearing,
  stateDir: string,
): Promise<Acceptance[]> {
  const { trust, system, nowMs } = hearing;
  using cache = openLedgerCache(stateDir, { create: false });
  const isOurs = (writer: string) => mayProve(trust, writer, system);
  const entries: { record: LedgerRecord; storedMs: number }[] = [];
  for await (const { record, storedMs } of newestEntries(destinations, { kinds, most: mostRead, cache, isOurs })) {
    if (record !== undefined) entries.push({ record, storedMs });
  }
  return foldAcceptances(entries, hearing).filter(
    (one) => one.system === system && (one.until === null || Date.parse(one.until) > nowMs),
  );
}
