import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { namesHere, ownersHere } from './owners.ts';

/** Any account of this host that is not root's. */
const [name, , id] = readFileSync('/etc/passwd', 'utf8')
  .split('\n')
  .map((line) => line.split(':'))
  .find(([, , uid]) => uid !== '0') as [string, string, string];
const free = 3_999_999_999;
const groups = {};

test('names stand beside numbers, where the host knows them', async () => {
  const found = await namesHere({ uids: new Set([0, Number(id), free]), gids: new Set([0]) });
  expect(found).toEqual({ users: { 0: 'root', [id]: name }, groups: { 0: 'root' } });
});

test('files/20: who has another number here gets what is theirs by name, and that is said', async () => {
  const owners = await ownersHere({ users: { [free]: name, 0: 'root' }, groups }, false);
  expect([owners.uid(free), owners.uid(0), owners.uid(7)]).toEqual([Number(id), 0, 7]);
  expect(owners.problems()).toEqual([
    {
      code: 'owner-differs',
      message: `The user ${name} has number ${id} here and had ${free}: what was theirs belongs to ${name} again.`,
    },
  ]);
});

test('files/20: by number when asked, and then whose that is here is said', async () => {
  const owners = await ownersHere({ users: { [free]: name }, groups }, true);
  expect(owners.uid(free)).toBe(free);
  expect(owners.problems()[0]?.message).toContain(`belongs to number ${free}, which no user here has, as asked.`);
});

test('files/20: a name that nobody has here leaves the number, and whose it is here is said', async () => {
  const owners = await ownersHere({ users: { [id]: 'nobody-of-that-name' }, groups }, false);
  expect(owners.uid(Number(id))).toBe(Number(id));
  expect(owners.problems()[0]?.message).toBe(
    `There is no user nobody-of-that-name here: what was theirs belongs to number ${id}, which is ${name} here.`,
  );
});

test('nothing is said of owners that were not met, and odd names are names of nobody', async () => {
  const owners = await ownersHere(
    { users: { [free]: '-h', [free - 1]: 'a:b', [free - 2]: '0', 5: '' }, groups },
    false,
  );
  expect(owners.problems()).toEqual([]);
  expect([free, free - 1, free - 2].map(owners.uid)).toEqual([free, free - 1, free - 2]);
});
