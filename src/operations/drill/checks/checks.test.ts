import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import fc from '../../../../test/support/fast-check.ts';
import type { Expectations, TableExpectation } from '../../../core/expectations.ts';
import type { RestorePoint } from '../../../vault/vault.ts';
import { checkAge } from './age.ts';
import { checkExpectations } from './expectations.ts';
import { isWhatItsNameSays, unknownType } from './file-types.ts';
import { readTime } from './freshness.ts';
import { checkGaps } from './gaps.ts';
import { startPathSet } from './path-set.ts';

function recorded(...tables: TableExpectation[]): Expectations {
  return { algorithm: 'sqlite-rowtext-1', tables };
}

describe('expectations', () => {
  const orders = { table: 'orders', rows: 3, checksum: 'abc' };

  test('pass only when they are equal', () => {
    const anyTables = fc.uniqueArray(
      fc.record({
        table: fc.constantFrom('a', 'b', 'c', 'd'),
        rows: fc.integer({ min: 0, max: 2 }),
        checksum: fc.constantFrom('x', 'y'),
      }),
      { selector: ({ table }) => table },
    );
    fc.assert(
      fc.property(anyTables, anyTables, (want, have) => {
        const sort = (tables: TableExpectation[]) => [...tables].sort((a, b) => (a.table < b.table ? -1 : 1));
        const equal = JSON.stringify(sort(want)) === JSON.stringify(sort(have));
        expect(checkExpectations(recorded(...want), recorded(...have), {}).verdict).toBe(equal ? 'pass' : 'fail');
      }),
    );
  });

  test('that are absent are no pass, and no reason is made up for them', () => {
    const finding = checkExpectations(undefined, undefined, {
      expectationsAbsent: 'the backup was taken by an older version.',
    });
    expect(finding).toMatchObject({ verdict: 'skip', looked: 0 });
    expect(finding.reason).toBeUndefined();
    expect(finding.message).toContain('older version');
  });

  test('made in another way are not compared', () => {
    const other = { algorithm: 'sqlite-rowtext-2', tables: [orders] };
    expect(checkExpectations(recorded(orders), other, {})).toMatchObject({ verdict: 'fail', looked: 0 });
  });

  test('of tables without a checksum say that they compare counts alone', () => {
    const bare = { table: 'orders', rows: 3, reason: 'no text form' };
    const finding = checkExpectations(recorded(bare), recorded(orders), {});
    expect(finding).toMatchObject({ verdict: 'pass', message: expect.stringMatching(/1 of them by count alone/) });
  });

  test('of nothing pass with nothing, and say that this is right', () => {
    expect(checkExpectations(recorded(), recorded(), {})).toMatchObject({
      verdict: 'pass',
      looked: 0,
      emptyIsRight: true,
    });
    const drafts = { table: 'drafts', rows: 0 };
    expect(checkExpectations(recorded(drafts, orders), recorded(orders, drafts), {}).emptyIsRight).toBe(false);
  });
});

describe('the age of a restore point', () => {
  const nowMs = Date.UTC(2026, 10, 20, 12);
  const point = (ageMs: number) =>
    ({ record: { dataset: 'app-db', time: new Date(nowMs - ageMs).toISOString() } }) as RestorePoint;
  const minute = 60_000;

  test('may be the RPO and the length of a running backup, not more', () => {
    const verdict = (ageMs: number, rpoMs: number) => checkAge(point(ageMs), rpoMs, nowMs, undefined).verdict;
    expect(verdict(15 * minute, 15 * minute)).toBe('pass');
    expect(verdict(18 * minute, 15 * minute)).toBe('pass');
    expect(verdict(19 * minute, 15 * minute)).toBe('fail');
    expect(verdict(24.9 * 60 * minute, 24 * 60 * minute)).toBe('pass');
    expect(verdict(25.1 * 60 * minute, 24 * 60 * minute)).toBe('fail');
    // A clock that is wrong does not make a restore point old.
    expect(verdict(-minute, minute)).toBe('pass');
  });

  test('does not matter where a moment was chosen, and that is written down', () => {
    expect(checkAge(point(99 * 60 * minute), minute, nowMs, nowMs)).toMatchObject({
      verdict: 'skip',
      reason: 'a moment was chosen for this drill',
    });
  });
});

test('drill-01: what could not be read when it was backed up is a fault; what was left out is none', () => {
  const of = (problems: Record<string, number>) =>
    checkGaps({ record: { dataset: 'uploads', problems } } as unknown as RestorePoint);
  expect(of({})).toBeUndefined();
  expect(of({ 'other-file-system': 1, 'link-leads-out': 2, 'role-passwords-absent': 1 })).toBeUndefined();
  expect(of({ 'file-unreadable': 2, 'folder-unreadable': 1, 'link-leads-out': 1 })).toMatchObject({
    verdict: 'fail',
    looked: 3,
    message: expect.stringContaining('2 files that could not be read, 1 folder that could not be listed'),
  });
});

describe('the type of a file', () => {
  const is = (name: string, bytes: Uint8Array | string) => {
    const all = Buffer.from(bytes as string, 'latin1');
    return isWhatItsNameSays(name, { head: all, tail: all, sizeBytes: all.length });
  };
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  );

  test('is taken from its bytes', () => {
    expect(is('a.pdf', '%PDF-1.7\nbody\n%%EOF\n')).toBe(true);
    expect(is('a.pdf', '%PDF-1.7\ncut in the mid')).toBe(false);
    expect(is('a.PNG', png)).toBe(true);
    expect(is('a.png', png.subarray(0, 40))).toBe(false);
    expect(is('a.jpg', png)).toBe(false);
    expect(is('a.jpeg', Buffer.from('ffd8ffe000104a46', 'hex'))).toBe(true);
    expect(is('a.gz', gzipSync('x'))).toBe(true);
    expect(is('a.zip', gzipSync('x'))).toBe(false);
    expect(is('a.docx', Buffer.from(`504b0506${'00'.repeat(18)}`, 'hex'))).toBe(true);
    expect(is('a.webp', 'RIFF\x04\0\0\0WEBP')).toBe(true);
    expect(is('a.webp', 'RIFF\xff\0\0\0WEBP')).toBe(false);
    expect(is('a.gif', 'GIF89a…')).toBe(true);
    expect(is('no ending', '')).toBe(true);
  });

  test('drill-05: is no page that a server gave instead of the file', () => {
    const page = '\ufeff <!DOCTYPE html><html><body>502 Bad Gateway</body></html>';
    for (const type of ['csv', 'tsv', 'json', 'xml', 'svg', 'avif', 'webm', 'psd', 'wav', '7z', 'rtf'])
      expect(is(`a.${type}`, Buffer.from(page)), type).toBe(false);
    expect(is('a.svg', '<?xml version="1.0"?>\n<!-- x --><svg xmlns="…">')).toBe(true);
    expect(is('a.json', ' [1]')).toBe(true);
    expect(is('a.csv', 'a;b\n')).toBe(true);
    expect(is('a.xml', Buffer.from('\ufeff<feed>', 'utf16le'))).toBe(true);
    expect(['a.txt', 'a.BIN', 'a', 'a.pdf', 'x.constructor'].map(unknownType)).toEqual([
      ...['.txt', '.bin', 'without an ending', undefined, '.constructor'],
    ]);
  });

  test('is never an exception, however short or wild the bytes', () => {
    const name = fc.constantFrom('a.pdf', 'a.png', 'a.webp', 'a.bmp', 'a.zip', 'a.gz', 'a.mp3', 'a.mp4', 'a.tiff');
    fc.assert(
      fc.property(name, fc.uint8Array({ maxLength: 40 }), (file, bytes) => {
        expect(typeof isWhatItsNameSays(file, { head: bytes, tail: bytes, sizeBytes: bytes.length })).toBe('boolean');
      }),
    );
  });
});

describe('a time that a query gives', () => {
  test('is read as databases print it', () => {
    const at = Date.UTC(2026, 10, 17, 10, 12, 13);
    for (const text of [
      '2026-11-17T10:12:13Z',
      '2026-11-17 10:12:13',
      '2026-11-17 10:12:13+00',
      '2026-11-17 11:12:13+01',
      '2026-11-17 15:42:13+05:30',
      '2026-11-17T05:12:13-0500',
      String(at / 1000),
      String(at),
    ]) {
      expect(readTime(text), text).toBe(at);
    }
    expect(readTime('2026-11-17 10:12:13.123456+00')).toBe(at + 123);
    expect(readTime('2026-11-17')).toBe(Date.UTC(2026, 10, 17));
  });

  test('is nothing else', () => {
    for (const text of ['', 'yesterday', '2026-13-45', '17.11.2026', '2026-11-17 25:00:00']) {
      expect(readTime(text), text).toBeUndefined();
    }
  });
});

test('a set of paths knows each path once, also past its first size', () => {
  const set = startPathSet();
  for (let round = 0; round < 2; round++) for (let at = 0; at < 5000; at++) set.add(`a/${at}.pdf`);
  expect(set.size()).toBe(5000);
  for (let at = 0; at < 5000; at++) expect(set.has(`a/${at}.pdf`)).toBe(true);
  expect(set.has('a/5000.pdf')).toBe(false);
  expect(startPathSet().has('a')).toBe(false);
});
