import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { unsignedRecord } from '../../../test/support/records.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { systemClock } from '../../core/clock.ts';
import { newUlid } from '../../core/ulid.ts';
import type { Destination } from '../../destinations/destination.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { encodeRecord, recordHash, recordKey, type UnsignedRecord } from '../format/record.ts';
import { newSigningKey } from '../format/signing.ts';
import { writerKeys } from '../writer/keys.ts';
import { openRecordMemory } from './record-memory.ts';
import { recordReader } from './records.ts';

const vault = newUlid(0, randomBytes);
const { privateKey } = newSigningKey();

/** Two places with so many records, and a host that writes to the vault. */
async function place(records = 20) {
  const folder = await temporaryFolder();
  const [file, keyFile] = [join(folder, 'records.known'), join(folder, 'writer.json')];
  await writerKeys(keyFile, vault, randomBytes);
  let nowMs = Date.parse('2026-03-02T00:00:00.000Z');
  const clock = { ...systemClock, now: () => nowMs++ };
  const disk = openMemory({ name: 'disk', clock });
  const bucket = openMemory({ name: 'bucket', clock, versions: { overwrites: true } });
  const keys: string[] = [];
  for (let at = 0; at < records; at++) {
    const one = unsigned(at);
    keys.push(recordKey(one));
    for (const destination of [disk, bucket]) await destination.put(keys.at(-1)!, encodeRecord(one, privateKey));
  }
  /** As a command would that begins now: nothing is known but by the file. */
  const read = async (...destinations: Destination[]) => {
    let gets = 0;
    const counted = destinations.map((one) => counting(one, () => gets++));
    const damage: string[] = [];
    const memory = openRecordMemory(file, keyFile, vault)!;
    const outcome = await recordReader(vault, counted, ({ key }) => void damage.push(key), { memory })();
    return { gets, damage, ...outcome };
  };
  return { file, keyFile, disk, bucket, keys, read };
}

function unsigned(at: number): UnsignedRecord {
  return unsignedRecord(vault, Date.parse('2026-03-01T00:00:00.000Z') + at * 1000);
}

function counting(destination: Destination, onGet: () => void): Destination {
  const { history } = destination;
  return {
    ...destination,
    get(...asked) {
      onGet();
      return destination.get(...asked);
    },
    ...(history && {
      history: {
        ...history,
        getVersion(...asked) {
          onGet();
          return history.getVersion(...asked);
        },
      },
    }),
  };
}

test('what was read once is not read again, and is what reading it would give', async () => {
  const { disk, bucket, read } = await place();
  const first = await read(disk, bucket);
  const again = await read(disk, bucket);
  expect([first.gets, again.gets]).toEqual([40, 0]);
  expect(again.found).toEqual(first.found);
  expect(again.found.map(({ record }) => recordHash(record))).toEqual(
    first.found.map(({ record }) => recordHash(record)),
  );
});

test('a place that cannot be reached today is not read again when it is back', async () => {
  const { disk, bucket, keys, read } = await place();
  await read(disk, bucket);
  const bytes = await disk.get(keys[0]!);
  await disk.delete(keys[0]!);
  await disk.put(keys[0]!, bytes);
  expect((await read(disk)).gets).toBe(1);
  expect((await read(disk, bucket)).gets).toBe(0);
});

test('what a listing shows changed is read: damage that came since is told', async () => {
  const { disk, bucket, keys, read } = await place();
  await read(disk, bucket);
  await disk.delete(keys[3]!);
  await disk.put(keys[3]!, Buffer.from('{}'));
  await bucket.put(keys[5]!, Buffer.from('{}'));
  const found = await read(disk, bucket);
  expect(found.damage.sort()).toEqual([keys[3], keys[5]]);
  expect(found.found.map(({ destinations }) => destinations.length).filter((count) => count === 1)).toEqual([1]);
  // It is told each time: only what is whole is remembered.
  expect((await read(disk, bucket)).damage.sort()).toEqual([keys[3], keys[5]]);
});

test('what is gone from all places is forgotten, and a place that is away takes nothing with it', async () => {
  const { disk, bucket, keys, file, read } = await place(3);
  await read(disk, bucket);
  const away: Destination = {
    ...disk,
    async *list() {
      yield* [];
      throw new Error('it is away');
    },
  };
  const one = unsigned(99);
  await bucket.put(recordKey(one), encodeRecord(one, privateKey));
  await bucket.delete(keys[0]!, (await bucket.history!.versionsOf(keys[0]!))[0]!.version);
  await read(away, bucket);
  expect(readFileSync(file, 'latin1')).toContain(keys[0]);
  await disk.delete(keys[0]!);
  await disk.put(recordKey(one), encodeRecord(one, privateKey));
  await read(disk, bucket);
  expect(readFileSync(file, 'latin1')).not.toContain(keys[0]);
  expect((await read(disk, bucket)).gets).toBe(0);
});

test('nothing is believed that this host did not write down for this vault: not one byte may differ', async () => {
  const { disk, bucket, file, keyFile, read } = await place(4);
  await read(disk, bucket);
  const written = readFileSync(file);
  for (const at of [0, 31, 32, 40, written.length >> 1, written.length - 1]) {
    const changed = Buffer.from(written);
    changed[at]! ^= 1;
    writeFileSync(file, changed);
    expect([at, (await read(disk, bucket)).gets]).toEqual([at, 8]);
  }
  for (const length of [0, 10, 32, written.length - 1]) {
    writeFileSync(file, written.subarray(0, length));
    expect([length, (await read(disk, bucket)).gets]).toEqual([length, 8]);
  }
  expect(openRecordMemory(file, keyFile, newUlid(0, randomBytes))).toBeUndefined();
  expect(openRecordMemory(file, `${keyFile}.none`, vault)).toBeUndefined();
});

test('it is written down when it grew by a hundredth, not for each record', async () => {
  const { disk, bucket, file, read } = await place(120);
  await read(disk, bucket);
  const written = readFileSync(file);
  const add = async (at: number) => {
    const one = unsigned(at);
    for (const destination of [disk, bucket]) await destination.put(recordKey(one), encodeRecord(one, privateKey));
  };
  await add(1000);
  expect((await read(disk, bucket)).gets).toBe(2);
  expect(readFileSync(file)).toEqual(written);
  await add(1001);
  expect((await read(disk, bucket)).gets).toBe(4);
  expect((await read(disk, bucket)).gets).toBe(0);
});
