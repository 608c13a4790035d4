import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { LifeboatError } from '../core/errors.ts';
import { isShareText, parseShare, type Share, shareCode, shareLines } from './share.ts';
import { sheetHtml, sheetText } from './sheet.ts';
import { combineShares, type NamedShare, splitSecret } from './split.ts';

const print = 'ab'.repeat(12);
const madeMs = Date.UTC(2026, 10, 21, 1, 2);
const facts = { system: 'harbor <&>', recipient: 'age1example', holder: 'Ada "L"', vouched: [] };

const splitInto = (secret: Uint8Array, shares = 5, threshold = 3) =>
  splitSecret(secret, { shares, threshold, print: `${print}ff`, madeMs }, randomBytes);
const named = (shares: readonly Share[]): NamedShare[] =>
  shares.map((share) => ({ name: `sheet ${share.number}`, share }));
const fitsTo = (secret: Uint8Array) => async (found: Uint8Array, wanted: string) =>
  wanted === print && Buffer.compare(found, secret) === 0;

/** Every choice of `size` of `items`. */
function choices<Item>(items: readonly Item[], size: number): Item[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, at) => choices(items.slice(at + 1), size - 1).map((rest) => [item, ...rest]));
}

describe('a split secret', () => {
  test('comes back from any shares that are enough, in any order and number', async () => {
    const secret = randomBytes(32);
    const shares = named(await splitInto(secret));
    for (const size of [3, 4, 5]) {
      for (const chosen of choices(shares, size)) {
        expect(Buffer.compare(await combineShares(chosen.reverse(), fitsTo(secret)), secret)).toBe(0);
      }
    }
  });

  test('for any numbers that make sense', async () => {
    const sizes = fc
      .integer({ min: 2, max: 32 })
      .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 2, max: n })));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), sizes, async (secret, [total, threshold]) => {
        const shares = named(await splitInto(secret, total, threshold));
        const found = await combineShares(shares.slice(-threshold), fitsTo(secret));
        expect(Buffer.compare(found, secret)).toBe(0);
      }),
      { numRuns: 20 },
    );
  });

  test('is not told by fewer shares than are needed: every secret is as likely', async () => {
    // With the threshold at 2, one share's byte is uniform whatever the secret: 16 bins of 4096 bytes, far from a real skew.
    const bins = new Array<number>(16).fill(0);
    for (let round = 0; round < 128; round++) {
      const [share] = await splitInto(new Uint8Array(32), 2, 2);
      for (const byte of share!.points.subarray(0, 32)) bins[byte >> 4]!++;
    }
    for (const count of bins) expect(Math.abs(count - 256)).toBeLessThan(110);
  });

  test('is split anew each time: shares of two splittings do not fit', async () => {
    const secret = randomBytes(32);
    const [one, other] = [await splitInto(secret), await splitInto(secret)];
    const mixed = named([one[0]!, one[1]!, other[2]!]);
    await expect(combineShares(mixed, fitsTo(secret))).rejects.toMatchObject({
      code: 'shares-mixed',
      message: expect.stringContaining('sheet 3'),
    });
  });

  test.for([
    [1, 1],
    [5, 1],
    [3, 4],
    [33, 2],
    [Number.NaN, 2],
    [5, 2.5],
  ] as const)('is never split into %d with %d needed', async ([shares, threshold]) => {
    await expect(splitInto(randomBytes(32), shares, threshold)).rejects.toMatchObject({ code: 'split-impossible' });
  });
});

describe('shares that do not give the secret', () => {
  test('too few say how many more, and which there are', async () => {
    const secret = randomBytes(32);
    const [first, , , fourth] = named(await splitInto(secret));
    await expect(combineShares([first!, fourth!, first!], fitsTo(secret))).rejects.toMatchObject({
      code: 'shares-too-few',
      message: expect.stringContaining('only shares 1, 4 came; any 3 of 5'),
      hint: expect.stringContaining('1 more of these: 2, 3, 5'),
    });
  });

  test('one that somebody made up is named when there is one more than needed, and never passes', async () => {
    const secret = randomBytes(32);
    const shares = await splitInto(secret);
    const forged = {
      ...shares[1]!,
      points: Uint8Array.from(shares[1]!.points, (byte, at) => (at === 3 ? byte ^ 1 : byte)),
    };
    const [one, , three, four] = named(shares);
    const bad = { name: 'the forged sheet', share: forged };
    await expect(combineShares([one!, bad, three!], fitsTo(secret))).rejects.toMatchObject({ code: 'shares-unfit' });
    for (const given of [
      [one!, bad, three!, four!],
      [one!, three!, four!, bad],
      [bad, one!, three!, four!],
    ]) {
      await expect(combineShares(given, fitsTo(secret))).rejects.toMatchObject({
        code: 'shares-unfit',
        message: expect.stringContaining('the forged sheet'),
      });
    }
    await expect(combineShares([bad, ...named(shares)], fitsTo(secret))).rejects.toMatchObject({
      code: 'share-damaged',
    });
  });
});

describe('a sheet', () => {
  const texts = (share: Share) => [
    sheetText(share, facts),
    sheetHtml(share, facts),
    shareCode(share),
    shareLines(share)
      .map((line, at) => `${at + 1}. ${line}`)
      .join('\r\n'),
    sheetText(share, facts).toLowerCase().replaceAll('lifeboat share', 'LIFEBOAT SHARE'),
  ];

  test('is read back from its text, its HTML, its code, and from lines typed in any way', async () => {
    for (const share of await splitInto(randomBytes(32))) {
      for (const text of texts(share)) {
        expect(isShareText(text) || /^1\./.test(text)).toBe(true);
        expect(parseShare(text, 'sheet')).toEqual(share);
      }
    }
  });

  test('has lines of six groups of four that a person can type, none longer than 29 signs', async () => {
    const [share] = await splitInto(randomBytes(32));
    expect(shareLines(share!)).toHaveLength(5);
    for (const line of shareLines(share!)) expect(line).toMatch(/^([0-9A-HJKMNP-TV-Z]{4} ){5}[0-9A-HJKMNP-TV-Z]{4}$/);
  });

  test('finds any single wrong sign, and names its line; two neighbours swapped too', async () => {
    const [share] = await splitInto(randomBytes(32));
    const lines = shareLines(share!);
    const write = (changed: readonly string[]) => changed.map((line, at) => `${at + 1}: ${line}`).join('\n');
    for (const [number, line] of lines.entries()) {
      for (let at = 0; at < line.length; at++) {
        if (line[at] === ' ') continue;
        const others = ['0', 'Z', line[at + 1] ?? '7'].filter((sign) => sign !== line[at] && sign !== ' ');
        for (const sign of others) {
          const wrong = lines.with(number, line.slice(0, at) + sign + line.slice(at + 1));
          expect(failureOf(() => parseShare(write(wrong), 'sheet 2'))).toMatchObject({
            code: 'share-damaged',
            message: expect.stringContaining(`sheet 2, line ${number + 1}`),
          });
        }
      }
    }
    const swapped = [lines[1]!, lines[0]!, ...lines.slice(2)];
    expect(failureOf(() => parseShare(write(swapped), 's'))).toMatchObject({
      message: expect.stringContaining('line 1'),
    });
  });

  test('that lacks a line, or has lines of two shares, says so', async () => {
    const [one, two] = (await splitInto(randomBytes(32))).map((share) => sheetText(share, facts));
    const without = one!.replace(/^ {2}4: .*\n/m, '');
    expect(failureOf(() => parseShare(without, 's'))).toMatchObject({ message: 's, line 4: the line is missing.' });
    const short = one!.replace(/^( {2}4: .*)....$/m, '$1');
    expect(failureOf(() => parseShare(short, 's'))).toMatchObject({
      message: expect.stringContaining('line 4: it has 20'),
    });
    const fourth = /^ {2}4: .*$/m.exec(two!)![0];
    expect(failureOf(() => parseShare(one!.replace(/^ {2}4: .*$/m, fourth), 's'))).toMatchObject({
      message: 's: its lines do not belong together.',
    });
    expect(failureOf(() => parseShare('nothing', 's'))).toMatchObject({ message: 's: it holds no share.' });
    const odd = one!.replace(/^( {2}4: )./m, '$1U');
    expect(failureOf(() => parseShare(odd, 's'))).toMatchObject({ message: "s, line 4: 'U' is not used in shares." });
  });

  test('never fails but with a code, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const error = failureOf(() => parseShare(`1: ${text}\nLIFEBOAT-SHARE-1:${text}`, 's'));
        expect(error).toBeInstanceOf(LifeboatError);
      }),
      { numRuns: 60 },
    );
  });

  test('as HTML loads nothing, runs nothing, and holds names as text', async () => {
    const [share] = await splitInto(randomBytes(32));
    const html = sheetHtml(share!, facts);
    expect(html).not.toMatch(/<script|<link|<img|src=|href=|url\(|harbor <|"L"</);
    expect(html).toContain('harbor &#60;&#38;&#62;');
    expect(html).toContain('<svg');
  });
});

function failureOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
