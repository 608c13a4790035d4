import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readThreats } from './support/threats.ts';

const root = resolve(import.meta.dirname, '..');

test('every test that docs/threats.md names is there under this name; test/support/threats.ts sees it run', () => {
  const { named } = readThreats();
  const quoted = (title: string) => ["'", '"', '`'].map((quote) => `${quote}${title}${quote}`);
  const missing = named.filter(({ file, title }) => {
    const path = join(root, file);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return !quoted(title).some((words) => text.includes(words));
  });
  expect(missing).toEqual([]);
});

test('every cell of its table names tests, or says that it shows or promises none', () => {
  const { named, cells } = readThreats();
  const numbers = new Set(named.map(({ number }) => number));
  const used = new Set<string>();
  const wrong = cells.filter((cell) => {
    if (/^(not shown|no promise|it can|it can: .+|–)$/.test(cell)) return false;
    const words = cell.split(', ');
    for (const word of words) used.add(word);
    return !words.every((word) => numbers.has(word));
  });
  expect(cells.length).toBeGreaterThan(50);
  expect(wrong).toEqual([]);
  expect([...numbers].filter((number) => !used.has(number))).toEqual([]);
  expect(named.map(({ number }) => number)).toEqual(named.map((_, at) => String(at + 1)));
});
