import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { newUlid } from '../../core/ulid.ts';
import type { Cover } from '../format/cover.ts';
import { createIds } from '../format/ids.ts';
import { logKey, parseKey } from '../format/keys.ts';
import { packsOf } from '../hold/needs.ts';
import { floorsOf } from '../logs/floors.ts';
import { allRules } from '../prune-rules.ts';
import type { PruneFacts, PrunePoint } from './decide.ts';
import { decideFloors, type HeldLog, type LogFacts, logsToGo } from './logs.ts';

const writer = 'a'.repeat(32);
const needs = { manifest: ['b'.repeat(64), 1], lists: [], packs: packsOf(createIds(), []), keys: [] } as const;
const position = (at: number) => at.toString(16).padStart(16, '0');

interface Made {
  readonly dataset: string;
  readonly history: string;
  readonly at: number;
  readonly kept: boolean;
  readonly strange: boolean;
}

function pointOf({ dataset, history, at, strange }: Made, number: number): PrunePoint {
  const time = new Date(Date.UTC(2026, 0, 1) + number * 60_000).toISOString();
  const id = newUlid(Date.parse(time), randomBytes);
  const record = { id, system: 'harbor', dataset, writer, generation: 0, previous: null, time };
  return {
    key: `snapshots/${number}`,
    ...{ at: ['disk'], hash: String(number), needs, strange },
    record: { ...record, position: { timeline: `${history}-1`, log: position(at) } },
  };
}

function placeOf(pieces: ReadonlyArray<{ dataset: string; history: string; at: number }>, system = 'harbor') {
  const logs = new Map<string, HeldLog>();
  for (const { dataset, history, at } of pieces) {
    const of = { system, dataset, writer, timeline: `${history}-1` };
    const key = logKey({ ...of, start: position(at), end: position(at + 1) }, 'c'.repeat(64));
    logs.set(key, { sizeBytes: 1, modifiedMs: 0, span: parseKey(key) as HeldLog['span'] });
  }
  return { logs } as unknown as PruneFacts['places'][number];
}

function factsOf(made: readonly Made[], place: PruneFacts['places'][number], logs?: LogFacts) {
  const points = made.map(pointOf);
  const kept = new Set(points.filter((_, at) => made[at]!.kept).map(({ key }) => key));
  return { places: [place], points, kept, ...(logs && { logs }) };
}

const cover = (history: string, time: string, last: number) => {
  const of = { system: 'harbor', dataset: 'a', timeline: `${history}-1`, time, last: position(last) };
  return { key: '', hash: '', cover: of as Cover };
};

const small = fc.nat(20);
const anyMade = fc.record({
  dataset: fc.constantFrom('a', 'b'),
  history: fc.constantFrom('1', '2'),
  at: small,
  kept: fc.boolean(),
  strange: fc.boolean(),
});
const anyPiece = fc.record({ dataset: fc.constantFrom('a', 'b'), history: fc.constantFrom('1', '2', '3'), at: small });

test('no piece is let go of that a kept restore point needs, and none goes that any record needs; the rest does', () => {
  fc.assert(
    fc.property(fc.array(anyMade), fc.array(anyPiece), (made, pieces) => {
      const place = placeOf(pieces);
      const facts = factsOf(made, place);
      const floors = decideFloors(facts);
      const going = new Set(logsToGo(facts, place, floorsOf(floors), allRules));
      const known = made.filter(({ strange }) => !strange);
      const needed = (all: readonly Made[], { dataset, history, at }: (typeof pieces)[number]) =>
        all.some((one) => one.dataset === dataset && one.history === history && one.at < at + 1);
      for (const piece of pieces) {
        const [key] = placeOf([piece]).logs.keys();
        const own = known.filter(({ dataset, history }) => dataset === piece.dataset && history === piece.history);
        // Without a cover nobody can say that a history is over.
        const isKnown = own.some(({ kept }) => kept);
        expect(going.has(key!), JSON.stringify({ made, piece })).toBe(isKnown && !needed(known, piece));
      }
    }),
  );
});

test('a history without a kept restore point is over when all that is kept of its dataset was made after its newest cover', () => {
  const kept = { dataset: 'a', history: '2', at: 5, kept: true, strange: false };
  const place = placeOf([
    { dataset: 'a', history: '1', at: 0 },
    { dataset: 'a', history: '1', at: 9 },
    { dataset: 'b', history: '1', at: 0 },
  ]);
  const floorsWith = (made: readonly Made[], ...covers: LogFacts['covers']) =>
    decideFloors(factsOf(made, place, { covers, mayLetGo: () => true }));
  const [before, after] = ['2025-12-31T00:00:00.000Z', '2026-01-01T00:00:00.001Z'];
  expect(floorsWith([kept], cover('1', before, 7))).toEqual([['harbor', 'a', '1', position(7)]]);
  expect(floorsWith([kept], cover('1', before, 7), cover('1', after, 8))).toEqual([]);
  expect(floorsWith([{ ...kept, kept: false }], cover('1', before, 7))).toEqual([]);
  expect(floorsWith([{ ...kept, strange: true }], cover('1', before, 7))).toEqual([]);
  expect(floorsWith([kept])).toEqual([]);
  expect(floorsWith([], cover('1', before, 7))).toEqual([]);
});

test('of what a prune does not speak for nothing goes, whatever any generation says', () => {
  const kept = { dataset: 'a', history: '1', at: 5, kept: true, strange: false };
  const place = placeOf([{ dataset: 'a', history: '1', at: 0 }]);
  const facts = factsOf([kept], place, { covers: [], mayLetGo: (system, id) => system !== 'harbor' || id !== writer });
  expect(decideFloors(facts)).toEqual([]);
  const floors = new Map([['harbor a 1', position(5)]]);
  expect(logsToGo(facts, place, floors, allRules)).toEqual([]);
  expect(logsToGo({ ...facts, logs: { covers: [], mayLetGo: () => true } }, place, floors, allRules)).toHaveLength(1);
});
