import { openSmall } from '../vault/age/index.ts';
import type { LedgerRecord } from '../vault/format/index.ts';

/** The sealed part of an entry; undefined when there is none. @throws what age says when no identity fits */
export async function openDetails(record: LedgerRecord, identities: readonly string[]): Promise<unknown> {
  if (record.sealed === null) return undefined;
  const plain = await openSmall(Buffer.from(record.sealed, 'base64'), identities);
  return JSON.parse(Buffer.from(plain).toString('utf8')) as unknown;
}
