import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { knowing } from '../../../test/support/keys.ts';
import { unsignedRecord } from '../../../test/support/records.ts';
import { newUlid } from '../../core/ulid.ts';
import { recordKey, type SnapshotRecord, signRecord } from '../format/record.ts';
import { newSigningKey } from '../format/signing.ts';
import type { Doubt } from '../trust.ts';
import type { RestorePoint, VaultReader } from '../vault.ts';
import { spreadRule } from './spread.ts';

const host = newSigningKey();
const stranger = newSigningKey();
const vault = newUlid(0, randomBytes);

function recordOf(key: string, id: string, logical: number): SnapshotRecord {
  const sizes = { logical, added: 1, stored: 1, entries: 1 };
  const unsigned = unsignedRecord(vault, 1000, { id, sizes });
  return signRecord(unsigned, key);
}

function ruleFor(judged: ReadonlyArray<{ record: SnapshotRecord; doubts: Doubt[] }>) {
  const points = judged.map(
    (one): RestorePoint => ({
      ...one,
      key: recordKey(one.record),
      destinations: ['disk'],
      storedMs: 1000,
      earlyAt: [],
    }),
  );
  const trust = { writers: knowing([host.publicKey]) };
  return spreadRule({ trust, pointsOfAll: async () => ({ points }) } as unknown as VaultReader);
}

test('of two records under one key only the one that was judged goes to other places, and a new one by its writer', async () => {
  const [id, later] = [newUlid(1000, randomBytes), newUlid(1001, randomBytes)];
  const judged = recordOf(host.privateKey, id, 1);
  const other = recordOf(host.privateKey, id, 2);
  expect(recordKey(other)).toBe(recordKey(judged));
  const spreads = await ruleFor([{ record: judged, doubts: [] }]);
  expect([judged, other].map(spreads)).toEqual([true, false]);
  expect(spreads(recordOf(host.privateKey, later, 1))).toBe(true);
  expect(spreads(recordOf(stranger.privateKey, later, 1))).toBe(false);
});

test('what is odd in its writer’s chain stays, what is only late goes', async () => {
  const record = recordOf(host.privateKey, newUlid(1000, randomBytes), 1);
  for (const code of ['writer-unknown', 'chain-forked', 'replayed'] as const) {
    expect((await ruleFor([{ record, doubts: [{ code, why: '' }] }]))(record)).toBe(false);
  }
  expect((await ruleFor([{ record, doubts: [{ code: 'stored-late', why: '' }] }]))(record)).toBe(true);
});
