import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { newUlid } from '../../core/ulid.ts';
import { decodeEndorsement, endorsementBytes, maxEndorsedWriters, signEndorsement } from './endorsement.ts';
import { endorsementDamaged } from './errors.ts';
import { endorsementKey } from './keys.ts';
import { newSigningKey, writerId } from './signing.ts';

const vault = newUlid(1_700_000_000_000, randomBytes);
const endorser = newSigningKey();
const writer = newSigningKey().publicKey;

function made(writers = [{ key: writer, systems: ['shop', 'blog'] }], by = endorser) {
  const id = newUlid(1_800_000_000_000, randomBytes);
  const time = new Date(1_800_000_000_000).toISOString();
  const endorsement = signEndorsement({ vault, id, sequence: 3, time, writers }, by.privateKey);
  return { endorsement, key: endorsementKey(writerId(by.publicKey), id), bytes: endorsementBytes(endorsement) };
}

describe('endorsements', () => {
  test('are read back as they were written, writers and systems in order', () => {
    const { endorsement, key, bytes } = made();
    expect(decodeEndorsement(bytes, key)).toEqual(endorsement);
    expect(endorsement.writers).toEqual([{ key: writer, systems: ['blog', 'shop'] }]);
    expect(endorsement.endorser).toBe(endorser.publicKey);
  });

  test('with any flipped bit, or under another name, are refused', () => {
    const { key, bytes } = made();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1 << bit;
        expect(() => decodeEndorsement(changed, key)).toThrow(expect.objectContaining({ code: 'endorsement-damaged' }));
      }),
      { numRuns: 300 },
    );
    expect(() => decodeEndorsement(bytes, made().key)).toThrow(/name of another/);
    const stranger = made(undefined, newSigningKey());
    expect(() => decodeEndorsement(stranger.bytes, key)).toThrow(/name of another/);
  });

  test('take a hundred writers and no more', () => {
    const many = (count: number) =>
      Array.from({ length: count }, () => ({ key: newSigningKey().publicKey, systems: ['shop'] }));
    const whole = made(many(maxEndorsedWriters));
    expect(decodeEndorsement(whole.bytes, whole.key).writers).toHaveLength(maxEndorsedWriters);
    const long = made(many(maxEndorsedWriters + 1));
    expect(() => decodeEndorsement(long.bytes, long.key)).toThrow(/cannot be read/);
  });

  test('whatever bytes come, it is a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        try {
          decodeEndorsement(bytes, 'endorsements/x/y.json');
          expect.unreachable();
        } catch (error) {
          expect(endorsementDamaged.is(error)).toBe(true);
        }
      }),
    );
  });
});
