import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { newUlid } from '../../core/ulid.ts';
import { decodeAnnouncement } from './announcement.ts';
import { decodeEndorsement, endorsementBytes, signEndorsement } from './endorsement.ts';
import { decodeGeneration, signGeneration } from './generation.ts';
import { announcementKey, endorsementKey } from './keys.ts';
import { decodeRecord, signRecord } from './record.ts';
import { jsonBytes, readEnvelope, type SignedKind, signedBytes } from './signed-json.ts';
import { newSigningKey, sign, writerId } from './signing.ts';

const vault = newUlid(1, randomBytes);
const { privateKey, publicKey } = newSigningKey();
const time = '2026-11-21T00:00:00.000Z';
const record = signRecord(
  {
    ...{ format: 1, vault, system: 'shop', dataset: 'db', kind: 'files', id: newUlid(2, randomBytes), time },
    ...{ committed: time, tool: 't', versions: {}, sizes: { logical: 1, added: 1, stored: 1, entries: 1 } },
    ...{ lists: [['ab'.repeat(32), 1, 5]], manifest: ['cd'.repeat(32), 5], keys: [], problems: {} },
    ...{ retention: { class: 'x' }, generation: 0, previous: null, sequence: 1 },
  },
  privateKey,
);
const generation = signGeneration(
  { format: 1, vault, generation: 1, created: time, tombstones: ['ab'.repeat(32)], sparse: [] },
  privateKey,
);
const kinds = [
  { kind: 'record', value: record, decode: decodeRecord },
  { kind: 'generation', value: generation, decode: decodeGeneration },
] as const;

/** As a later program may make it. */
function remade(kind: SignedKind, value: object, change: object, key = privateKey): Uint8Array {
  const { signature: _, ...whole } = { ...value, ...change } as { signature?: string };
  return jsonBytes({ ...whole, signature: sign(signedBytes(kind, whole), key) });
}

const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).match(/\d[.e]|-0/));

test.for(kinds)('a $kind with fields that nobody knows yet is read, and keeps them', ({ kind, value, decode }) => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{1,3}-later$/), json, (name, later) => {
      let bytes: Uint8Array;
      try {
        bytes = remade(kind, value, { [name]: later });
      } catch {
        return; // no integer, half a pair: nothing canonical
      }
      const read = decode(bytes);
      expect(read).toMatchObject({ ...value, signature: expect.any(String) });
      expect(Buffer.from(jsonBytes(read))).toEqual(Buffer.from(bytes));
    }),
  );
});

test('a field of later programs that holds a list of the same name takes the place of none', () => {
  const lists = { a: { sparse: ['ef'.repeat(32)], tombstones: [] }, sparse: [] };
  expect(decodeGeneration(remade('generation', generation, lists))).toMatchObject({
    ...lists,
    tombstones: generation.tombstones,
  });
});

test.for(kinds)(
  'a $kind of a later format, or that requires what is not known, says so, and by whom',
  ({ kind, value, decode }) => {
    const newer = expect.objectContaining({ code: 'format-newer' });
    for (const [change, needs] of [
      [{ format: 2 }, 'format 2'],
      [{ requires: ['logs'] }, 'logs'],
      [{ format: 7, requires: ['logs'], lists: 'otherwise', tombstones: null, dataset: 'a/b' }, 'format 7, logs'],
    ] as const) {
      const bytes = remade(kind, value, change);
      expect(() => decode(bytes)).toThrow(newer);
      expect(readEnvelope(kind, bytes)).toMatchObject({ needs, writer: publicKey, vault });
      // Without the signature it is anyone's word.
      const forged = remade(kind, value, change, newSigningKey().privateKey);
      expect(() => decode(forged)).toThrow(expect.objectContaining({ code: expect.stringMatching(/damaged$/) }));
      expect(readEnvelope(kind, forged)).toBeUndefined();
    }
    for (const change of [
      { requires: ['b', 'a'] },
      { requires: ['A'] },
      { algorithm: 'rsa' },
      { algorithm: undefined },
    ]) {
      const { algorithm: _, ...rest } = value;
      const whole = change.algorithm === undefined && 'algorithm' in change ? rest : { ...value, ...change };
      expect(() => decode(remade(kind, whole, {}))).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/damaged$/) }),
      );
    }
  },
);

test('no signature of one kind stands for another', () => {
  const endorsement = signEndorsement(
    { vault, id: newUlid(3, randomBytes), sequence: 1, time, writers: [] },
    privateKey,
  );
  const all: Record<SignedKind, object> = {
    ...{ record, generation, endorsement },
    announcement: { algorithm: 'ed25519', format: 2, vault, writer: publicKey },
    grant: { algorithm: 'ed25519', format: 1, vault, writer: publicKey },
    cover: { algorithm: 'ed25519', format: 1, vault, writer: publicKey },
  };
  for (const [kind, value] of Object.entries(all)) {
    for (const other of Object.keys(all) as SignedKind[]) {
      const bytes = remade(other, value, {});
      const reads = { record: decodeRecord, generation: decodeGeneration } as Record<
        string,
        (bytes: Uint8Array) => unknown
      >;
      const read = reads[kind];
      if (read !== undefined && kind !== other) expect(() => read(bytes)).toThrow();
      if (kind !== 'endorsement') expect(readEnvelope(kind as SignedKind, bytes) !== undefined).toBe(kind === other);
    }
  }
  const key = endorsementKey(writerId(publicKey), endorsement.id);
  expect(decodeEndorsement(endorsementBytes(endorsement), key)).toEqual(endorsement);
  expect(() => decodeEndorsement(remade('record', endorsement, {}), key)).toThrow(/forged/);
});

test('an announcement is what its writer signed, under its name', () => {
  const said = { algorithm: 'ed25519', format: 2, vault, writer: publicKey, more: { of: ['a', 'later'] } };
  const key = announcementKey(writerId(publicKey), newUlid(4, randomBytes));
  const bytes = remade('announcement', said, {});
  expect(decodeAnnouncement(bytes, key)).toEqual({ vault, format: 2, needs: 'format 2', writer: publicKey });
  expect(decodeAnnouncement(remade('announcement', said, { format: 1 }), key)).not.toHaveProperty('needs');
  const damaged = expect.objectContaining({ code: 'announcement-damaged' });
  const others = announcementKey(writerId(newSigningKey().publicKey), newUlid(4, randomBytes));
  expect(() => decodeAnnouncement(bytes, others)).toThrow(damaged);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
      const other = Buffer.from(bytes);
      other[at]! ^= 1 << bit;
      expect(() => decodeAnnouncement(other, key)).toThrow(damaged);
    }),
  );
});
