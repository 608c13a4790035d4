import { expect, test } from 'vitest';
import { isSoundRescue, rescueObject } from './rescue-script.ts';

const script = Buffer.from('#!/bin/sh\necho restored\n');

test('a stored rescue script knows whether it is whole', () => {
  const object = rescueObject(script);
  expect(isSoundRescue(object)).toBe(true);
  expect(isSoundRescue(script)).toBe(false);
});

test('any changed bit shows', () => {
  const object = rescueObject(script);
  for (let bit = 0; bit < object.length * 8; bit++) {
    const changed = Uint8Array.from(object);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    expect(isSoundRescue(changed), `bit ${bit}`).toBe(false);
  }
});
