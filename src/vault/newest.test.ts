import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../core/duration.ts';
import type { Problem } from '../core/run.ts';
import { newUlid } from '../core/ulid.ts';
import { recordBytes, recordKey, type SnapshotRecord, signRecord } from './format/record.ts';
import { newSigningKey } from './format/signing.ts';
import { sha256Hex } from './hash.ts';
import { chooseNewest, countsAgainst, passedOverEvidence, passedOverWords, tellPassedOver } from './newest.ts';
import { foundOf } from './of-system.ts';
import type { Doubt } from './trust.ts';
import type { RestorePoint } from './vault.ts';

const beganMs = Date.UTC(2026, 0, 1);
const vault = newUlid(beganMs, randomBytes);
const { privateKey } = newSigningKey();

const recordOf = (timeMs: number, previous: SnapshotRecord | null = null): SnapshotRecord => {
  const time = new Date(timeMs).toISOString();
  return signRecord(
    {
      ...{ format: 1, vault, system: 'harbor', dataset: 'db', kind: 'files', id: newUlid(timeMs, randomBytes) },
      ...{ time, committed: time, tool: 't', versions: {}, lists: [], problems: {}, generation: 0 },
      sizes: { logical: 1, added: 1, stored: 1, entries: 1 },
      manifest: [sha256Hex(randomBytes(8)), 9],
      keys: [],
      retention: { class: 'standard' },
      previous: previous && sha256Hex(recordBytes(previous)),
      sequence: (previous?.sequence ?? 0) + 1,
    } as const,
    privateKey,
  );
};
const pointOf = (record: SnapshotRecord, ...codes: Doubt['code'][]): RestorePoint => ({
  ...{ record, key: recordKey(record), destinations: ['one'], storedMs: Date.parse(record.time) },
  earlyAt: [],
  doubts: codes.map((code) => ({ code, why: `it is ${code}` })),
});
const choose = (points: readonly RestorePoint[], beforeMs?: number, suspect: { key: string; why: string }[] = []) =>
  chooseNewest({ points, suspect }, 'db', beforeMs);
const idsOf = (passedOver: readonly { readonly id: string }[]) => passedOver.map(({ id }) => id);

const first = recordOf(beganMs + dayMs);
const second = recordOf(beganMs + 2 * dayMs, first);
const third = recordOf(beganMs + 3 * dayMs, second);

describe('no roll-back is silent (H3)', () => {
  test('the newest of all passes nothing over, whatever is older and doubtful', () => {
    const { point, passedOver } = choose([pointOf(first, 'stored-late'), pointOf(second), pointOf(third)]);
    expect(point.record.id).toBe(third.id);
    expect(passedOver).toEqual([]);
    expect(passedOverWords(passedOver)).toEqual([]);
  });

  test("a neighbour's record that cannot be read, of a dataset with the same name, says nothing here", () => {
    const own = recordKey(third);
    const neighbours = own.replace('harbor', 'quay');
    const found = {
      points: [pointOf(first), pointOf(second)],
      suspect: [own, neighbours].map((key) => ({ key, why: 'it is damaged' })),
    };
    expect(idsOf(chooseNewest(foundOf('harbor', found), 'db').passedOver)).toEqual([third.id]);
    expect(foundOf('quay', found)).toEqual({ points: [], suspect: [{ key: neighbours, why: 'it is damaged' }] });
  });

  test('a newer one that is not believed is told, with the reason', () => {
    const { point, passedOver } = choose([pointOf(first), pointOf(second), pointOf(third, 'chain-forked')]);
    expect(point.record.id).toBe(second.id);
    expect(passedOverWords(passedOver)).toEqual([
      `A newer restore point of db, ${third.id} of ${third.time}, was passed over: it is chain-forked.`,
    ]);
    expect(passedOver.every(countsAgainst)).toBe(true);
    expect(passedOverEvidence(passedOver)).toEqual({
      count: 1,
      points: [{ restorePoint: third.id, time: third.time, reasons: ['chain-forked'] }],
    });
  });

  test('also where a clock that lies has put it before the one that was chosen', () => {
    const { passedOver } = choose([pointOf(first), pointOf(third, 'time-ahead'), pointOf(second)]);
    expect(idsOf(passedOver)).toEqual([third.id]);
  });

  test('but not what the chosen one goes on from: its writer’s clock ran ahead, and is right again', () => {
    const ahead = recordOf(beganMs + 400 * dayMs, second);
    const after = recordOf(beganMs + 3 * dayMs, ahead);
    const { point, passedOver } = choose([pointOf(second), pointOf(ahead, 'time-ahead'), pointOf(after)]);
    expect(point.record.id).toBe(after.id);
    expect(passedOver).toEqual([]);
  });

  test('a record that nobody can read is told where its name says that it is newer', () => {
    const suspect = [
      { key: recordKey(third), why: 'its signature does not fit' },
      { key: recordKey(first), why: 'it is damaged' },
      { key: 'snapshots/other/x', why: 'it is no record' },
    ];
    const { passedOver } = choose([pointOf(second)], undefined, suspect);
    expect(idsOf(passedOver)).toEqual([third.id]);
    expect(passedOver.some(countsAgainst)).toBe(false);
    expect(choose([pointOf(second)], beganMs + 2.5 * dayMs, suspect).passedOver).toEqual([]);
  });

  test('with a moment, what is younger than it is not meant', () => {
    const points = [pointOf(first), pointOf(second, 'stored-late'), pointOf(third, 'stored-late')];
    expect(idsOf(choose(points, Date.parse(second.time) + hourMs).passedOver)).toEqual([second.id]);
  });

  test('those of known writers are said first; a flood by strangers is counted, not listed', () => {
    const strange = Array.from({ length: 500 }, (_, at) => recordOf(beganMs + 4 * dayMs + at * minuteMs));
    const points = [pointOf(second), pointOf(third, 'stored-late')];
    const { passedOver } = choose([...points, ...strange.map((one) => pointOf(one, 'writer-unknown'))]);
    expect(passedOver[0]?.id).toBe(third.id);
    const words = passedOverWords(passedOver);
    expect(words).toHaveLength(4);
    expect(words.at(-1)).toContain('498 more newer ones were passed over too');
    expect(passedOverEvidence(passedOver)).toMatchObject({ count: 501, points: { length: 20 } });
    const told: Problem[] = [];
    tellPassedOver(passedOver, { problem: (one) => told.push(one) });
    expect(told.every(({ urgent }) => urgent)).toBe(true);
  });
});
