import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { listOf, listsOf } from '../../../test/support/lists.ts';
import { unsignedRecord } from '../../../test/support/records.ts';
import { systemClock } from '../../core/clock.ts';
import { type RunEvent, startRun } from '../../core/run.ts';
import { newUlid } from '../../core/ulid.ts';
import type { Destination } from '../../destinations/destination.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { withCount } from '../../destinations/wrap/count.ts';
import { type Fault, withFaults } from '../../destinations/wrap/fault.ts';
import { generationBytes, signGeneration } from '../format/generation.ts';
import { createIds } from '../format/ids.ts';
import { generationKey, manifestKey, packKey } from '../format/keys.ts';
import { recordBytes, recordKey, type SnapshotRecord, signRecord } from '../format/record.ts';
import { newSigningKey } from '../format/signing.ts';
import { needsReader } from '../hold/needs.ts';
import { sizesAt } from '../hold/sizes.ts';
import { type CopyOptions, copyMissing } from './copy-missing.ts';
import { planCopy } from './plan.ts';
import { withdrawnAt } from './withdrawn.ts';

const { privateKey } = newSigningKey();
const vault = newUlid(0, randomBytes);
const sha256 = (body: Uint8Array) => createHash('sha256').update(body).digest('hex');
const bodies = Array.from({ length: 20 }, (_, n) => Buffer.from(`pack ${n}`));
const packs = bodies.map((body) => [sha256(body), body.length] as const);
const keys = packs.map(([id]) => packKey(id));
const manifest = Buffer.from('a manifest');

function recordOf(needs: readonly (readonly [string, number])[], timeMs = 1000): SnapshotRecord {
  const lists = listsOf(needs).map(({ name }) => name);
  const unsigned = unsignedRecord(vault, timeMs, { lists, manifest: [sha256(manifest), manifest.length] });
  return signRecord(unsigned, privateKey);
}

const lists = [packs.slice(0, 5), packs.slice(3, 10)].map((some) => listOf(some));
const early = recordOf(packs.slice(0, 5));
const late = recordOf(packs.slice(3, 10), 2000);

async function filled(name = 'from', versions?: { overwrites: boolean }): Promise<Destination> {
  const from = openMemory({ name, ...(versions && { versions }) });
  for (const [at, body] of bodies.entries()) await from.put(keys[at]!, body);
  for (const { key, bytes } of lists) await from.put(key, bytes);
  await from.put(manifestKey(sha256(manifest)), manifest);
  for (const record of [early, late]) await from.put(recordKey(record), recordBytes(record));
  await from.put('vault.json', Buffer.from('{}'));
  await from.put('notes.txt', Buffer.from('none of ours'));
  return from;
}

const faulty = (inner: Destination, script: readonly Fault[]) => withFaults(inner, script);

async function copy(
  sources: readonly Destination[],
  to: Destination,
  more: Partial<CopyOptions> = {},
  run = startRun({ clock: systemClock }),
) {
  const held = await Promise.all(sources.map((source) => sizesAt(source, run.signal, { hidden: true })));
  const target = await sizesAt(to, run.signal);
  const plan = planCopy(target, held, await withdrawnAt(vault, [target, ...held]));
  const withNeeds = needsReader(sources, createIds(), () => {});
  return copyMissing(plan, { vault, withNeeds, ...more }, run);
}

async function keysOf(destination: Destination): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of destination.list('')) found.push(key);
  return found.sort();
}

describe('a copy', () => {
  test('brings over what is missing and nothing else, records last, with a request for each and no look before', async () => {
    const from = withCount(await filled());
    const memory = openMemory({ name: 'to' });
    await memory.put(keys[3]!, bodies[3]!);
    const stored: string[] = [];
    const to = withCount({
      ...memory,
      put: (key, ...rest) => {
        stored.push(key);
        return memory.put(key, ...rest);
      },
    });
    expect(await copy([from], to)).toMatchObject({ objects: 24, records: 2, refused: [], waiting: [], silent: [] });
    expect(stored.slice(-2)).toEqual([recordKey(early), recordKey(late)]);
    expect((await keysOf(memory)).length).toBe(25);
    expect(from.requests()).toEqual({ get: 26, list: 2 });
    expect(to.requests()).toMatchObject({ put: 24, list: 2 });
    expect(await copy([from], to)).toMatchObject({ objects: 0, bytes: 0, refused: [] });
    expect(to.requests().put).toBe(24);
  });

  test('never spreads damage: what one source has damaged comes from another, or not at all, and no record that needs it', async () => {
    const damage: Fault[] = [{ verb: 'get', key: new RegExp(packs[4]![0]), kind: 'flip-bit' }];
    const alone = openMemory({ name: 'to' });
    const result = await copy([faulty(await filled(), damage)], alone);
    expect(result.refused).toMatchObject([{ key: keys[4], code: 'object-damaged' }]);
    // Both records need it.
    expect(result.waiting).toEqual([recordKey(early), recordKey(late)]);
    expect(await keysOf(alone)).not.toContain(keys[4]);

    const helped = openMemory({ name: 'to' });
    const both = await copy([faulty(await filled('a'), damage), await filled('b')], helped);
    expect(both).toMatchObject({ objects: 25, records: 2, refused: [], waiting: [] });
    expect(Buffer.compare(await helped.get(keys[4]!), bodies[4]!)).toBe(0);
  });

  test('never spreads a record that is forged, of another vault, under another name, or of a writer who is not trusted', async () => {
    const from = openMemory({ name: 'from' });
    await from.put(manifestKey(sha256(manifest)), manifest);
    const [forged, moved, stranger] = [recordOf([], 3000), recordOf([], 4000), recordOf([], 5000)];
    await from.put(
      recordKey(forged),
      Buffer.from(Buffer.from(recordBytes(forged)).toString().replace('"entries":1', '"entries":2')),
    );
    await from.put(recordKey({ ...moved, dataset: 'other' }), recordBytes(moved));
    await from.put(recordKey(stranger), recordBytes(stranger));
    const to = openMemory({ name: 'to' });
    const { refused, strange, records } = await copy([from], to, { spreads: ({ id }) => id !== stranger.id });
    expect(records).toBe(0);
    expect(refused.map(({ code }) => code)).toEqual(['object-damaged', 'object-damaged']);
    expect(strange).toEqual([recordKey(stranger)]);
    expect(await keysOf(to)).toEqual([manifestKey(sha256(manifest))]);
  });

  test('looks through what was put over an object, or hides it, at a source that keeps versions', async () => {
    const from = await filled('from', { overwrites: true });
    await from.put(keys[1]!, Buffer.from('other bytes'));
    await from.delete(keys[2]!);
    await from.delete(recordKey(late));
    const to = openMemory({ name: 'to' });
    expect(await copy([from], to)).toMatchObject({ objects: 25, records: 2, refused: [] });
    expect(Buffer.compare(await to.get(keys[1]!), bodies[1]!)).toBe(0);
  });

  test('leaves out packs that a prune has marked, and what needs them, without calling it damage', async () => {
    const from = await filled();
    const unsigned = { format: 1, vault, generation: 1, created: '2026-01-01T00:00:00.000Z' } as const;
    const gone = { ...unsigned, tombstones: [packs[0]![0]], sparse: [] };
    await from.put(generationKey(1), generationBytes(signGeneration(gone, privateKey)));
    const to = openMemory({ name: 'to' });
    const { refused, waiting, records } = await copy([from], to);
    expect({ refused, waiting, records }).toEqual({ refused: [], waiting: [], records: 1 });
    const there = await keysOf(to);
    expect(there).toContain(recordKey(late));
    expect(there).not.toContain(keys[0]);
    expect(there).not.toContain(recordKey(early));
  });

  test('a source that fails is left, and the others serve', async () => {
    const dead = faulty(await filled('dead'), [{ verb: 'get', kind: 'error-before' }]);
    const told: RunEvent[] = [];
    const run = startRun({ clock: systemClock, onEvent: (event) => told.push(event) });
    const to = openMemory({ name: 'to' });
    expect(await copy([dead, await filled('alive')], to, {}, run)).toMatchObject({ objects: 25, refused: [] });
    expect(told.filter(({ type }) => type === 'problem').length).toBe(1);
    // Those that were under way, the lists of the two records, and no more.
    expect(dead.calls('get')).toBeLessThanOrEqual(4 + 2);
  });

  test('spoilt on the way, it does not stay: the name is free for the next copy', async () => {
    const memory = openMemory({ name: 'to' });
    const spoils = faulty(memory, [{ verb: 'put', key: new RegExp(packs[6]![0]), kind: 'flip-bit' }]);
    const { refused } = await copy([await filled()], spoils);
    expect(refused).toMatchObject([{ key: keys[6], code: 'object-damaged' }]);
    expect(await keysOf(memory)).not.toContain(keys[6]);
    expect(await copy([await filled()], memory)).toMatchObject({ objects: 2, records: 1, refused: [] });
  });

  test('stops when the place that is filled fails as a whole, or at an abort, and goes on where it was', async () => {
    const full = openMemory({ name: 'to', capacityBytes: 50 });
    await expect(copy([await filled()], full)).rejects.toMatchObject({ code: 'destination-full' });
    const memory = openMemory({ name: 'to' });
    const stop = new AbortController();
    let puts = 0;
    const stopping: Destination = {
      ...memory,
      async put(...all) {
        if (++puts === 9) stop.abort(new Error('the user said stop'));
        return memory.put(...all);
      },
    };
    const run = startRun({ clock: systemClock, signal: stop.signal });
    await expect(copy([await filled()], stopping, {}, run)).rejects.toThrow('the user said stop');
    const before = (await keysOf(memory)).length;
    expect(before).toBeLessThan(13);
    expect(await copy([await filled()], memory)).toMatchObject({ objects: 25 - before, records: 2, refused: [] });
  });

  test('what lies there with another size is named and left alone', async () => {
    const to = openMemory({ name: 'to' });
    await to.put(keys[7]!, Buffer.from('garbled and of another size'));
    const { refused, waiting } = await copy([await filled()], to);
    expect(refused).toMatchObject([{ key: keys[7], code: 'object-exists' }]);
    expect(waiting).toEqual([recordKey(late)]);
  });

  test('holds only a few objects at once', async () => {
    const from = await filled();
    let [running, most] = [0, 0];
    const counted: Destination = {
      ...from,
      async get(...all) {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return from.get(...all);
      },
    };
    await copy([counted], openMemory({ name: 'to' }));
    expect(most).toBe(4);
  });
});
