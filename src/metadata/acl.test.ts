import { expect, test } from 'vitest';
import { ACCESS, groupBits, listedIds, withIds } from './acl.ts';

/** As the kernel keeps it: tag, rights, number. */
function acl(...entries: readonly (readonly [number, number, number])[]): string {
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2);
  for (const [at, [tag, rights, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + at * 8);
    bytes.writeUInt16LE(rights, 6 + at * 8);
    bytes.writeUInt32LE(id, 8 + at * 8);
  }
  return bytes.toString('latin1');
}

const none = 0xffff_ffff;
const list = {
  [ACCESS]: acl([1, 6, none], [2, 6, 33], [2, 4, 1000], [4, 0, none], [8, 4, 50], [16, 6, none], [32, 0, none]),
};

test('the owning group has its own rights, not the mask', () => {
  expect(groupBits(list)).toBe(0);
  expect(groupBits({ 'user.a': 'x' })).toBe(7);
  expect(groupBits(undefined)).toBe(7);
});

test('one that cannot be read gives the group nothing', () => {
  for (const odd of ['', 'x', list[ACCESS]!.slice(0, -1), `\x01${list[ACCESS]!.slice(1)}`]) {
    expect(groupBits({ [ACCESS]: odd })).toBe(0);
    expect(withIds({ [ACCESS]: odd }, { uid: () => 1, gid: () => 1 })).toEqual({ [ACCESS]: odd });
  }
});

test('users and groups that it names become those that they are here, in order again', () => {
  expect(listedIds(list)).toEqual({ uids: [33, 1000], gids: [50] });
  const here = withIds(list, { uid: (id) => (id === 33 ? 2000 : id), gid: () => 51 });
  expect(here[ACCESS]).toBe(
    acl([1, 6, none], [2, 4, 1000], [2, 6, 2000], [4, 0, none], [8, 4, 51], [16, 6, none], [32, 0, none]),
  );
});
