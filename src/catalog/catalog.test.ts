import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../core/clock.ts';
import { openCatalog } from './open.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeboat-catalog-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = () => openCatalog(folder, { clock: systemClock, random: randomBytes });

describe('the catalog', () => {
  test('remembers runs with their steps and problems, newest first', () => {
    using catalog = open();
    const first = catalog.begin({ operation: 'backup', dataset: 'app-db', startedMs: 1000 });
    catalog.begin({ operation: 'verify', startedMs: 2000 });
    const ended = {
      endedMs: 1500,
      outcome: 'failed',
      errorCode: 'destination-full',
      errorMessage: 'Full.',
      restorePoint: '01X',
      steps: [
        { step: 'inspect', elapsedMs: 1.5 },
        { step: 'store', elapsedMs: 400 },
      ],
      problems: [{ code: 'file-unreadable', message: 'a' }],
    } as const;
    catalog.end(first, ended);
    expect(catalog.runs()).toEqual([
      { id: expect.any(String), operation: 'verify', startedMs: 2000, state: 'running' },
      { id: first, operation: 'backup', dataset: 'app-db', startedMs: 1000, state: 'failed', ...ended },
    ]);
    expect(catalog.runs({ operation: 'backup', dataset: 'app-db' })).toHaveLength(1);
    expect(catalog.runs({ dataset: 'other' })).toHaveLength(0);
    expect(catalog.runs({ limit: 1 })).toHaveLength(1);
  });

  test.each([
    ['a run whose process is gone without a word has vanished', () => '999999999-1'],
    ['house-5: so has one whose number another process has now, as in a container', () => `${process.pid}-1`],
  ])('%s', (_, tag) => {
    using catalog = open();
    catalog.begin({ operation: 'backup', startedMs: 1 });
    expect(catalog.runs()[0]?.state).toBe('running');
    using database = new DatabaseSync(join(folder, 'catalog.sqlite'));
    database.prepare('UPDATE run SET process = ?').run(tag());
    expect(catalog.runs()[0]?.state).toBe('vanished');
  });

  test('a destination is in trouble since the first failure in a row, and a success ends it', () => {
    using catalog = open();
    const down = { code: 'destination-unreachable', message: 'No answer.' };
    catalog.noteDestination({ name: 'nas', seenMs: 1000 });
    catalog.noteDestination({ name: 'nas', seenMs: 2000, trouble: down });
    catalog.noteDestination({ name: 'nas', seenMs: 3000, trouble: { ...down, message: 'Still none.' } });
    catalog.noteDestination({ name: 'new', seenMs: 3000, trouble: down });
    expect(catalog.destinations()).toEqual([
      { name: 'nas', seenMs: 3000, goodMs: 1000, trouble: { ...down, message: 'Still none.', sinceMs: 2000 } },
      { name: 'new', seenMs: 3000, trouble: { ...down, sinceMs: 3000 } },
    ]);
    catalog.noteDestination({ name: 'nas', seenMs: 4000 });
    catalog.noteDestination({ name: 'nas', seenMs: 5000, trouble: down });
    expect(catalog.destinations()[0]).toMatchObject({ goodMs: 4000, trouble: { sinceMs: 5000 } });
  });

  test('verification goes round until every part had its turn, then begins with the oldest', () => {
    using catalog = open();
    const seen: number[] = [];
    for (let turn = 0; turn < 7; turn++) {
      const part = catalog.nextPart('vault', 5);
      seen.push(part);
      catalog.verified({ vault: 'vault', part, parts: 5, verifiedMs: 1000 + turn, ok: part !== 3 });
      if (turn === 3) expect(catalog.rotation('vault')).toEqual({ sound: 3, damaged: [3], parts: 5 });
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 1, 2]);
    expect(catalog.rotation('vault')).toEqual({ sound: 4, damaged: [3], parts: 5, completeSinceMs: 1002 });
    expect(catalog.rotation('another')).toBeUndefined();
    expect(catalog.nextPart('vault', 4)).toBe(1);
    expect(catalog.nextPart('another', 5)).toBe(1);
  });

  test('keeps all of it when it is opened again', () => {
    {
      using catalog = open();
      catalog.begin({ operation: 'backup', startedMs: 1 });
    }
    using catalog = open();
    expect(catalog.recovered).toBeUndefined();
    expect(catalog.runs()).toHaveLength(1);
  });

  test.each([
    ['garbage', () => writeFileSync(join(folder, 'catalog.sqlite'), 'x'.repeat(5000))],
    [
      'a damaged first page',
      () => {
        open()[Symbol.dispose]();
        const file = join(folder, 'catalog.sqlite');
        const bytes = readFileSync(file);
        writeFileSync(file, bytes.fill(0xaa, 100, 2000));
      },
    ],
    [
      'a catalog of another version',
      () => {
        const database = new DatabaseSync(join(folder, 'catalog.sqlite'));
        database.exec('PRAGMA user_version = 99; CREATE TABLE future (x)');
        database.close();
      },
    ],
  ])('%s is moved aside, said so, and a new one begun', (_, damage) => {
    damage();
    using catalog = open();
    expect(catalog.recovered?.code).toBe('catalog-moved-aside');
    catalog.begin({ operation: 'backup', startedMs: 1 });
    expect(catalog.runs()).toHaveLength(1);
    expect(readdirSync(folder).some((name) => name.startsWith('catalog.sqlite.aside-'))).toBe(true);
  });

  test('a folder that cannot be made is an error that says that restoring does not need it', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => openCatalog(join(folder, 'file/state'), { clock: systemClock, random: randomBytes })).toThrow(
      expect.objectContaining({ code: 'catalog-unavailable', hint: expect.stringContaining('does not need it') }),
    );
    mkdirSync(join(folder, 'is-a-folder/catalog.sqlite'), { recursive: true });
    expect(() => openCatalog(join(folder, 'is-a-folder'), { clock: systemClock, random: randomBytes })).toThrow(
      expect.objectContaining({ code: 'catalog-unavailable' }),
    );
  });
});
