import { expect, test } from 'vitest';
import { dayMs } from '../../core/duration.ts';
import { createIds } from '../format/ids.ts';
import { coverKey, type LogSpan, logKey, parseKey } from '../format/keys.ts';
import { packsOf } from '../hold/needs.ts';
import { isKeptSmall, lockNeeds } from './decide.ts';

const position = (at: number) => at.toString(16).padStart(16, '0');

test('a piece of a log, and its cover, are locked as long as the longest kept restore point that begins before their end', () => {
  const spanOf = (history: string, at: number): LogSpan => {
    const of = { system: 'harbor', dataset: 'app-db', writer: 'a'.repeat(32), timeline: `${history}-1` };
    return { ...of, start: position(at), end: position(at + 10) };
  };
  const spans = [spanOf('1', 0), spanOf('1', 10), spanOf('1', 30), spanOf('2', 30)];
  const pieces = spans.map((span) => logKey(span, 'b'.repeat(64)));
  const covers = spans.map((span) => coverKey(span, '01KDVDNA00ABRSDN2EGKZNM9CY'));
  const needs = { manifest: ['c'.repeat(64), 1], lists: [], packs: packsOf(createIds(), []), keys: [] } as const;
  const kept = [
    { at: 15, days: 300 },
    { at: 35, days: 390 },
  ].map(({ at, days }) => ({
    point: { key: `snapshots/${at}`, needs },
    staysMs: days * dayMs,
    base: { system: 'harbor', dataset: 'app-db', history: '1', log: position(at) },
  }));
  const clock = { nowMs: 0, birthMs: 30 * dayMs };
  const logs = [...pieces, ...covers].map((key) => [key, parseKey(key) as LogSpan] as const);
  const found = lockNeeds(kept, [], clock, logs);
  const daysOf = (key: string) => Math.floor((found.get(key)?.untilMs ?? 0) / dayMs);
  expect(pieces.map(daysOf)).toEqual([0, 301, 392, 0]);
  expect(covers.map(daysOf)).toEqual([0, 301, 392, 0]);
  // Nor are they locked as what tells the vault's history.
  expect([...pieces, ...covers].filter(isKeptSmall)).toEqual([]);
});
