import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { startRowSample } from './row-sample.ts';

const columns = ['a', 'b', 'c'];

function sampleOf(rows: readonly string[], primary: readonly string[], cuts: readonly number[] = []) {
  const bytes = Buffer.from(`${rows.map((row) => `${row}\n`).join('')}\\.\n\n\nnothing\tof\tit\n`);
  const sample = startRowSample(columns, primary, (name) => name);
  const places = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])].sort((x, y) => x - y);
  for (const [at, from] of places.entries()) if (at + 1 < places.length) sample.add(bytes, from, places[at + 1]!);
  return sample.sample();
}

/** As docs/vault-format.md says it. */
function hash(text: string): string {
  const mask = 0xffffffffn;
  let h = 0x811c9dc5n;
  for (const byte of Buffer.from(text)) h = ((h ^ BigInt(byte)) * 0x01000193n) & mask;
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & mask;
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & mask;
  return (h ^ (h >> 16n)).toString(16).padStart(8, '0');
}

describe('the sample of a table', () => {
  test('is what the page says, whatever the key, and wherever the bytes are cut', () => {
    const field = fc.stringMatching(/^[ -~é]{0,9}$/).map((text) => text.replaceAll('\\', ''));
    const row = fc.tuple(field, field, field);
    const keys = fc.constantFrom(['a'], ['b'], ['c', 'a'], []);
    fc.assert(
      fc.property(fc.array(row, { maxLength: 90 }), keys, fc.array(fc.nat()), (rows, primary, cuts) => {
        const places = (primary.length === 0 ? ['a'] : primary).map((name) => columns.indexOf(name));
        const keyOf = (one: readonly string[]) =>
          hash(places.length === 1 ? one[places[0]!]! : places.map((at) => `${one[at]}\t`).join(''));
        const found = sampleOf(
          rows.map((one) => one.join('\t')),
          primary,
          cuts,
        );
        const all = [...new Set(rows.map(keyOf))].sort();
        const kept = all.slice(0, 64);
        const alone = kept.filter((key) => rows.filter((one) => keyOf(one) === key).length === 1);
        expect(found.rows.map((text) => text.slice(0, 8))).toEqual(alone);
        expect(found.until).toBe(all.length > 64 ? kept.at(-1) : undefined);
        for (const text of found.rows) {
          const one = rows.find((candidate) => keyOf(candidate) === text.slice(0, 8))!;
          const cells = text.slice(8).match(/.{5}/g)!;
          for (const [at, value] of one.entries()) {
            expect(cells[at]!.slice(0, 3)).toBe(hash(value).slice(0, 3));
            expect(cells[at]![4]).toBe((value === '' ? 0 : Buffer.byteLength(value).toString(2).length).toString(36));
          }
        }
      }),
    );
  });

  test('tells no value, bytes, digits, words and noise apart', () => {
    const looks = (value: string) => sampleOf([`1\t${value}\t`], ['a']).rows[0]?.[8 + 5 + 3];
    expect(looks('\\N')).toBe('-');
    expect(looks('\\\\x0102')).toBe('x');
    expect(looks('2026-01-01 10:00:00+00')).toBe('d');
    expect(looks('anna@example.com writes')).toBe('w');
    expect(looks(Buffer.from('qwertz uiopü asdfgh').toString('base64'))).toBe('z');
  });

  test('has no row of a key that several rows have', () => {
    expect(sampleOf(['1\tx\ty', '1\tx\ty', '2\tx\ty'], ['a']).rows).toHaveLength(1);
  });
});
