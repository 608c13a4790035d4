import { describe, expect, test } from 'vitest';
import { type PackHandle, type Place, pendingContent, resolve } from './places.ts';

const [a, b] = ['aa', 'bb'].map((half) => half.repeat(32)) as [string, string];
const place = (pack: PackHandle | undefined, offset: number, length: number): Place => ({ pack, offset, length });

describe('places become extents', () => {
  test('once their pack is sealed, in order, neighbours joined', () => {
    const open: PackHandle = { id: undefined };
    const content = pendingContent();
    content.places.push(place({ id: a }, 0, 5), place({ id: a }, 5, 5), place(open, 0, 7), place({ id: a }, 10, 1));
    expect(resolve(content)).toBe(false);
    expect(content.extents).toEqual([{ pack: a, offset: 0, length: 10 }]);
    open.id = b;
    // All have a place, yet the content may go on.
    expect(resolve(content)).toBe(false);
    content.layout = [4];
    expect(resolve(content)).toBe(true);
    expect(content.extents).toEqual([
      { pack: a, offset: 0, length: 10 },
      { pack: b, offset: 0, length: 7 },
      { pack: a, offset: 10, length: 1 },
    ]);
  });

  test('with the holes between them where they were, however early it was tried', () => {
    const content = pendingContent(true);
    content.places.push(place({ id: a }, 0, 5), place({ id: a }, 5, 5));
    expect(resolve(content)).toBe(false);
    content.places.push(place({ id: b }, 3, 2));
    content.layout = [1, 100, 2, 50];
    expect(resolve(content)).toBe(true);
    expect(content.extents).toEqual([
      { pack: a, offset: 0, length: 5 },
      { pack: null, offset: 0, length: 100 },
      { pack: a, offset: 5, length: 5 },
      { pack: b, offset: 3, length: 2 },
      { pack: null, offset: 0, length: 50 },
    ]);
  });

  test('of a content of holes alone, and of none', () => {
    const hole = Object.assign(pendingContent(true), { layout: [0, 4096] });
    expect([resolve(hole), hole.extents]).toEqual([true, [{ pack: null, offset: 0, length: 4096 }]]);
    const empty = Object.assign(pendingContent(), { layout: [] });
    expect([resolve(empty), empty.extents]).toEqual([true, []]);
  });
});
