import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { changed } from '../../../test/support/fuzz.ts';
import { newUlid } from '../../core/ulid.ts';
import { sha256Hex } from '../hash.ts';
import { coverBytes, decodeCover, encodeCover, spanOf, type UnsignedCover } from './cover.ts';
import { logKey, parseKey } from './keys.ts';
import { newSigningKey } from './signing.ts';

const { privateKey, publicKey } = newSigningKey();
const position = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((at) => at.toString(16).padStart(16, '0'));
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:+-]{0,20}$/);
const sizeBytes = fc.integer({ min: 1, max: 2 ** 40 });
const id = fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => newUlid(ms, randomBytes));
const moment = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });

const anyCover: fc.Arbitrary<UnsignedCover> = fc
  .record({
    vault: id,
    system: name,
    dataset: name,
    timeline: fc.stringMatching(/^[a-z0-9]{1,64}-(0|[1-9][0-9]{0,9})$/),
    id,
    time: moment.map((date) => date.toISOString()),
    places: fc.uniqueArray(position, { minLength: 3, maxLength: 20 }),
    content: fc.array(fc.tuple(hash, sizeBytes), { minLength: 20, maxLength: 20 }),
    keys: fc.uniqueArray(fc.tuple(hash, hash, fc.integer({ min: 1, max: 65_536 })), { minLength: 1, maxLength: 3 }),
    before: fc.option(fc.tuple(hash, fc.integer({ min: 2, max: 1_000_000 })), { nil: undefined }),
  })
  .map(({ places, content, keys, before, ...rest }) => {
    const [after, ...bounds] = places.sort();
    const pieces = bounds.slice(1).map((end, at) => [bounds[at]!, end, ...content[at]!] as const);
    const sorted = keys.sort((a, b) => (`${a[0]}/${a[1]}` < `${b[0]}/${b[1]}` ? -1 : 1));
    return {
      ...rest,
      pieces,
      keys: sorted,
      ...(before === undefined
        ? { previous: null, after: null, sequence: 1 }
        : { previous: before[0], after: after!, sequence: before[1] }),
    };
  });

describe('a cover', () => {
  test('whatever it says is read back as it was written, byte for byte, and says which pieces it names', () => {
    fc.assert(
      fc.property(anyCover, (unsigned) => {
        const { key, bytes } = encodeCover(unsigned, privateKey);
        const cover = decodeCover(bytes, key);
        expect(cover).toMatchObject({ ...unsigned, writer: publicKey });
        expect(coverBytes(cover)).toEqual(Buffer.from(bytes));
        expect(parseKey(key)).toMatchObject({ type: 'cover', id: cover.id, start: cover.first, end: cover.last });
        for (const [start, end, piece] of cover.pieces) {
          const span = spanOf(cover, start, end);
          expect(parseKey(logKey(span, piece))).toEqual({ type: 'log', id: piece, ...span });
        }
      }),
    );
  });

  test('is refused where anything of it was changed, or where it lies under another name', () => {
    const damaged = expect.objectContaining({ code: 'cover-damaged' });
    fc.assert(
      fc.property(anyCover, anyCover, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, other, at, flip) => {
        const [cover, second] = [encodeCover(one, privateKey), encodeCover(other, privateKey)];
        const odd = Buffer.from(cover.bytes);
        odd[at % odd.length]! ^= flip;
        expect(() => decodeCover(odd, cover.key)).toThrow(damaged);
        if (cover.key !== second.key) expect(() => decodeCover(cover.bytes, second.key)).toThrow(damaged);
      }),
    );
  });

  test('junk is refused, not taken and not tripped over', () => {
    const sound = encodeCover(fc.sample(anyCover, 1)[0]!, privateKey);
    fc.assert(
      fc.property(changed(sound.bytes), (bytes) => {
        if (sha256Hex(bytes) === sha256Hex(sound.bytes)) return;
        expect(() => decodeCover(bytes, sound.key)).toThrow(expect.objectContaining({ code: 'cover-damaged' }));
      }),
    );
  });

  test('no other text is the key of a piece or a cover', () => {
    const hex = 'a'.repeat(64);
    const folder = `harbor/app-db/${'1'.repeat(32)}/74500-1`;
    const [start, end] = ['0'.repeat(16), 'f'.repeat(16)];
    const ulid = newUlid(1, randomBytes);
    for (const key of [
      `logs/${folder}/${end}-${start}-${hex}.age`,
      `logs/${folder}/${start}-${start}-${hex}.age`,
      `logs/${folder}/${start}-${end}-${ulid}.json`,
      `covers/${folder}/${start}-${end}-${hex}.age`,
      `covers/${folder}/${start}-${end}-${ulid}.json/x`,
      `logs/${folder}-01/${start}-${end}-${hex}.age`,
      `logs/../app-db/${'1'.repeat(32)}/74500-1/${start}-${end}-${hex}.age`,
      `logs/${folder}/${start}-${end.toUpperCase()}-${hex}.age`,
    ]) {
      expect(parseKey(key), key).toBeUndefined();
    }
    expect(parseKey(`logs/${folder}/${start}-${end}-${hex}.age`)).toMatchObject({ type: 'log', id: hex });
    expect(parseKey(`covers/${folder}/${start}-${end}-${ulid}.json`)).toMatchObject({ type: 'cover', id: ulid });
  });
});
