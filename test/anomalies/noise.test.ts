import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../examples/harbor/random.ts';
import { lossWords, type Measured, rowsOf, samplesOf, weigh } from '../../src/core/anomalies.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Expectations, Holds } from '../../src/core/expectations.ts';
import { startRun } from '../../src/core/run.ts';
import { filesSource } from '../../src/sources/files/source.ts';
import type { Source } from '../../src/sources/source.ts';
import { expectationsOf } from '../../src/sources/sqlite/row-checksums.ts';
import { temporaryFolder } from '../support/temp.ts';

const run = startRun({ clock: systemClock });
const random = seededRandom(7);
const any = (text: string) => text[Math.floor(random.next() * text.length)]!;
const bytes = (size: number) => Buffer.from(Array.from({ length: size }, () => Math.floor(random.next() * 256)));
const base64 = (text: string) => bytes(Math.max(6, text.length)).toString('base64');
/** As long, and of the same kinds of characters. */
const alike = (text: string) =>
  text.replace(/[a-zA-Z0-9]/g, (one) =>
    /\d/.test(one)
      ? any('0123456789')
      : any(/[a-z]/.test(one) ? 'abcdefghijklmnopqrstuvwxyz' : 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'),
  );
const words = ['harbour', 'ledger', 'winter', 'copper', 'meadow', 'signal', 'thunder', 'orchard', 'velvet', 'granite'];
const sentence = () => Array.from({ length: 6 }, () => words[Math.floor(random.next() * words.length)]!).join(' ');

const point = (id: string, expectations: Expectations): Measured => ({
  ...{ id, timeMs: 0, bytes: 100_000_000, entries: 1 },
  rows: rowsOf(expectations),
  samples: samplesOf(expectations),
});

async function expectationsOfFiles(source: Source): Promise<Expectations> {
  await using capture = await source.capture(run);
  for await (const _ of capture.entries);
  return (await capture.finish()).expectations!;
}

/** Whether it is sound, or what is said of it. */
function said(points: readonly Measured[], holds: Holds): string {
  const weighed = weigh(points, points[0]!.id, { holds, mayBeEmpty: false, mayShrink: [] });
  return weighed.state === 'lost' ? lossWords(weighed) : weighed.state;
}

describe('M4: rows that are there, and others', () => {
  function shop(): DatabaseSync {
    const database = new DatabaseSync(':memory:');
    database.exec(
      `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT, note TEXT, seen TEXT);
       CREATE TABLE invoices (number TEXT PRIMARY KEY, user INTEGER, cents INTEGER, text TEXT);
       CREATE TABLE rates (code TEXT PRIMARY KEY, rate REAL, at TEXT);
       CREATE TABLE events (id INTEGER PRIMARY KEY, what TEXT, at TEXT);
       CREATE TABLE pairs (a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;`,
    );
    const user = database.prepare('INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)');
    const invoice = database.prepare('INSERT INTO invoices VALUES (?, ?, ?, ?)');
    const event = database.prepare('INSERT INTO events VALUES (?, ?, ?)');
    const pair = database.prepare('INSERT INTO pairs VALUES (?, ?)');
    for (let at = 1; at <= 600; at++) {
      user.run(
        at,
        `Anna ${words[at % 10]}`,
        `anna.${at}@example.com`,
        `+49 30 ${100_000 + at}`,
        sentence(),
        '2026-01-01',
      );
      invoice.run(`INV-${at}`, at, 100 * at, sentence());
      event.run(at, `user ${at} signed in`, `2026-01-01 10:${at % 60}`);
      pair.run(at, at * 7);
    }
    const rate = database.prepare('INSERT INTO rates VALUES (?, ?, ?)');
    for (let at = 0; at < 100; at++) rate.run(`c${at}`, at / 3, '2026-01-01');
    database.function('noise', (text) => bytes(String(text).length + 4));
    database.function('base64', (text) => base64(String(text)));
    database.function('alike', (text) => alike(String(text)));
    return database;
  }

  function afterwards(...changes: readonly string[]): string {
    using database = shop();
    const before = point('proved', expectationsOf(database).expectations);
    const points = changes.map((sql, at) => {
      database.exec(sql);
      return point(`${at}`, expectationsOf(database).expectations);
    });
    return said([before, ...points], 'tables');
  }

  test.each([
    [
      'plain noise',
      'UPDATE users SET name = noise(name), email = noise(email), note = noise(note)',
      /noise now: users/,
    ],
    ['base64', 'UPDATE invoices SET text = base64(text)', /noise now: invoices \(text\)/],
    [
      'base64 of seven rows of ten',
      'UPDATE users SET note = base64(note) WHERE id % 10 < 7',
      /noise now: users \(note\)/,
    ],
    [
      'digits for digits and letters for letters',
      'UPDATE users SET name = alike(name), email = alike(email), phone = alike(phone), note = alike(note)',
      /rewritten: users \(name, email, phone/,
    ],
    [
      'noise in every row, little by little',
      Array.from({ length: 9 }, (_, at) => `UPDATE invoices SET text = alike(text) WHERE rowid % 9 = ${at}`),
      /rewritten: invoices/,
    ],
    [
      'other rows, with other keys, that are noise',
      "DELETE FROM invoices; INSERT INTO invoices SELECT base64('abcdef') || id, id, 1, base64(note) FROM users",
      /noise now: invoices/,
    ],
    [
      'everything under other keys',
      'UPDATE users SET id = id + 9000; UPDATE invoices SET number = alike(number || rowid); UPDATE events SET id = id + 9000',
      /rows are others: /,
    ],
    [
      'a table under another name, of noise',
      'CREATE TABLE locked AS SELECT id, alike(name) AS name, base64(note) AS note FROM users; DROP TABLE users',
      /users had 600 rows and has 0/,
    ],
    ['texts that became bytes', 'UPDATE invoices SET text = CAST(noise(text) AS BLOB)', /noise now: invoices/],
  ])('are told: %s', (_what, sql, told) => {
    expect(afterwards(...[sql].flat())).toMatch(told);
  });

  test.each([
    ['nothing happened but VACUUM and REINDEX', 'DELETE FROM events WHERE id < 60; VACUUM; REINDEX'],
    [
      'a column came, was filled, and another took another name',
      "ALTER TABLE users ADD COLUMN locale TEXT; UPDATE users SET locale = 'de'; ALTER TABLE users RENAME COLUMN note TO remark",
    ],
    ['a column went', 'ALTER TABLE users DROP COLUMN phone'],
    [
      'a table was made anew with its columns in another order',
      'CREATE TABLE n (id INTEGER PRIMARY KEY, note TEXT, name TEXT, email TEXT); INSERT INTO n SELECT id, note, name, email FROM users; DROP TABLE users; ALTER TABLE n RENAME TO users',
    ],
    [
      'times, counters and prices changed in all rows',
      "UPDATE users SET seen = '2026-02-02'; UPDATE invoices SET cents = cents * 3 / 2",
    ],
    [
      'addresses are written small, phones without spaces',
      "UPDATE users SET email = upper(email), phone = replace(phone, ' ', '')",
    ],
    ['events of today stand for those of yesterday', "UPDATE events SET id = id + 5000, at = '2026-02-02'"],
    [
      'three times as much',
      'INSERT INTO users SELECT id + 1000, name, email, phone, note, seen FROM users; INSERT INTO users SELECT id + 5000, name, email, phone, note, seen FROM users',
    ],
  ])('are none where %s', (_what, sql) => {
    expect(afterwards(sql)).toBe('sound');
  });
});

describe('M4: files that are there, and others', () => {
  interface Uploads {
    readonly folder: string;
    names(): string[];
    each(change: (content: Buffer, name: string) => Buffer): void;
  }

  async function uploads(change: (of: Uploads) => void): Promise<string> {
    const folder = await temporaryFolder();
    for (let at = 0; at < 60; at++) {
      fs.writeFileSync(join(folder, `letter ${at}.txt`), `Invoice ${at} of 2026\n${sentence()}\n${sentence()}\n`);
      fs.writeFileSync(join(folder, `photo ${at}.jpg`), Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), bytes(9000)]));
    }
    fs.mkdirSync(join(folder, 'log'));
    for (let at = 0; at < 60; at++) fs.writeFileSync(join(folder, `log/app.${at}.log`), sentence().repeat(at + 1));
    const names = () =>
      fs
        .readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((one) => one.isFile())
        .map((one) => join(one.parentPath, one.name));
    const source = filesSource({
      name: 'uploads',
      path: folder,
      exclude: [],
      defaultExcludes: false,
      oneFileSystem: true,
      xattrs: false,
    });
    const measured = async (id: string) => point(id, await expectationsOfFiles(source));
    const before = await measured('proved');
    change({
      folder,
      names,
      each: (how) => {
        for (const name of names()) fs.writeFileSync(name, how(fs.readFileSync(name), name));
      },
    });
    return said([before, await measured('now')], 'files');
  }

  test.each<[string, (of: Uploads) => void, RegExp]>([
    ['encrypted where they lie', ({ each }) => each((content) => bytes(content.length + 16)), /noise now: files/],
    [
      'encrypted under other names',
      ({ names }) => {
        for (const name of names()) {
          fs.writeFileSync(`${name}.locked`, bytes(fs.statSync(name).size));
          fs.rmSync(name);
        }
      },
      /noise now: files/,
    ],
    [
      'base64',
      ({ each }) => each((content) => Buffer.from(bytes(content.length).toString('base64'))),
      /noise now: files/,
    ],
    [
      'digits for digits, letters for letters, and pictures that only begin as such',
      ({ each }) =>
        each((content, name) =>
          name.endsWith('.jpg')
            ? Buffer.concat([content.subarray(0, 4), bytes(content.length - 4)])
            : Buffer.from(alike(content.toString())),
        ),
      /rewritten: files/,
    ],
    [
      'in the middle of each',
      ({ each }) =>
        each((content) => {
          bytes(content.length >> 1).copy(content, content.length >> 2);
          return content;
        }),
      /noise now|rewritten/,
    ],
  ])('are told: %s', async (_what, change, told) => {
    expect(await uploads(change)).toMatch(told);
  });

  test.each<[string, (of: Uploads) => void]>([
    [
      'ten thousand new photographs came',
      ({ folder }) => {
        fs.mkdirSync(join(folder, 'new'));
        for (let at = 0; at < 10_000; at++)
          fs.writeFileSync(
            join(folder, `new/${at}.jpg`),
            Buffer.from(`ffd8ff${at.toString(16).padStart(8, '0')}`, 'hex'),
          );
      },
    ],
    [
      'logs were rotated',
      ({ folder }) => {
        for (let at = 60; at > 0; at--)
          fs.renameSync(join(folder, `log/app.${at - 1}.log`), join(folder, `log/app.${at}.log`));
      },
    ],
    [
      'pictures were made smaller by another program',
      ({ each }) =>
        each((content, name) =>
          name.endsWith('.jpg') ? Buffer.concat([content.subarray(0, 4), bytes(5000)]) : content,
        ),
    ],
    [
      'all lie in another folder, and have another time',
      ({ folder, names }) => {
        fs.mkdirSync(join(folder, 'old'));
        for (const name of names()) fs.renameSync(name, join(folder, 'old', name.split('/').at(-1)!));
      },
    ],
    [
      'texts grew',
      ({ each }) =>
        each((content, name) => (name.endsWith('.jpg') ? content : Buffer.concat([content, Buffer.from(sentence())]))),
    ],
  ])('are none where %s', async (_what, change) => {
    expect(await uploads(change)).toBe('sound');
  });
});
