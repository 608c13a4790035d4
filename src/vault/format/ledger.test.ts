import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { newUlid } from '../../core/ulid.ts';
import { ledgerDamaged } from './errors.ts';
import { ledgerKey } from './keys.ts';
import { decodeLedgerEntry, encodeLedgerEntry, hashOfEntry, type LedgerObject, verifyLedger } from './ledger.ts';
import { newSigningKey } from './signing.ts';

const vault = newUlid(1_700_000_000_000, randomBytes);
const writer = newSigningKey();

function chain(length: number, key = writer, startMs = 1_800_000_000_000): LedgerObject[] {
  const objects: LedgerObject[] = [];
  for (let at = 0; at < length; at++) {
    const last = objects.at(-1);
    objects.push(entry(at, last === undefined ? null : hashOfEntry(last.bytes), key, startMs, at + 1));
  }
  return objects;
}

function entry(
  at: number,
  previous: string | null,
  key = writer,
  startMs = 1_800_000_000_000,
  sequence = previous === null ? 1 : 2,
): LedgerObject {
  const ms = startMs + at * 1000;
  const id = newUlid(ms, randomBytes);
  const record = { format: 1, vault, id, kind: 'drill', time: new Date(ms).toISOString(), previous, sequence } as const;
  return { key: ledgerKey(id), bytes: encodeLedgerEntry({ ...record, body: { at }, sealed: null }, key.privateKey) };
}

describe('the ledger', () => {
  test('a chain of entries by several writers holds, in whatever order they are listed', () => {
    const other = newSigningKey();
    const objects = [...chain(5), ...chain(3, other)].reverse();
    const verdict = verifyLedger(objects, { vault, writers: [writer.publicKey, other.publicKey] });
    expect(verdict.problems).toEqual([]);
    expect(verdict.ok).toBe(true);
    expect(verdict.writers.map(({ entries }) => entries).sort()).toEqual([3, 5]);
  });

  test('an entry is read back as it was written', () => {
    const [object] = chain(1);
    const record = decodeLedgerEntry(object!.bytes, object!.key);
    expect(record).toMatchObject({ vault, kind: 'drill', body: { at: 0 }, writer: writer.publicKey, sealed: null });
  });

  test('any flipped bit of any entry is found, and the entry is named', () => {
    const objects = chain(3);
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), fc.nat(7), (which, at, bit) => {
        const object = objects[which]!;
        const bytes = Buffer.from(object.bytes);
        bytes[at % bytes.length]! ^= 1 << bit;
        const verdict = verifyLedger(objects.map((one, index) => (index === which ? { ...one, bytes } : one)));
        expect(verdict.ok).toBe(false);
        expect(verdict.problems.some(({ key }) => key === object.key)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('a missing entry leaves a gap, named by the entry after it', () => {
    const objects = chain(4);
    const verdict = verifyLedger(objects.filter((_, at) => at !== 1));
    expect(verdict.problems).toMatchObject([{ code: 'gap', key: objects[2]!.key }]);
    expect(verifyLedger(objects.slice(1)).problems).toMatchObject([{ code: 'gap', key: objects[1]!.key }]);
  });

  test('a fork is named by both of its ends', () => {
    const objects = chain(3);
    const rival = entry(9, hashOfEntry(objects[0]!.bytes));
    const [problem] = verifyLedger([...objects, rival]).problems;
    expect(problem).toMatchObject({ code: 'fork', key: rival.key });
    expect(problem!.message).toContain(objects[1]!.key);
    expect(verifyLedger([...chain(1), ...chain(1)]).problems).toMatchObject([{ code: 'fork' }]);
  });

  test('an entry whose number does not follow is named; one that says it is the first and has one before it is damage', () => {
    const [one, two] = chain(2);
    const leap = entry(9, hashOfEntry(two!.bytes), writer, undefined, 4);
    expect(verifyLedger([one!, two!, leap]).problems).toMatchObject([{ code: 'order', key: leap.key }]);
    for (const [previous, sequence] of [
      [null, 2],
      [hashOfEntry(one!.bytes), 1],
    ] as const) {
      const odd = entry(9, previous, writer, undefined, sequence);
      expect(() => decodeLedgerEntry(odd.bytes, odd.key)).toThrow(expect.objectContaining({ code: 'ledger-damaged' }));
    }
  });

  test('an entry by somebody else is not taken for ours', () => {
    const stranger = newSigningKey();
    const verdict = verifyLedger([...chain(2), ...chain(1, stranger)], { writers: [writer.publicKey] });
    expect(verdict.problems).toMatchObject([{ code: 'stranger' }]);
    expect(verdict.problems[0]!.message).toContain(stranger.publicKey);
  });

  test('an entry of another vault, under another name, or dated back is not taken', () => {
    expect(verifyLedger(chain(1), { vault: newUlid(1, randomBytes) }).problems).toMatchObject([
      { code: 'other-vault' },
    ]);
    const [one, two] = chain(2);
    expect(verifyLedger([{ key: two!.key, bytes: one!.bytes }]).problems).toMatchObject([{ code: 'damaged' }]);
    const late = chain(1, writer, 1_900_000_000_000)[0]!;
    const early = entry(0, hashOfEntry(late.bytes));
    expect(verifyLedger([late, early]).problems).toMatchObject([{ code: 'order', key: early.key }]);
  });

  test('whatever bytes come, it is a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        try {
          decodeLedgerEntry(bytes, 'ledger/x.json');
          expect.unreachable();
        } catch (error) {
          expect(ledgerDamaged.is(error)).toBe(true);
        }
      }),
    );
  });
});
