import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { inState } from '../../host/state-names.ts';
import { recordHash, recordKey, type SnapshotRecord } from '../format/record.ts';
import type { IndexCache } from '../index/cache.ts';
import type { WriterKeys } from '../writer/keys.ts';

/** The record that this writer wrote last: the next one names it, so that nobody takes one away unseen. */
export interface LastRecord {
  readonly key: string;
  readonly sha256: string;
  readonly sequence: number;
}

/** Before the record is stored: whether it was is found out by the next run, should this one be killed. */
export function announceRecord(index: IndexCache, { key, sha256, sequence }: LastRecord): void {
  index.set('pending record', `${sha256} ${sequence} ${key}`);
}

export function noteRecord(index: IndexCache, { key, sha256, sequence }: LastRecord): void {
  index.set('last record', `${sha256} ${sequence} ${key}`);
}

/** The record that was noted last. */
export function readLast(index: IndexCache): LastRecord | undefined {
  return parse(index.get('last record'));
}

function parse(text: string | undefined): LastRecord | undefined {
  const [sha256, sequence, key] = text?.split(' ') ?? [];
  return sha256 === undefined || key === undefined ? undefined : { key, sha256, sequence: Number(sequence) };
}

/** The record that was announced and never noted. */
export function readPending(index: IndexCache): LastRecord | undefined {
  const pending = parse(index.get('pending record'));
  return pending?.key === readLast(index)?.key ? undefined : pending;
}

/** The end of the chain of records that the writer `publicKey` signed. */
export function newestOf(records: readonly SnapshotRecord[], publicKey: string): LastRecord | undefined {
  const own = records.filter(({ writer }) => writer === publicKey);
  const followed = new Set(own.map(({ previous }) => previous));
  const ends = own
    .map((record) => ({ key: recordKey(record), sha256: recordHash(record), sequence: record.sequence }))
    .filter(({ sha256 }) => !followed.has(sha256));
  return ends.sort((a, b) => a.sequence - b.sequence || (a.key < b.key ? -1 : 1)).at(-1);
}

/** The key of the record that this host wrote last, read beside a backup that may be running. Undefined when it cannot be told. */
export function lastRecordOf(stateDir: string, keys: Pick<WriterKeys, 'vault' | 'writer'>): string | undefined {
  const file = inState(stateDir, 'index');
  if (!existsSync(file)) return undefined;
  try {
    using db = new DatabaseSync(file, { readOnly: true });
    const get = (name: string) => db.prepare('SELECT value FROM facts WHERE name = ?').get(name)?.value;
    if (get('identity') !== `${keys.vault} ${keys.writer}`) return undefined;
    return parse(get('last record') as string | undefined)?.key;
  } catch {
    // The index is a cache: without it a chain's end is not known, and everything else is verified all the same.
    return undefined;
  }
}
