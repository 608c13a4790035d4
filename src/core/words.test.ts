// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the holes of templates are what is tested

import { describe, expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { meets, parseCondition } from './condition.ts';
import { dayMs, formatDuration, hourMs, minuteMs, parseDuration, roughDuration } from './duration.ts';
import { formatMoment, parseMoment } from './moment.ts';
import { intervalFor, standing } from './objectives.ts';
import { formatSize, parseSize } from './size.ts';
import { fillTemplate, variablesOf } from './template.ts';

describe('durations', () => {
  test.each([
    ['90s', 90_000],
    ['15m', 15 * minuteMs],
    ['1h 30m', 90 * minuteMs],
    ['1h30m', 90 * minuteMs],
    ['30 days', 30 * dayMs],
    ['2 Weeks', 14 * dayMs],
    ['0.5 h', 30 * minuteMs],
    ['250ms', 250],
  ])('%s is understood', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(['', '15', 'm', '1 month', '15 m and', '-5m', '5m-', '1e9 days', '99999999999 weeks', 'ago', '1,5h'])(
    '%j is refused with what to write instead',
    (text) => {
      expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'duration-invalid' }));
    },
  );

  test.each([
    [240_000, '4 min'],
    [401_000, '6 min 41 s'],
    [3 * dayMs, '3 days'],
    [dayMs, '1 day'],
    [dayMs + 3 * hourMs, '1 day 3 h'],
    [2 * hourMs + 5 * minuteMs + 30_000, '2 h 5 min'],
    [hourMs + 3000, '1 h'],
    [350, '350 ms'],
    [1400, '1.4 s'],
    [9999, '9.9 s'],
    [59_999, '59 s'],
    [0, '0 ms'],
  ])('%d ms reads %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  test.each([
    [401_000, '7 min'],
    [100 * minuteMs, '2 h'],
    [80 * minuteMs, '80 min'],
    [50 * hourMs, '2 days'],
    [900, '1 s'],
    [300, 'under 1 s'],
  ])('%d ms is roughly %s', (ms, text) => expect(roughDuration(ms)).toBe(text));

  test('what is shown can be read again, and never says more than there was', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 5000 * dayMs }), (ms) => {
        const back = parseDuration(formatDuration(ms));
        expect(back).toBeLessThanOrEqual(ms);
        expect(back).toBeGreaterThan(ms * 0.9 - 1000);
      }),
    );
  });
});

describe('sizes', () => {
  test.each([
    ['2 GiB', 2 * 1024 ** 3],
    ['500 MB', 500e6],
    ['64KiB', 65_536],
    ['1024', 1024],
    ['1.5 kib', 1536],
  ])('%s is understood', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each(['', 'GiB', '2 G B', '-1 MB', '9999999999 PiB', '1 KiBi'])('%j is refused', (text) => {
    expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'size-invalid' }));
  });

  test.each([
    [0, '0 B'],
    [812, '812 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1024 * 1024 - 1, '1.0 MiB'],
    [1.44 * 1024 ** 3, '1.4 GiB'],
    [230 * 1024 ** 2, '230 MiB'],
  ])('%d bytes read %s', (bytes, text) => expect(formatSize(bytes)).toBe(text));
});

describe('moments', () => {
  const now = Date.UTC(2026, 10, 20, 12);

  test.each([
    ['2026-11-17T10:12:00Z', Date.UTC(2026, 10, 17, 10, 12)],
    ['2026-11-17 10:12 UTC', Date.UTC(2026, 10, 17, 10, 12)],
    ['2026-11-17 11:12+01:00', Date.UTC(2026, 10, 17, 10, 12)],
    ['2026-11-17 11:12:30.5 +0100', Date.UTC(2026, 10, 17, 10, 12, 30, 500)],
    ['2026-11-17T05:12-05', Date.UTC(2026, 10, 17, 10, 12)],
    ['10 minutes ago', now - 10 * minuteMs],
    ['1h 30m ago', now - 90 * minuteMs],
  ])('%s is understood', (text, ms) => expect(parseMoment(text, now)).toBe(ms));

  test('latest is the newest restore point', () => expect(parseMoment('latest', now)).toBe('latest'));

  test.each(['2026-11-17T10:12:00', '2026-11-17 10:12'])('B20: the bare local time %s is refused', (text) => {
    expect(() => parseMoment(text, now)).toThrow(/no offset/);
  });

  test.each([
    '2026-11-17',
    '2026-02-30T10:00Z',
    '2026-11-17T25:00Z',
    '2026-11-17T10:00+15:00',
    'yesterday',
    '10:12',
    '',
  ])('%j is refused', (text) =>
    expect(() => parseMoment(text, now)).toThrow(expect.objectContaining({ code: 'moment-invalid' })),
  );

  test('reads as a day and time in UTC, with the year only when it is another', () => {
    expect(formatMoment(Date.UTC(2026, 10, 17, 10, 12), now)).toBe('Tue 17 Nov 10:12 UTC');
    expect(formatMoment(Date.UTC(2025, 0, 3, 9, 5), now)).toBe('Fri 3 Jan 2025 09:05 UTC');
    expect(formatMoment(Number.NaN, now)).toBe('an unknown time');
  });
});

describe('conditions', () => {
  test.each<[unknown, string]>([
    [42, '= 42'],
    ['42', '=42'],
    [42n, '>= 42'],
    ['42.00', '= 42'],
    [9_007_199_254_740_993n, '> 9007199254740992'],
    [-1.5, '< -1'],
    ['paid', '= paid'],
    ['paid', '= "paid"'],
    ['open', '!= paid'],
    [null, '!= paid'],
    [5, 'between 1 and 9'],
    ['2026-11-17', 'between 2026-01-01 and 2026-12-31'],
    ['x', 'not empty'],
    [0, 'not empty'],
    [null, 'empty'],
    ['', 'empty'],
    [[], 'empty'],
    ['OK, ready', 'matches /^ok/i'],
    [true, '= true'],
    [new Date(0), '= 1970-01-01T00:00:00.000Z'],
  ])('%o meets %s', (value, text) => expect(meets(value, parseCondition(text))).toBe(true));

  test.each<[unknown, string]>([
    [41, '= 42'],
    [9_007_199_254_740_992n, '> 9007199254740992'],
    ['abc', '> 5'],
    ['abc', '= 5'],
    [null, '= 0'],
    [null, '>= 0'],
    [undefined, 'not empty'],
    ['', 'not empty'],
    [[], 'not empty'],
    [10, 'between 1 and 9'],
    ['nok', 'matches /^ok/'],
    [null, 'matches /.*/'],
    [Number.NaN, '>= 0'],
  ])('%o does not meet %s', (value, text) => expect(meets(value, parseCondition(text))).toBe(false));

  test.each(['', '42', '=', '~ 4', 'between 1', 'matches ok', 'matches /(/', 'between and'])(
    '%j is refused',
    (text) => {
      expect(() => parseCondition(text)).toThrow(expect.objectContaining({ code: 'condition-invalid' }));
    },
  );

  test('integers compare as integers, however large', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt(), (a, b) => {
        expect(meets(a, parseCondition(`>= ${b}`))).toBe(a >= b);
        expect(meets(String(a), parseCondition(`< ${b}`))).toBe(a < b);
      }),
    );
  });
});

describe('templates', () => {
  const values = (name: string) => ({ PORT: '8080', EMPTY: '' })[name];

  test.each([
    ['http://x:${PORT}/', 'http://x:8080/'],
    ['${HOST:-localhost}:${PORT:-1}', 'localhost:8080'],
    ['${HOST:-}', ''],
    ['[${EMPTY:-no}]', '[]'],
    ['$${PORT} $PORT $', '${PORT} $PORT $'],
    ['${not a name}', '${not a name}'],
    ['', ''],
  ])('%s', (text, filled) => expect(fillTemplate(text, values)).toBe(filled));

  test('a variable that is not set is an error that names it', () => {
    expect(() => fillTemplate('x ${NOPE}', values)).toThrow(/\$\{NOPE\} is not set/);
    expect(variablesOf('${A} ${B:-x} ${A} $${C}')).toEqual(['A', 'B']);
  });
});

describe('objectives', () => {
  test.each([
    [15 * minuteMs, 5 * minuteMs],
    [hourMs, 30 * minuteMs],
    [dayMs, 12 * hourMs],
    [30 * dayMs, dayMs],
    [minuteMs, minuteMs],
  ])('an RPO of %d ms means a backup every %d ms', (rpo, every) => expect(intervalFor(rpo)).toBe(every));

  test('a slow backup begins sooner', () => expect(intervalFor(hourMs, 25 * minuteMs)).toBe(15 * minuteMs));

  test('one failed backup is mended within the objective, whatever that is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2 * minuteMs, max: 365 * dayMs }), (rpo) => {
        expect(intervalFor(rpo) * 2).toBeLessThanOrEqual(rpo);
      }),
    );
  });

  test('a restore point older than the objective misses it; one from the future is not a gain', () => {
    expect(standing(1000, 500, 1400)).toEqual({ kind: 'met', lossMs: 400 });
    expect(standing(1000, 500, 1501)).toEqual({ kind: 'missed', lossMs: 501 });
    expect(standing(9000, 500, 1400)).toEqual({ kind: 'met', lossMs: 0 });
    expect(standing(undefined, 500, 1400)).toEqual({ kind: 'nothing' });
  });
});
