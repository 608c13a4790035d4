import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { dayMs, minuteMs } from '../core/duration.ts';
import { newUlid } from '../core/ulid.ts';
import { ledgerKey } from '../vault/format/keys.ts';
import { encodeLedgerEntry, type LedgerObject, type LedgerRecord } from '../vault/format/ledger.ts';
import { newSigningKey } from '../vault/format/signing.ts';
import type { Trust } from '../vault/trust.ts';
import { type AcceptBody, dataLost, foldAcceptances } from './acceptances.ts';
import { foldLedger, settledKey } from './decisions.ts';
import { readable } from './read.ts';

const nowMs = Date.UTC(2026, 5, 1);
const vault = newUlid(0, randomBytes);
const harbor = newSigningKey();
const other = newSigningKey();
const stranger = newSigningKey();
const trust: Trust = {
  writers: new Map([
    [harbor.publicKey, new Set(['harbor'])],
    [other.publicKey, new Set(['other'])],
  ]),
};

const usual: AcceptBody = {
  action: 'accept',
  system: 'harbor',
  dataset: 'db',
  code: dataLost,
  point: 'P',
  reason: 'a new beginning',
  until: null,
  before: null,
  now: { bytes: 0, entries: 1 },
};

interface Said extends LedgerObject {
  readonly record: LedgerRecord;
  readonly storedMs: number;
}

function said(body: object, { by = harbor, timeMs = nowMs - dayMs, storedMs = nowMs, of = vault } = {}): Said {
  const id = newUlid(timeMs, randomBytes);
  const time = new Date(timeMs).toISOString();
  const entry = { format: 1, vault: of, id, kind: 'accept', time, previous: null, sequence: 1 };
  const record = { ...entry, body: body as Record<string, unknown>, sealed: null } as const;
  const [key, bytes] = [
    ledgerKey(id),
    encodeLedgerEntry(record as Parameters<typeof encodeLedgerEntry>[0], by.privateKey),
  ];
  return { key, bytes, record: readable(bytes, key)!, storedMs };
}

/** What holds for status and drills, and what retention goes by. */
function holding(...entries: Said[]) {
  const accepted = foldAcceptances(entries, { vault, trust, nowMs }).map(({ point }) => point);
  const kept = foldLedger(entries, vault, trust, [], nowMs).settled.get(settledKey('harbor', 'db')) ?? [];
  return { accepted, kept };
}

const nothing = { accepted: [], kept: [] };

describe('an acceptance', () => {
  test('M4: counts when a writer of the system signed it', () => {
    expect(holding(said(usual))).toEqual({ accepted: ['P'], kept: ['P'] });
  });

  test("M4: does not count by an unknown writer, by another system's, for another vault, or out of shape", () => {
    expect(holding(said(usual, { by: stranger }))).toEqual(nothing);
    expect(holding(said(usual, { by: other }))).toEqual(nothing);
    expect(holding(said(usual, { of: newUlid(1, randomBytes) }))).toEqual(nothing);
    expect(holding(said({ ...usual, point: 7 }), said({ ...usual, until: 'never' }))).toEqual(nothing);
  });

  test('M4: does not count when it is dated after now, or after it was stored', () => {
    expect(holding(said(usual, { timeMs: nowMs + dayMs }))).toEqual(nothing);
    const accepted = foldAcceptances([said(usual, { storedMs: nowMs - 2 * dayMs })], { vault, trust, nowMs });
    expect(accepted).toEqual([]);
  });

  test('M4: ends when one who may have made it withdraws it, and by nobody else', () => {
    const first = said(usual);
    const end = { action: 'withdraw', system: 'harbor', dataset: 'db', code: dataLost, entries: [first.record.id] };
    expect(holding(first, said(end))).toEqual(nothing);
    expect(holding(said(end, { timeMs: nowMs - 2 * dayMs }), first)).toEqual(nothing);
    expect(holding(first, said(end, { by: stranger })).accepted).toEqual(['P']);
    expect(holding(first, said({ ...end, system: 'other' }, { by: other })).accepted).toEqual(['P']);
  });

  test('M4: until a day lets no restore point go: the last full one stays', () => {
    const until = new Date(nowMs + minuteMs).toISOString();
    expect(holding(said({ ...usual, until })).kept).toEqual([]);
  });
});
