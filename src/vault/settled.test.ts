import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { knowing } from '../../test/support/keys.ts';
import { unsignedRecord } from '../../test/support/records.ts';
import { dayMs, hourMs, minuteMs } from '../core/duration.ts';
import { newUlid } from '../core/ulid.ts';
import { recordKey, signRecord } from './format/record.ts';
import { newSigningKey } from './format/signing.ts';
import { type FoundRecord, type StoreClock, settled, type Trust } from './trust.ts';

const madeMs = Date.UTC(2026, 0, 1);
const vault = newUlid(madeMs, randomBytes);
const [host, stranger] = [newSigningKey(), newSigningKey()];

const bucket = (hours: number): StoreClock => ({ storedMs: madeMs + hours * hourMs, isWitness: true });
const disk = (storedMs: number): StoreClock => ({ storedMs, isWitness: false });

/** A record of `system`, as a place shows it. */
function found(system: string, clock: StoreClock, { privateKey } = host, sequence = 1): FoundRecord {
  const id = newUlid(madeMs + hourMs, randomBytes);
  const hash = createHash('sha256').update(id).digest('hex');
  const previous = sequence === 1 ? null : hash;
  const unsigned = unsignedRecord(vault, madeMs + hourMs, { system, id, manifest: [hash, 100], sequence, previous });
  const record = signRecord(unsigned, privateKey);
  return { record, key: recordKey(record), destinations: ['place'], clocks: [clock] };
}

const bare: Trust = { writers: knowing([host.publicKey]), bare: new Set([host.publicKey]) };
const systems = (trust: Trust, ...all: FoundRecord[]) => [
  ...(settled(vault, trust, all).writers?.get(host.publicKey) ?? []),
];

test('H4: a key named without its systems counts for the one that it signed for first, whatever it signs later', () => {
  expect(systems(bare)).toEqual(['harbor']);
  expect(systems(bare, found('blog', bucket(2)), found('harbor', bucket(1)))).toEqual(['harbor']);
  expect(systems(bare, found('blog', bucket(1)), found('harbor', bucket(2)))).toEqual(['blog']);
  // On a disk of which all files have one time, its own count tells.
  const same = disk(madeMs + dayMs);
  expect(systems(bare, found('harbor', same, host, 2), found('blog', same, host, 1))).toEqual(['blog']);
});

test('H4: what others sign, or a place shows from before the vault, or one where anybody sets times, moves nothing', () => {
  expect(systems(bare, found('blog', bucket(1), stranger))).toEqual(['harbor']);
  expect(systems(bare, found('harbor', disk(madeMs + dayMs)), found('blog', disk(madeMs - dayMs)))).toEqual(['harbor']);
  expect(systems(bare, found('harbor', bucket(2)), found('blog', disk(madeMs + minuteMs)))).toEqual(['harbor']);
});

test('H4: where a person said the systems, nothing is left to settle', () => {
  const said = { writers: knowing([host.publicKey], ['harbor', 'blog']) };
  expect(systems(said, found('blog', bucket(1)), found('harbor', bucket(2)))).toEqual(['harbor', 'blog']);
});
