import { expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { canonicalJson } from './canonical-json.ts';

test('writes keys in order of UTF-16 code units and nothing that could be left out', () => {
  // The order of RFC 8785, section 3.2.3.
  const keys = ['€', '\r', '\ufb33', '1', '😀', '\u0080', 'ö'];
  const object = Object.fromEntries(keys.map((key, at) => [key, at]));
  expect(canonicalJson(object)).toBe('{"\\r":1,"1":3,"\u0080":5,"ö":6,"€":0,"😀":4,"\ufb33":2}');
  expect(canonicalJson([null, true, -0, 'a"\u001f/', {}, [], { b: 1, a: [2] }])).toBe(
    '[null,true,0,"a\\"\\u001f/",{},[],{"a":[2],"b":1}]',
  );
});

test('is JSON that reads back as the same value, and one text for one value', () => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'grapheme' }),
      fc.maxSafeInteger().map((number) => number + 0),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(JSON.parse(text))).toBe(text);
      expect(JSON.parse(text)).toEqual(value);
    }),
  );
});

test('refuses what has no one text', () => {
  const deep = Array.from({ length: 100 }).reduce((inner) => [inner], 0);
  const refused = [0.5, Number.NaN, 2 ** 53, undefined, 1n, new Date(0), new Map(), () => 0, Symbol('x'), '\ud800'];
  for (const value of [
    ...refused,
    ...refused.map((inner) => ({ inner })),
    [undefined],
    new Array(1),
    deep,
    { '\udfff': 1 },
  ]) {
    expect(() => canonicalJson(value)).toThrow(TypeError);
  }
});
