import { expect, test } from 'vitest';
import { defineError, receivedError, sentError } from './errors.ts';

const full = defineError({
  code: 'test-shelf-full',
  about: 'place',
  exit: 1,
  say: (fact: { shelf: string; freeBytes: number }) => `Shelf ${fact.shelf} is full.`,
  hint: () => 'Take another.',
});

test('an error carries what its sentence was made of', () => {
  const error = full({ shelf: 'A\nB', freeBytes: 0 });
  expect(error).toMatchObject({ message: 'Shelf A B is full.', about: 'place', facts: { shelf: 'A B', freeBytes: 0 } });
  expect(full.is(error) && error.facts.freeBytes).toBe(0);
});

test('house-4.2: what a thread reports is the same error on the other side, and an errno stays one', () => {
  const cross = (error: unknown) => receivedError(structuredClone(sentError(error)));
  const error = cross(full({ shelf: 'A', freeBytes: 0 }));
  expect(full.is(error)).toBe(true);
  expect(error).toMatchObject({ exit: 1, about: 'place', hint: 'Take another.', facts: { shelf: 'A' } });
  expect(cross(Object.assign(new Error('No room'), { code: 'ENOSPC' }))).toMatchObject({ code: 'ENOSPC' });
  expect(cross('odd')).toMatchObject({ message: 'odd' });
});
