import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { knowing } from '../../test/support/keys.ts';
import { dayMs, minuteMs } from '../core/duration.ts';
import { newUlid } from '../core/ulid.ts';
import { ledgerKey } from '../vault/format/keys.ts';
import { encodeLedgerEntry, type LedgerObject } from '../vault/format/ledger.ts';
import { newSigningKey } from '../vault/format/signing.ts';
import type { Trust } from '../vault/trust.ts';
import { foldLedger } from './decisions.ts';
import { mostNamed, pinBodyOf } from './pins.ts';

const nowMs = Date.UTC(2026, 5, 1);
const vault = newUlid(0, randomBytes);
const pruner = newSigningKey();
const host = newSigningKey();
const trust: Trust = {
  writers: knowing([pruner.publicKey, host.publicKey]),
  pruners: knowing([pruner.publicKey]),
};

type Said = LedgerObject & { readonly id: string };

function said(body: object, timeMs: number, { privateKey } = pruner): Said {
  const id = newUlid(timeMs, randomBytes);
  const entry = {
    format: 1,
    vault,
    id,
    kind: 'pin',
    time: new Date(timeMs).toISOString(),
    previous: null,
    sequence: 1,
  } as const;
  const record = { ...entry, body: body as Record<string, unknown>, sealed: null };
  return { id, key: ledgerKey(id), bytes: encodeLedgerEntry(record, privateKey) };
}

const pinAt = (timeMs: number, point = 'P', reason = 'why') => said({ action: 'pin', point, reason }, timeMs, host);
const unpinAt = (timeMs: number, pins: readonly Said[], point = 'P') =>
  said({ action: 'unpin', point, pins: pins.map(({ id }) => id) }, timeMs);
const pinsOf = (...entries: Said[]) => foldLedger(entries, vault, trust, []).pins;

describe('an unpin', () => {
  test('by a clock of tomorrow does not end a pin that was made after it, today', () => {
    const first = pinAt(nowMs);
    const unpin = unpinAt(nowMs + dayMs, [first]);
    expect(pinsOf(first, unpin).has('P')).toBe(false);
    expect(pinsOf(first, unpin, pinAt(nowMs + minuteMs, 'P', 'again')).get('P')).toEqual({ reason: 'again' });
  });

  test('ends a pin by a clock of tomorrow that it names', () => {
    const pin = pinAt(nowMs + dayMs);
    expect(pinsOf(pin, unpinAt(nowMs, [pin])).has('P')).toBe(false);
  });

  test('ends exactly the pins that it names, whatever clock wrote which', () => {
    const one = fc.record({ offMs: fc.integer({ min: -dayMs, max: dayMs }), named: fc.boolean() });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), fc.integer({ min: -dayMs, max: dayMs }), (drawn, offMs) => {
        const pins = drawn.map(({ offMs, named }, at) => ({ named, pin: pinAt(nowMs + offMs, 'P', `${at}`), at }));
        const named = pins.filter((one) => one.named).map(({ pin }) => pin);
        const left = pins.filter((one) => !one.named).sort((a, b) => (a.pin.id < b.pin.id ? -1 : 1));
        const found = pinsOf(...pins.map(({ pin }) => pin), unpinAt(nowMs + offMs, named));
        const newest = left.at(-1);
        expect(found.get('P')?.reason).toBe(newest && `${newest.at}`);
      }),
      { numRuns: 60 },
    );
  });

  test('of one restore point ends no pin of another, and by who may not prune none at all', () => {
    const [one, other] = [pinAt(nowMs), pinAt(nowMs, 'Q')];
    expect([...pinsOf(one, other, unpinAt(nowMs + minuteMs, [one, other])).keys()]).toEqual(['Q']);
    const byHost = said({ action: 'unpin', point: 'P', pins: [one.id] }, nowMs + minuteMs, host);
    expect(pinsOf(one, byHost).has('P')).toBe(true);
  });

  test('of a version that named none ends the pins before it, and none after it', () => {
    const old = said({ action: 'unpin', point: 'P' }, nowMs + minuteMs);
    expect(pinsOf(pinAt(nowMs), old).has('P')).toBe(false);
    expect(pinsOf(old, pinAt(nowMs + dayMs)).has('P')).toBe(true);
    expect(pinsOf(pinAt(nowMs, 'Q'), old).has('Q')).toBe(true);
  });

  test('that names no ids, or too many, does nothing: it is not taken for one of an old version', () => {
    const pin = pinAt(nowMs);
    const ulids = (many: number) => Array.from({ length: many }, () => pin.id);
    expect(pinsOf(pin, said({ action: 'unpin', point: 'P', pins: ulids(mostNamed) }, nowMs + 1)).has('P')).toBe(false);
    for (const pins of [ulids(mostNamed + 1), [], [pin.id.toLowerCase()], [pin.id, 7], pin.id, null, {}]) {
      expect(pinsOf(pin, said({ action: 'unpin', point: 'P', pins }, nowMs + 1)).has('P'), String(pins)).toBe(true);
    }
  });

  test('whatever a body holds, it is read as a bounded list of ids or not at all', () => {
    const ulid = newUlid(nowMs, randomBytes);
    const aboutMost = fc.integer({ min: mostNamed - 2, max: mostNamed + 2 }).map((many) => Array(many).fill(ulid));
    const some = fc.array(fc.constantFrom(ulid, ulid.toLowerCase()), { maxLength: 3 });
    const pins = fc.oneof(some, aboutMost, fc.jsonValue());
    const body = fc.record(
      { action: fc.constantFrom('pin', 'unpin', 'other', 1), point: fc.jsonValue(), pins, until: fc.jsonValue() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          body,
          body.map((one) => ({ ...one, action: 'unpin', point: 'P' })),
          fc.jsonValue(),
        ),
        (any) => {
          const read = pinBodyOf(any);
          if (read?.action !== 'unpin' || read.pins === undefined) return;
          expect(read.pins.length).toBeLessThanOrEqual(mostNamed);
          for (const one of read.pins) expect(one).toMatch(/^[0-7][0-9A-Z]{25}$/);
        },
      ),
      { numRuns: 500 },
    );
  });
});
