import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { knowing } from '../../test/support/keys.ts';
import { unsignedRecord } from '../../test/support/records.ts';
import { dayMs, hourMs, minuteMs } from '../core/duration.ts';
import { newUlid } from '../core/ulid.ts';
import { clockDisputes } from './clocks.ts';
import { restorePointDoubtful } from './errors.ts';
import { recordBytes, recordKey, type SnapshotRecord, signRecord } from './format/record.ts';
import { newSigningKey } from './format/signing.ts';
import { sha256Hex } from './hash.ts';
import { newestPoint } from './newest.ts';
import { type FoundRecord, isDoubtful, judge, type StoreClock, type Trust } from './trust.ts';

const madeMs = Date.UTC(2026, 0, 1);
const vault = newUlid(madeMs, randomBytes);
const host = newSigningKey();

interface Made {
  readonly timeMs: number;
  readonly previous?: SnapshotRecord | string | null;
  readonly key?: string;
  readonly dataset?: string;
  readonly manifest?: string;
  readonly sequence?: number;
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const made = ({
  timeMs,
  previous = null,
  key = host.privateKey,
  dataset = 'db',
  manifest,
  sequence,
}: Made): SnapshotRecord => {
  const id = newUlid(timeMs, randomBytes);
  const before = previous === null || typeof previous === 'string' ? previous : sha256Hex(recordBytes(previous));
  const unsigned = unsignedRecord(vault, timeMs, {
    dataset,
    id,
    manifest: [manifest ?? hash(id), 100],
    previous: before,
    sequence: sequence ?? (previous === null ? 1 : typeof previous === 'string' ? 100 : previous.sequence + 1),
  });
  return signRecord(unsigned, key);
};

const s3 = (storedMs: number): StoreClock => ({ storedMs, isWitness: true });
const disk = (storedMs: number): StoreClock => ({ storedMs, isWitness: false });
const found = (record: SnapshotRecord, ...clocks: StoreClock[]): FoundRecord => ({
  record,
  key: recordKey(record),
  destinations: ['s3'],
  clocks: clocks.length > 0 ? clocks : [s3(Date.parse(record.committed) + minuteMs)],
});

/** An hourly chain of `count` records, the first at `fromMs`. */
function chain(count: number, fromMs = madeMs + dayMs): SnapshotRecord[] {
  const records: SnapshotRecord[] = [];
  for (let at = 0; at < count; at++) {
    records.push(made({ timeMs: fromMs + at * hourMs, previous: records.at(-1) ?? null }));
  }
  return records;
}

const codesOf = (records: readonly FoundRecord[], of: SnapshotRecord, writers?: readonly string[]) =>
  judge(vault, records, writers ? { writers: knowing(writers) } : {})
    .find(({ record }) => record.id === of.id && record.time === of.time)!
    .doubts.map(({ code }) => code);

describe('the clocks of the stores', () => {
  test('a restore point from the future is never the newest; the one before it stays it', () => {
    const records = chain(3);
    const future = made({ timeMs: madeMs + 400 * dayMs, previous: records[2]! });
    const all = [...records.map((record) => found(record)), found(future, s3(madeMs + 2 * dayMs))];
    expect(codesOf(all, future)).toEqual(['time-ahead']);
    const points = judge(vault, all, {});
    expect(newestPoint(points, 'db').record.id).toBe(records[2]!.id);
    expect(points.map(({ record }) => record.id)).toContain(future.id);
  });

  test('what a clock that ran ahead wrote is no longer the newest once the clock is right again', () => {
    const [first] = chain(1);
    const ahead = made({ timeMs: madeMs + 40 * dayMs, previous: first! });
    const after = made({ timeMs: madeMs + 2 * dayMs, previous: ahead });
    const all = [found(first!), found(ahead, disk(madeMs + 1.5 * dayMs)), found(after)];
    expect(newestPoint(judge(vault, all, {}), 'db').record.id).toBe(after.id);
    expect(judge(vault, all, {}).map(({ record }) => record.id)).toEqual([first!.id, ahead.id, after.id]);
  });

  test('files-02: what was stored after a clock was set back is newer than what was stored before, and none is doubtful', () => {
    const histories = fc.array(fc.integer({ min: -20 * hourMs, max: 10 * minuteMs }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(histories, (offsets) => {
        const records: SnapshotRecord[] = [];
        const all = offsets.map((offMs, at) => {
          const storedMs = madeMs + 2 * dayMs + at * 5 * minuteMs;
          records.push(made({ timeMs: storedMs + offMs, previous: records.at(-1) ?? null }));
          return found(records.at(-1)!, s3(storedMs));
        });
        const points = judge(vault, [...all].reverse(), { writers: knowing([host.publicKey]) });
        expect(points.filter(isDoubtful)).toEqual([]);
        expect(points.map(({ record }) => record.id)).toEqual(records.map(({ id }) => id));
        expect(newestPoint(points, 'db').record.id).toBe(records.at(-1)!.id);
      }),
    );
  });

  test('files-02: the order is one, whichever way the records are given, also where two writers write at one moment', () => {
    const other = newSigningKey();
    const minutes = fc.array(fc.nat(2), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(minutes, minutes, fc.infiniteStream(fc.nat()), (ours, theirs, luck) => {
        const historyOf = (key: string, history: readonly number[]) => {
          const records: SnapshotRecord[] = [];
          for (const at of history)
            records.push(made({ timeMs: madeMs + at * minuteMs, previous: records.at(-1) ?? null, key }));
          return records;
        };
        const histories = [historyOf(host.privateKey, ours), historyOf(other.privateKey, theirs)];
        const all = histories.flat().map((record) => found(record, s3(madeMs + dayMs / 2)));
        const trust = { writers: knowing([host.publicKey, other.publicKey]) };
        const idsOf = (some: readonly FoundRecord[]) => judge(vault, some, trust).map(({ record }) => record.id);
        const ids = idsOf(all);
        const lots = new Map(all.map((one) => [one, luck.next().value]));
        expect(idsOf(all.toSorted((a, b) => lots.get(a)! - lots.get(b)!))).toEqual(ids);
        for (const history of histories) {
          const own = history.map(({ id }) => id);
          expect(ids.filter((id) => own.includes(id))).toEqual(own);
        }
      }),
    );
  });

  test('two clocks that differ a little make no doubt', () => {
    const [record] = chain(1);
    expect(codesOf([found(record!, s3(Date.parse(record!.time) - 14 * minuteMs))], record!)).toEqual([]);
  });

  test('a store without a clock casts no doubt', () => {
    const [record] = chain(1);
    expect(codesOf([found(record!, disk(0))], record!)).toEqual([]);
  });

  test('old restore points that were copied to a new bucket are believed: the first destination knows when they came', () => {
    const records = chain(5);
    const copiedMs = madeMs + 300 * dayMs;
    const all = records.map((record) => found(record, s3(copiedMs), disk(Date.parse(record.committed))));
    expect(judge(vault, all, {}).filter(isDoubtful)).toEqual([]);
  });

  test('a copy that is younger than all that it holds still gives its newest restore point', () => {
    const records = chain(3);
    const all = records.map((record) => found(record, disk(madeMs + 300 * dayMs)));
    expect(newestPoint(judge(vault, all, {}), 'db').record.id).toBe(records[2]!.id);
  });
});

describe('the key of the host is stolen', () => {
  const records = chain(6);
  const nowMs = madeMs + 60 * dayMs;
  const sound = records.map((record) => found(record));
  const target = records[3]!;

  test('a record that is made up for a past day takes no place: beside the chain', () => {
    const fake = made({ timeMs: Date.parse(target.time) + minuteMs, previous: target });
    expect(codesOf([...sound, found(fake, s3(nowMs))], fake)).toEqual(['chain-forked', 'stored-late']);
    expect(codesOf([...sound, found(fake, s3(nowMs))], records[4]!)).toEqual([]);
  });

  test('nor after a predecessor that never was, not even where the attacker sets the time of a file', () => {
    const fake = made({ timeMs: Date.parse(target.time) + minuteMs, previous: hash('nothing') });
    const all = [...sound, found(fake, s3(nowMs), disk(Date.parse(fake.time)))];
    expect(codesOf(all, fake)).toEqual(['stored-late']);
  });

  test('nor under a number that the chain has, or that does not follow', () => {
    for (const fake of [
      made({ timeMs: nowMs, previous: hash('nothing'), sequence: target.sequence }),
      made({ timeMs: nowMs, previous: records[5]!, sequence: 9 }),
    ]) {
      expect(codesOf([...sound, found(fake, s3(nowMs))], fake)).toEqual(['chain-forked']);
      expect(codesOf([...sound, found(fake, s3(nowMs))], target)).toEqual([]);
    }
  });

  test('nor as the last of the chain, behind records that are younger', () => {
    for (const timeMs of [Date.parse(target.time) + minuteMs, Date.parse(records[5]!.time) - 1]) {
      const fake = made({ timeMs, previous: records[5]! });
      const all = [...sound, found(fake, s3(nowMs), disk(timeMs))];
      expect(codesOf(all, fake)).toEqual(['stored-late']);
    }
    const fake = made({ timeMs: Date.parse(target.time) + minuteMs, previous: records[5]! });
    const all = [...sound, found(fake, s3(nowMs), disk(Date.parse(fake.time)))];
    const next = made({ timeMs: madeMs + 3 * dayMs, previous: records[5]! });
    expect(codesOf([...all, found(next)], next)).toEqual([]);
  });

  test('an old restore point that is signed again with a newer time is seen', () => {
    const again = made({
      timeMs: nowMs,
      previous: target.previous,
      manifest: target.manifest[0],
    });
    const all = [...sound, found(again, s3(nowMs))];
    expect(codesOf(all, again)).toEqual(['chain-forked', 'replayed']);
    expect(codesOf(all, target)).toEqual([]);
    expect(newestPoint(judge(vault, all, {}), 'db').record.id).toBe(records[5]!.id);
  });

  test('at no moment of the past is another restore point chosen than before the attack (any fakes)', () => {
    const fakes = fc.array(
      fc.record({
        timeMs: fc.oneof(
          fc.integer({ min: Date.parse(records[0]!.time), max: Date.parse(records[5]!.time) }),
          fc.integer({ min: madeMs, max: nowMs + 900 * dayMs }),
        ),
        previous: fc.oneof(fc.constantFrom(...records), fc.constant(null), fc.constant(hash('x'))),
        /** The attacker also owns a disk, where times can be set. */
        alsoOnDisk: fc.boolean(),
      }),
      { maxLength: 8 },
    );
    const moments = fc.integer({ min: Date.parse(records[0]!.time), max: Date.parse(records[5]!.time) });
    fc.assert(
      fc.property(fakes, moments, (forgeries, momentMs) => {
        const forged = forgeries.map(({ alsoOnDisk, ...one }) =>
          found(made(one), s3(nowMs), ...(alsoOnDisk ? [disk(one.timeMs)] : [])),
        );
        const before = newestPoint(judge(vault, sound, {}), 'db', momentMs);
        const after = newestPoint(judge(vault, [...sound, ...forged], {}), 'db', momentMs);
        expect(after.record.id).toBe(before.record.id);
      }),
      { numRuns: 200 },
    );
  });
});

describe('writers', () => {
  const stranger = newSigningKey();
  const records = chain(2);
  const fake = made({ timeMs: madeMs + 2 * dayMs, key: stranger.privateKey });
  const all = [...records.map((record) => found(record)), found(fake)];

  test('a stranger’s record is kept and never the newest', () => {
    expect(codesOf(all, fake, [host.publicKey])).toEqual(['writer-unknown']);
    const points = judge(vault, all, { writers: knowing([host.publicKey]) });
    expect(newestPoint(points, 'db').record.id).toBe(records[1]!.id);
    expect(points).toHaveLength(3);
  });

  test('who knows nobody believes everybody', () => {
    expect(judge(vault, all, {}).filter(isDoubtful)).toEqual([]);
  });

  test('where only strangers wrote, none is taken unasked', () => {
    const points = judge(vault, [found(fake)], { writers: knowing([host.publicKey]) });
    expect(() => newestPoint(points, 'db')).toThrow(expect.objectContaining({ code: restorePointDoubtful.code }));
  });
});

describe('strangers and clocks that lie', () => {
  const stranger = newSigningKey();
  const trust: Trust = { writers: knowing([host.publicKey]) };

  test('H3: a stranger who names the manifest of a true record a moment earlier takes nothing from it', () => {
    const records = chain(3);
    const newest = records[2]!;
    const timeMs = Date.parse(newest.time);
    const forged = made({ timeMs: timeMs - 5, key: stranger.privateKey, manifest: newest.manifest[0] });
    const forking = made({ timeMs, key: stranger.privateKey, previous: records[1]! });
    const all = [found(forged, s3(timeMs - 20)), found(forking, s3(timeMs - 20)), ...records.map((one) => found(one))];
    expect(codesOf(all, newest, [host.publicKey])).toEqual([]);
    expect(codesOf(all, forged, [host.publicKey])).toEqual(['writer-unknown']);
    expect(newestPoint(judge(vault, all, trust), 'db').record.id).toBe(newest.id);
    // Where everyone is believed, who was there first keeps its own.
    expect(codesOf(all, newest)).toEqual([]);
    expect(codesOf(all, forged)).toEqual(['replayed']);
  });

  test('H4: a writer that is known for one system does not speak for another', () => {
    const record = made({ timeMs: madeMs + dayMs });
    const [point] = judge(vault, [found(record)], { writers: knowing([host.publicKey], ['blog']) });
    expect(point!.doubts).toMatchObject([
      { code: 'writer-unknown', why: expect.stringContaining('blog and not for harbor') },
    ]);
  });

  test('H9: a clock that shows a record before it was made counts for nothing while another fits, and is named', () => {
    const records = chain(3);
    const all = records.map((record, at) => {
      const storedMs = Date.parse(record.committed);
      return {
        ...found(record, s3(storedMs + 1000), s3(at === 2 ? storedMs - 20 * hourMs : storedMs)),
        destinations: ['a', 'b'],
      };
    });
    const points = judge(vault, all, trust);
    expect(points.filter(isDoubtful)).toEqual([]);
    expect(newestPoint(points, 'db').record.id).toBe(records[2]!.id);
    expect(clockDisputes(points)).toEqual([{ early: 'b', other: 'a', count: 1 }]);
  });

  test('H10: what is dated after now is doubtful, whatever time a disk shows', () => {
    const nowMs = madeMs + 10 * dayMs;
    const record = made({ timeMs: nowMs + 300 * dayMs });
    const [point] = judge(vault, [found(record, disk(nowMs + 300 * dayMs))], trust, nowMs);
    expect(point!.doubts.map(({ code }) => code)).toEqual(['time-ahead']);
  });

  const histories = fc.array(fc.integer({ min: minuteMs, max: 3 * dayMs }), { minLength: 1, maxLength: 8 });
  const ofGaps = (gaps: readonly number[]) => {
    const records: SnapshotRecord[] = [];
    let timeMs = madeMs + dayMs;
    for (const gap of gaps) {
      timeMs += gap;
      records.push(made({ timeMs, previous: records.at(-1) ?? null }));
    }
    return records;
  };

  test('H3, H9: no honest record becomes doubtful by strangers’ records and one lying place (any histories)', () => {
    const lies = fc.array(fc.integer({ min: -40 * dayMs, max: 40 * dayMs }), { minLength: 8, maxLength: 8 });
    const theirs = fc.array(
      fc.record({
        at: fc.nat(7),
        offMs: fc.integer({ min: -dayMs, max: dayMs }),
        replays: fc.boolean(),
        forks: fc.boolean(),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(
        histories,
        lies,
        theirs,
        fc.boolean(),
        fc.boolean(),
        (gaps, lie, forgeries, honestKeeps, liarKeeps) => {
          const records = ofGaps(gaps);
          const nowMs = Date.parse(records.at(-1)!.time) + hourMs;
          const honest = records.map((record, at) => {
            const storedMs = Date.parse(record.committed) + 2000;
            const clocks = [
              { storedMs, isWitness: honestKeeps },
              { storedMs: storedMs + lie[at]!, isWitness: liarKeeps },
            ];
            return { ...found(record, ...clocks), destinations: ['honest', 'liar'] };
          });
          const strange = forgeries.map(({ at, offMs, replays, forks }) => {
            const target = records[at % records.length]!;
            const timeMs = Date.parse(target.time) + offMs;
            const manifest = replays ? { manifest: target.manifest[0] } : {};
            const previous = forks ? { previous: target.previous } : {};
            return found(made({ timeMs, key: stranger.privateKey, ...manifest, ...previous }), disk(timeMs - 1));
          });
          const points = judge(vault, [...strange, ...honest], trust, nowMs);
          const ours = points.filter(({ record }) => record.writer === host.publicKey);
          expect(ours.filter(isDoubtful)).toEqual([]);
          expect(newestPoint(points, 'db').record.id).toBe(records.at(-1)!.id);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('H9: with one honest place that keeps versions no back-dated record is believed (any histories)', () => {
    fc.assert(
      fc.property(
        histories,
        fc.nat(7),
        fc.integer({ min: 0, max: 3 * dayMs }),
        fc.boolean(),
        (gaps, at, beforeMs, follows) => {
          const records = ofGaps(gaps);
          const last = records.at(-1)!;
          const attackedMs = Date.parse(last.time) + 60 * dayMs;
          const timeMs =
            Math.min(Date.parse(records[at % records.length]!.time) + minuteMs, Date.parse(last.time) - 1) - beforeMs;
          const fake = made({ timeMs, previous: follows ? last : hash('nothing') });
          const all = [...records.map((one) => found(one)), found(fake, s3(attackedMs), disk(timeMs))];
          const judged = judge(vault, all, trust, attackedMs + hourMs).find(({ record }) => record.id === fake.id)!;
          expect(isDoubtful(judged)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
