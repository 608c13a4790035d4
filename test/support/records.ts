import { randomBytes } from 'node:crypto';
import { newUlid } from '../../src/core/ulid.ts';
import type { UnsignedRecord } from '../../src/vault/format/record.ts';

/** A record as its writer would sign it, the first of its writer, of one file of a byte; what matters to a test it says itself. */
export function unsignedRecord(
  vault: string,
  timeMs: number,
  what: Partial<Omit<UnsignedRecord, 'format' | 'vault' | 'time' | 'committed'>> = {},
): UnsignedRecord {
  const time = new Date(timeMs).toISOString();
  return {
    format: 1,
    vault,
    system: 'harbor',
    dataset: 'uploads',
    kind: 'files',
    id: newUlid(timeMs, randomBytes),
    time,
    committed: time,
    tool: 'test',
    versions: {},
    sizes: { logical: 1, added: 1, stored: 1, entries: 1 },
    lists: [],
    manifest: ['0'.repeat(64), 100],
    keys: [],
    problems: {},
    retention: { class: 'standard' },
    generation: 0,
    previous: null,
    sequence: 1,
    ...what,
  };
}
