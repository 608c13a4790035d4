import type { Destination } from '../../destinations/destination.ts';
import { openLedgerCache } from '../../ledger/cache.ts';
import { openDetails } from '../../ledger/details.ts';
import { newestEntries } from '../../ledger/read.ts';
import type { LedgerRecord } from '../../vault/format/index.ts';
import { isOurs, type Trust } from '../../vault/index.ts';
import type { Who } from '../note-in-ledger.ts';

export interface AuditRequest {
  readonly destinations: readonly Destination[];
  readonly stateDir: string;
  readonly trust: Trust;
  /** All kinds when empty. */
  readonly kinds: readonly string[];
  /** Milliseconds since 1970 UTC; the newest so many (`most`) when absent. */
  readonly sinceMs?: number;
  readonly most: number;
  /** With any, the sealed part is opened too: who, on which host. */
  readonly identities: readonly string[];
}

export interface AuditEntry extends Omit<LedgerRecord, 'format' | 'sealed'> {
  /** Null without an identity that opens it. */
  readonly who: Who | null;
  /** Signed by somebody whom this machine knows. */
  readonly known: boolean;
}

export interface AuditLog {
  /** Newest first. */
  readonly entries: readonly AuditEntry[];
  /** There are older ones. */
  readonly more: boolean;
  readonly troubles: readonly string[];
}

/** What happened to the vault, newest first. Entries that cannot be believed are among the troubles. */
export async function readAuditLog(request: AuditRequest): Promise<AuditLog> {
  const { destinations, stateDir, trust, kinds, sinceMs, most, identities } = request;
  const troubles: string[] = [];
  const entries: AuditEntry[] = [];
  using cache = openLedgerCache(stateDir, { create: false });
  const options = {
    cache,
    onTrouble: (trouble: string) => troubles.push(trouble),
    ...(kinds.length > 0 && { kinds: new Set(kinds) }),
    ...(sinceMs !== undefined && { sinceMs }),
  };
  let more = false;
  for await (const { record } of newestEntries(destinations, options)) {
    if (record === undefined) continue;
    if (sinceMs === undefined && entries.length >= most) {
      more = true;
      break;
    }
    const { format: _, sealed: __, ...told } = record;
    entries.push({ ...told, who: await whoOf(record, identities), known: isOurs(trust, record.writer) });
  }
  return { entries, more, troubles };
}

async function whoOf(record: LedgerRecord, identities: readonly string[]): Promise<Who | null> {
  if (identities.length === 0) return null;
  try {
    const details = (await openDetails(record, identities)) as { readonly who?: Who } | undefined;
    return details?.who ?? null;
  } catch {
    // Made for other recipients: the rest of it can be read all the same.
    return null;
  }
}
