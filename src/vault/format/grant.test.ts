import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { changed, expectHardy } from '../../../test/support/fuzz.ts';
import { newUlid } from '../../core/ulid.ts';
import { decodeGrant, encodeGrant, type Grant, grantBytes, maxEpochKeyBytes, type UnsignedGrant } from './grant.ts';
import { grantKey } from './keys.ts';
import { jsonBytes, signedBytes } from './signed-json.ts';
import { newSigningKey, sign } from './signing.ts';

const { privateKey, publicKey } = newSigningKey();
const speaker = newSigningKey();
const hex = (sizeBytes: number) => fc.uint8Array({ minLength: sizeBytes, maxLength: sizeBytes }).map(toHex);
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const moment = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
const id = fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => newUlid(ms, randomBytes));

const anyGrant: fc.Arbitrary<UnsignedGrant> = fc
  .record({
    vault: id,
    id,
    time: moment.map((date) => date.toISOString()),
    epoch: hex(32),
    key: fc.tuple(hex(32), fc.integer({ min: 1, max: maxEpochKeyBytes })),
    recipients: fc.uniqueArray(hex(16), { minLength: 1, maxLength: 100 }),
    begins: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
  })
  .map(({ begins, ...rest }) => (begins ? { ...rest, begins: { speaker: speaker.publicKey, number: begins } } : rest));

const example: UnsignedGrant = {
  vault: newUlid(1_700_000_000_000, randomBytes),
  id: newUlid(1_800_000_000_000, randomBytes),
  time: '2026-01-02T03:04:05.678Z',
  epoch: 'ab'.repeat(32),
  key: ['cd'.repeat(32), 266],
  recipients: ['11'.repeat(16), '22'.repeat(16)],
  begins: { speaker: speaker.publicKey, number: 3 },
};
const exampleKey = grantKey(example.epoch, example.id);
const encoded = encodeGrant(example, privateKey);
const damaged = expect.objectContaining({ code: 'grant-damaged' });

/** Whatever it says, with the signature that it would have. */
function signedAnew(fields: object): Uint8Array {
  const whole = { ...decodeGrant(encoded, exampleKey), ...fields };
  return jsonBytes({ ...whole, signature: sign(signedBytes('grant', whole), privateKey) });
}

describe('a grant', () => {
  test('whatever it says is read back as it was written, byte for byte, recipients in order', () => {
    fc.assert(
      fc.property(anyGrant, (unsigned) => {
        const bytes = encodeGrant(unsigned, privateKey);
        const read = decodeGrant(bytes, grantKey(unsigned.epoch, unsigned.id));
        const recipients = unsigned.recipients.toSorted();
        expect(read).toMatchObject({ ...unsigned, recipients, writer: publicKey, format: 1, algorithm: 'ed25519' });
        expect(Buffer.from(grantBytes(read))).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 100 },
    );
  });

  test('with any field changed, taken away or added after it was signed is refused', () => {
    const read = decodeGrant(encoded, exampleKey);
    const other: Record<keyof Grant, unknown> = {
      algorithm: 'ed448',
      format: 2,
      vault: newUlid(1, randomBytes),
      id: newUlid(2, randomBytes),
      time: '2026-01-02T03:04:05.679Z',
      epoch: 'ac'.repeat(32),
      key: [example.key[0], 267],
      recipients: example.recipients.slice(1),
      begins: { ...example.begins, number: 4 },
      writer: speaker.publicKey,
      signature: Buffer.alloc(64).toString('base64'),
    };
    expect(Object.keys(other).sort()).toEqual(Object.keys(read).sort());
    for (const [field, value] of Object.entries(other)) {
      expect(() => decodeGrant(jsonBytes({ ...read, [field]: value }), exampleKey), field).toThrow(damaged);
      const { [field as keyof Grant]: _, ...without } = read;
      expect(() => decodeGrant(jsonBytes(without), exampleKey), `without ${field}`).toThrow(damaged);
    }
    const more = jsonBytes({ ...read, recipients: [...read.recipients, '33'.repeat(16)] });
    for (const bytes of [more, jsonBytes({ ...read, later: 'x' })]) {
      expect(() => decodeGrant(bytes, exampleKey)).toThrow(damaged);
    }
    expect(() => decodeGrant(encoded, grantKey(example.epoch, newUlid(3, randomBytes)))).toThrow(/name of another/);
  });

  test('that no writer would make is refused though it is signed', () => {
    expect(() => decodeGrant(signedAnew({ later: 'carried' }), exampleKey)).not.toThrow();
    const odd: object[] = [
      { recipients: [] },
      { recipients: example.recipients.toReversed() },
      { recipients: [example.recipients[0], example.recipients[0]] },
      { recipients: [example.recipients[0]!.toUpperCase().replace('1', 'A')] },
      { recipients: Array.from({ length: 101 }, (_, at) => at.toString(16).padStart(32, '0')) },
      { key: [example.key[0], -1] },
      { key: [example.key[0], 0] },
      { key: [example.key[0].slice(1), 266] },
      { begins: { speaker: speaker.publicKey, number: 0 } },
      { begins: { speaker: 'x', number: 1 } },
      { begins: null },
      { time: '2026-01-02' },
      { vault: 'x' },
      { format: 2 },
      { later: 'x'.repeat(16 * 1024) },
    ];
    for (const fields of odd) {
      expect(() => decodeGrant(signedAnew(fields), exampleKey), JSON.stringify(fields).slice(0, 80)).toThrow(damaged);
    }
  });

  test('however its bytes are changed, it is refused with a typed error', () => {
    const decode = (bytes: Uint8Array) => decodeGrant(bytes, exampleKey);
    expectHardy(decode, encoded, ['grant-damaged']);
    fc.assert(
      fc.property(changed(encoded), (bytes) => {
        if (Buffer.compare(bytes, encoded) !== 0) expect(() => decode(bytes)).toThrow(damaged);
      }),
      { numRuns: 500 },
    );
  });
});
