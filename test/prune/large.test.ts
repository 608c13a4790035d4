import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { System } from '../../src/config/system.ts';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs } from '../../src/core/duration.ts';
import { startRun } from '../../src/core/run.ts';
import { newUlid } from '../../src/core/ulid.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { openMemory } from '../../src/destinations/memory/destination.ts';
import { emptyLedger } from '../../src/ledger/decisions.ts';
import { factsOf, wholeAt } from '../../src/operations/prune-facts.ts';
import { freedBy, planFor } from '../../src/retention/index.ts';
import { manifestKey, packKey, VAULT_KEY } from '../../src/vault/format/keys.ts';
import type { ListName } from '../../src/vault/format/pack-list.ts';
import { recordBytes, recordHash, recordKey, signRecord } from '../../src/vault/format/record.ts';
import { newSigningKey, writerId } from '../../src/vault/format/signing.ts';
import { encodeVaultFile } from '../../src/vault/format/vault-file.ts';
import { sha256Hex } from '../../src/vault/hash.ts';
import { createIdSet } from '../../src/vault/hold/id-set.ts';
import { openVault } from '../../src/vault/open.ts';
import { decideMarks, decideSweep } from '../../src/vault/prune/decide.ts';
import { surveyVault } from '../../src/vault/prune/prune.ts';
import { cutIntoLists } from '../../src/vault/write/list-packs.ts';
import { type ListObject, listOf } from '../support/lists.ts';
import { unsignedRecord } from '../support/records.ts';

const MiB = 1024 * 1024;
const startMs = Date.parse('2026-01-01T00:00:00.000Z');
const packsOfEach = 36_000;
/** So many packs of each restore point are not in the next. */
const fresh = 300;
const count = 9;
const keep = 4;

const idOf = (kind: string, number: number) => sha256Hex(Buffer.from(`${kind} ${number}`));
const sizeOf = (number: number) => 4_000_000 + (number % 7);
const allPacks = Array.from({ length: packsOfEach + fresh * (count - 1) }, (_, at) => idOf('pack', at));

/** Packs in the order in which they were stored, each list kept once. */
const lists = new Map<string, ListObject>();
function listsFor(from: number): ListName[] {
  const packs = allPacks.slice(from, from + packsOfEach).map((id, offset) => [id, sizeOf(from + offset)] as const);
  return cutIntoLists(packs).map((part) => {
    const list = listOf(part);
    lists.set(list.key, list);
    return list.name;
  });
}

const of = { system: 'large', dataset: 'data' };

/** Restore points of one dataset, a day apart, that share most of their packs. */
function records(vault: string) {
  const { privateKey } = newSigningKey();
  let previous: string | null = null;
  return Array.from({ length: count }, (_, at) => {
    const timeMs = startMs + at * dayMs;
    const lists = listsFor(at * fresh);
    const manifest = [idOf('manifest', at), 100] as const;
    const unsigned = unsignedRecord(vault, timeMs, { ...of, lists, manifest, previous, sequence: at + 1 });
    const record = signRecord(unsigned, privateKey);
    previous = recordHash(record);
    return {
      key: recordKey(record),
      bytes: recordBytes(record),
      lists: record.lists,
      writer: writerId(record.writer),
      timeMs: startMs + at * dayMs,
    };
  });
}

type Stored = ReturnType<typeof records>[number];

interface Watched extends Destination {
  /** How often each record, and each list, was fetched. */
  readonly fetched: Map<string, number>;
  mostBytesAtOnce: number;
}

/** Holds the records; the packs, of which nobody reads the bytes, only in its listing. */
async function placeWith(name: string, vault: string, stored: readonly Stored[]): Promise<Watched> {
  let nowMs = startMs;
  const memory = openMemory({ name, clock: { now: () => nowMs, elapsed: () => nowMs } });
  const created = new Date(startMs - dayMs).toISOString();
  await memory.put(VAULT_KEY, encodeVaultFile({ format: 1, vault, created }));
  for (const { key, bytes } of lists.values()) await memory.put(key, bytes);
  for (const { key, bytes, timeMs } of stored) {
    nowMs = timeMs;
    await memory.put(key, bytes);
  }
  let pendingBytes = 0;
  const watched: Watched = {
    ...memory,
    fetched: new Map(),
    mostBytesAtOnce: 0,
    async *list(prefix) {
      if (prefix === 'packs/') {
        for (const [at, id] of allPacks.entries()) {
          yield { key: packKey(id), sizeBytes: sizeOf(at), modifiedMs: startMs };
        }
      } else if (prefix === 'manifests/') {
        for (const at of stored.keys()) {
          yield { key: manifestKey(idOf('manifest', at)), sizeBytes: 100, modifiedMs: startMs };
        }
      } else yield* memory.list(prefix);
    },
    async get(key) {
      const bytes = await memory.get(key);
      if (!/^(snapshots|lists)\//.test(key)) return bytes;
      watched.fetched.set(key, (watched.fetched.get(key) ?? 0) + 1);
      pendingBytes += bytes.length;
      watched.mostBytesAtOnce = Math.max(watched.mostBytesAtOnce, pendingBytes);
      // All readers that may begin have begun by then.
      await new Promise((resolve) => setImmediate(resolve));
      pendingBytes -= bytes.length;
      return bytes;
    },
  };
  return watched;
}

const retention = { last: keep, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const config = {
  name: 'large',
  datasets: { data: { type: 'files', retention, rpoMs: dayMs, rtoMs: dayMs } },
} as unknown as System;

test('restore points with very many packs: each record and list is fetched once, few at a time, and each id is held once', async () => {
  const vault = newUlid(startMs - dayMs, randomBytes);
  const stored = records(vault);
  const destinations = [await placeWith('one', vault, stored), await placeWith('two', vault, stored)];
  const run = startRun({ clock: systemClock });
  const reader = await openVault(destinations);
  const survey = await surveyVault({ vault: reader, destinations, trust: {} }, run);
  expect(survey.suspect).toEqual([]);
  expect(survey.points.length).toBe(count);
  // A list of texts for each restore point is what does not fit into memory.
  let texts = 0;
  for (const { needs } of survey.points) {
    const each = needs.packs[Symbol.iterator];
    Object.assign(needs.packs, { [Symbol.iterator]: () => [texts++, each()][1] });
  }
  const whole = new Map(survey.points.map((point) => [point.key, wholeAt(survey.places, point)]));
  const plan = planFor(config, survey, {
    wholeAt: ({ key }) => whole.get(key)!,
    nowMs: Math.min(...survey.places.map(({ nowMs }) => nowMs)),
  });
  expect(plan.kept).toEqual(new Set(stored.slice(-keep).map(({ key }) => key)));
  const dropped = count - keep;
  const living = new Set(stored.slice(dropped).flatMap((one) => one.lists.map(([id]) => id)));
  const ofDropped = new Set(stored.slice(0, dropped).flatMap((one) => one.lists.map(([id]) => id)));
  const deadLists = [...ofDropped.difference(living)];
  expect(deadLists.length).toBeGreaterThan(0);
  expect(deadLists.length).toBeLessThan(living.size);
  const dead = [
    ...deadLists,
    ...allPacks.slice(0, dropped * fresh),
    ...stored.slice(0, dropped).map((_, at) => idOf('manifest', at)),
  ];
  expect(freedBy(survey.points, plan.kept).freedObjects).toBe(dead.length);

  const retire = [stored[0]!.writer];
  const facts = factsOf({
    ...survey,
    trust: {},
    plan,
    ledger: emptyLedger,
    retire,
    sparse: new Set(),
    system: 'large',
  });
  const { tombstones, sparse } = decideMarks(facts);
  expect(new Set(tombstones)).toEqual(new Set(dead));
  const generations = new Map([
    [
      1,
      {
        storedMs: startMs,
        tombstones: createIdSet(reader.ids, tombstones),
        sparse,
        floors: new Map(),
        speaksFor: () => true,
      },
    ],
  ]);
  const later = { ...facts, places: facts.places.map((place) => ({ ...place, generations })) };
  for (const place of later.places) {
    const { records, manifests, lists, packs } = decideSweep(later, place, startMs + 99 * dayMs);
    expect(records.map(({ key }) => key)).toEqual(stored.slice(0, dropped).map(({ key }) => key));
    expect(new Set([...manifests, ...lists, ...packs])).toEqual(new Set(dead));
  }

  expect((await reader.pointsOfAll()).points.map(({ key }) => key)).toEqual(stored.map(({ key }) => key));
  expect(texts).toBe(0);
  expect(reader.ids.size).toBe(allPacks.length + count + lists.size);
  for (const { fetched, mostBytesAtOnce } of destinations) {
    // What one place has sound is not asked of another.
    expect([...fetched].filter(([key]) => key.startsWith('snapshots/'))).toEqual(stored.map(({ key }) => [key, 1]));
    expect(Math.max(...fetched.values())).toBe(1);
    expect(mostBytesAtOnce).toBeGreaterThan(0);
    expect(mostBytesAtOnce).toBeLessThan(16 * MiB);
  }
});
