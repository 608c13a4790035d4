import { expect, test } from 'vitest';
import { inWords } from './words.ts';

test('every kind of entry is told in plain words, and what is not known is shown as it is', () => {
  const told = (kind: string, body: Record<string, unknown>) => inWords(kind, body);
  expect(told('prune', { step: 'mark', generation: 3, removed: ['a', 'b'], retired: ['c'] })).toBe(
    '2 restore points marked to go; 1 writer will not write again',
  );
  expect(told('prune', { step: 'sweep', destinations: { one: { records: 1, objects: 12, bytes: 2048 } } })).toBe(
    '12 objects (2.0 KiB) removed from one',
  );
  expect(told('pin', { action: 'pin', point: 'P', reason: 'a lawsuit', until: '2027-01-01T00:00:00.000Z' })).toBe(
    'P pinned until 2027-01-01T00:00Z: a lawsuit',
  );
  expect(told('pin', { action: 'unpin', point: 'P' })).toBe('P is no longer pinned');
  const accept = {
    action: 'accept',
    system: 's',
    dataset: 'app-db',
    code: 'data-lost',
    point: 'P',
    reason: 'moved',
    until: null,
  };
  const sizes = { before: { bytes: 2048, entries: 1 }, now: { bytes: 0, entries: 1 } };
  expect(told('accept', { ...accept, ...sizes })).toBe(
    'app-db: data-lost accepted with P (0 B, 2.0 KiB before): moved',
  );
  expect(told('accept', { ...accept, action: 'withdraw', entries: ['E'] })).toBe(
    'app-db: data-lost is no longer accepted',
  );
  expect(told('erase', { points: ['P'], count: 1 })).toBe('1 restore point erased before their time: P');
  expect(told('lock', { destinations: [{ destination: 'one', objects: 9, extended: 4, until: null }] })).toBe(
    '4 locks extended at one',
  );
  expect(told('key', { action: 'rotated', added: ['0123456789abcdef'], removed: ['fedcba9876543210'] })).toBe(
    '01234567 added, fedcba98 removed',
  );
  expect(told('key', { action: 'admitted', admitted: ['0123456789abcdef'] })).toBe(
    '01234567 let in to what was stored before',
  );
  const strange = { anything: [1, { else: null }] };
  for (const kind of [
    'backup',
    'restore',
    'drill',
    'key',
    'prune',
    'pin',
    'accept',
    'erase',
    'lock',
    'configuration',
    'new',
  ]) {
    expect(told(kind, strange), kind).toContain('anything');
  }
});
