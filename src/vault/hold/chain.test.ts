import { expect, test } from 'vitest';
import { chainGaps, type Link } from './chain.ts';

const link = (writer: string, hash: string, previous: string | null, more: Partial<Link> = {}): Link => ({
  ...{ key: `snapshots/${hash}`, hash, record: { writer, previous } },
  ...more,
});
const none = new Set<string>();

test('a name that no record has is a gap of the writer that names it', () => {
  const links = [link('a', '1', null), link('a', '3', '2'), link('b', '9', null)];
  expect(chainGaps(links, none)).toEqual([{ key: 'snapshots/3', writer: 'a', previous: '2' }]);
});

test('what was removed is no gap, nor what a stranger says was before it', () => {
  const strange = { strange: true };
  expect(chainGaps([link('a', '3', '2'), link('c', '8', '7', strange)], new Set(['2']))).toEqual([]);
});

test('a record that its writer made for a system that it is not known for fills the chain of those that it is known for', () => {
  const links = [link('a', '1', null), link('a', '2', '1', { strange: true }), link('a', '3', '2')];
  expect(chainGaps(links, none)).toEqual([]);
});
