import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { newUlid } from '../../core/ulid.ts';
import {
  announcementKey,
  endorsementKey,
  generationKey,
  indexKey,
  isTime,
  ledgerKey,
  manifestKey,
  packKey,
  parseKey,
  snapshotKey,
} from './keys.ts';

const id = 'ab'.repeat(32);
const ulid = newUlid(1_700_000_000_000, randomBytes);
const writer = 'cd'.repeat(16);

describe('object keys', () => {
  test('are built and parsed, each by its type', () => {
    const cases: [string, object][] = [
      ['vault.json', { type: 'vault' }],
      ['rescue.sh', { type: 'rescue' }],
      [packKey(id), { type: 'pack', id }],
      [manifestKey(id), { type: 'manifest', id }],
      [indexKey(writer, ulid), { type: 'index', writer, id: ulid }],
      [
        snapshotKey('shop', 'app-db', '2026-11-21T00:10:14.123Z', ulid),
        { type: 'snapshot', system: 'shop', dataset: 'app-db', time: '2026-11-21T00:10:14.123Z', id: ulid },
      ],
      [generationKey(12), { type: 'generation', generation: 12 }],
      [ledgerKey(ulid), { type: 'ledger', id: ulid }],
      [announcementKey(writer, ulid), { type: 'announcement', writer, id: ulid }],
      [endorsementKey(writer, ulid), { type: 'endorsement', endorser: writer, id: ulid }],
    ];
    for (const [key, parsed] of cases) {
      expect(parseKey(key)).toEqual(parsed);
      // What every destination takes: see the port.
      expect(key).toMatch(/^[A-Za-z0-9][A-Za-z0-9._:+-]*(\/[A-Za-z0-9][A-Za-z0-9._:+-]*)*$/);
    }
    expect(packKey(id)).toBe(`packs/ab/${id}.age`);
  });

  test('of anything else are not ours: nothing strange is ever pruned or read', () => {
    const strange = [
      '',
      '/',
      'vault.json/',
      `packs/aa/${id}.age`,
      `packs/ab/${id}`,
      `packs/ab/${id}.age/x`,
      `packs/ab/${id.toUpperCase()}.age`,
      `packs/ab/${id}.age.tmp`,
      `snapshots/x/20261121T001014.123Z-${ulid}.json`,
      `snapshots/x/x/x/20261121T001014.123Z-${ulid}.json`,
      `snapshots/../x/20261121T001014.123Z-${ulid}.json`,
      `snapshots/x/.x/20261121T001014.123Z-${ulid}.json`,
      `snapshots/x/x/20260230T001014.123Z-${ulid}.json`,
      'gc/01.json',
      'gc/-1.json',
      `endorsements/${ulid}.json`,
      `endorsements/${writer}/${ulid}.age`,
      `logs/app/x/${ulid}`,
      `format/${ulid}.json`,
      'format/2.json',
    ];
    for (const key of strange) expect(parseKey(key), key).toBeUndefined();
    fc.assert(
      fc.property(fc.string(), (key) => parseKey(key) === undefined || key === 'vault.json' || key === 'rescue.sh'),
    );
  });

  test('are not built from names that would leave their folder', () => {
    expect(() => snapshotKey('x', '../x', '2026-11-21T00:10:14.123Z', ulid)).toThrow(TypeError);
    expect(() => snapshotKey('x', 'x', '2026-11-21', ulid)).toThrow(TypeError);
    expect(() => snapshotKey('a/b', 'x', '2026-11-21T00:10:14.123Z', ulid)).toThrow(TypeError);
    expect(() => packKey('../../x')).toThrow(TypeError);
    expect(() => indexKey('..', ulid)).toThrow(TypeError);
    expect(() => endorsementKey('..', ulid)).toThrow(TypeError);
    expect(() => announcementKey('..', ulid)).toThrow(TypeError);
    expect(() => generationKey(0.5)).toThrow(TypeError);
    expect(isTime('2026-11-21T24:00:00.000Z')).toBe(false);
  });
});
