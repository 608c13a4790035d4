import { ulidTime } from '../core/ulid.ts';
import type { LedgerRecord } from '../vault/format/index.ts';
import { aheadToleranceMs, isKnownWriter, mayProve, type Trust } from '../vault/index.ts';

/** `stranger`: signed by nobody whose word counts for that. `ahead`: dated after now, or after every store's clock had it. */
export type Standing = 'believed' | 'stranger' | 'ahead';

export interface Hearing {
  readonly vault: string;
  readonly system: string;
  readonly trust: Trust;
  /** By this machine's clock. */
  readonly nowMs: number;
}

/** What moves the measure that data is held against. */
const proving: ReadonlySet<string> = new Set(['drill', 'accept']);

/** Whether an entry of this vault counts for the system that is asked about. `storedMs`: the latest that any store's clock shows. */
export function standingOf(
  { record, storedMs }: { readonly record: LedgerRecord; readonly storedMs: number },
  { vault, system, trust, nowMs }: Hearing,
): Standing {
  const { kind, writer } = record;
  const counts = proving.has(kind) ? mayProve(trust, writer, system) : isKnownWriter(trust, writer, system);
  if (record.vault !== vault || !counts) return 'stranger';
  // A store that shows a time before the vault was made has no clock to speak of.
  const latestMs = storedMs < ulidTime(vault) - aheadToleranceMs ? nowMs : Math.min(nowMs, storedMs);
  return statedMs(record) > latestMs + aheadToleranceMs ? 'ahead' : 'believed';
}

/** The latest moment that it speaks of: a drill may not have begun after its entry was stored either. Its id is for the order alone. */
function statedMs({ time, body }: LedgerRecord): number {
  const { drill, started } = body as { readonly drill?: { readonly started?: unknown }; readonly started?: unknown };
  const stated = [time, drill?.started, started].map((one) => (typeof one === 'string' ? Date.parse(one) : Number.NaN));
  return Math.max(...stated.filter(Number.isFinite));
}
