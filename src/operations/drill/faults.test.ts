import { expect, test } from 'vitest';
import { destinationUnreachable } from '../../destinations/errors.ts';
import { workFolderTooSmall } from '../../sources/sqlite/errors.ts';
import { contentDamaged, noDestination, targetFull } from '../../vault/errors.ts';
import { isFaultOfThePlace } from './faults.ts';

test('house-4.2: a full disk on the host of a drill is no verdict on the backup, and damage always is one', () => {
  const why = 'No space left on device';
  const full = [
    targetFull({ why }),
    workFolderTooSmall({ folder: '/tmp', neededBytes: 2, freeBytes: 1 }),
    Object.assign(new Error(why), { code: 'ENOSPC' }),
  ];
  for (const error of full) {
    expect(isFaultOfThePlace(error), error.message).toBe(true);
    expect(isFaultOfThePlace(new Error('outer', { cause: error }))).toBe(true);
  }
  const damaged = contentDamaged({ what: 'A pack', why: 'it was cut short' });
  expect(isFaultOfThePlace(damaged)).toBe(false);
  // What no destination could give: what they said of it counts.
  expect(isFaultOfThePlace(noDestination({ why }, { cause: damaged }))).toBe(false);
  const away = destinationUnreachable({ destination: 'nas', location: '/nas', why });
  expect(isFaultOfThePlace(noDestination({ why }, { cause: away }))).toBe(true);
});
