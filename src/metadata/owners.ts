import type { Problem } from '../core/run.ts';
import { runCommand } from '../process/run.ts';

/** Names of users and groups by their numbers, as the host knew them where they were recorded. */
export interface OwnerNames {
  readonly users: Readonly<Record<string, string>>;
  readonly groups: Readonly<Record<string, string>>;
}

/** Whose entries are here. */
export interface Owners {
  /** The number to use for one that was recorded. */
  uid(recorded: number): number;
  gid(recorded: number): number;
  /** Of those that were asked for: whose number or name is another one here. */
  problems(): Problem[];
}

/** More users and groups than a host has accounts are numbers of a mistake. */
const MOST = 10_000;
/** A directory service that does not answer must not hold up a backup. */
const DEADLINE_MS = 15_000;
const PER_CALL = 500;

type Database = 'passwd' | 'group';

/** Names of these numbers here; those without one are not in it. */
export async function namesHere(ids: {
  readonly uids: ReadonlySet<number>;
  readonly gids: ReadonlySet<number>;
}): Promise<OwnerNames> {
  const named = async (database: Database, numbers: ReadonlySet<number>) =>
    Object.fromEntries((await looked(database, [...numbers].map(String))).map(({ name, id }) => [id, name]));
  const [users, groups] = await Promise.all([named('passwd', ids.uids), named('group', ids.gids)]);
  return { users, groups };
}

/** Everything by its number, as one who is not root restores: they can give nothing away. */
export const byNumber: Owners = { uid: (id) => id, gid: (id) => id, problems: () => [] };

/**
 * Finds out what the recorded names are here. By default an entry goes to who has its owner's name here, and to the number where nobody
 * has it; with `numbers` always to the number. Whatever differs is said.
 */
export async function ownersHere(recorded: OwnerNames | undefined, numbers: boolean): Promise<Owners> {
  if (recorded === undefined) return byNumber;
  const [users, groups] = await Promise.all([
    accountsHere('passwd', recorded.users),
    accountsHere('group', recorded.groups),
  ]);
  const used = { users: new Set<number>(), groups: new Set<number>() };
  const idOf = (accounts: Accounts, asked: Set<number>) => (id: number) => {
    asked.add(id);
    const name = accounts.recorded[id];
    return (numbers || name === undefined ? undefined : accounts.ids.get(name)) ?? id;
  };
  return {
    uid: idOf(users, used.users),
    gid: idOf(groups, used.groups),
    problems: () => [
      ...[...used.users].flatMap((id) => differs('user', users, id, numbers)),
      ...[...used.groups].flatMap((id) => differs('group', groups, id, numbers)),
    ],
  };
}

interface Accounts {
  readonly recorded: Readonly<Record<string, string>>;
  /** Here. */
  readonly ids: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
}

async function accountsHere(database: Database, recorded: Readonly<Record<string, string>>): Promise<Accounts> {
  // What is only digits would be looked up as a number.
  const wanted = Object.values(recorded).filter((name) => !/^\d+$/.test(name));
  // The numbers last: of two names that share one, the host's answer to the number stays.
  const here = await looked(database, [...wanted, ...Object.keys(recorded)]);
  return {
    recorded,
    ids: new Map(here.map(({ name, id }) => [name, id])),
    names: new Map(here.map(({ name, id }) => [id, name])),
  };
}

function differs(kind: 'user' | 'group', { recorded, ids, names }: Accounts, id: number, numbers: boolean): Problem[] {
  const name = recorded[id];
  const here = name === undefined ? undefined : ids.get(name);
  if (name === undefined || here === id) return [];
  const whose = names.get(id);
  const now = whose === undefined ? `which no ${kind} here has` : `which is ${whose} here`;
  const message =
    here === undefined
      ? `There is no ${kind} ${name} here: what was theirs belongs to number ${id}, ${now}.`
      : numbers
        ? `The ${kind} ${name} has number ${here} here and had ${id}: what was theirs belongs to number ${id}, ${now}, as asked.`
        : `The ${kind} ${name} has number ${here} here and had ${id}: what was theirs belongs to ${name} again.`;
  return [{ code: 'owner-differs', message }];
}

async function looked(database: Database, keys: readonly string[]): Promise<{ name: string; id: number }[]> {
  const found: { name: string; id: number }[] = [];
  for (let from = 0; from < Math.min(keys.length, MOST); from += PER_CALL) {
    const asked = keys.slice(from, from + PER_CALL).filter((key) => !/[\0\n:]/.test(key) && key !== '');
    try {
      // 2: not all of them are there.
      const how = { okExitCodes: [0, 2], deadlineMs: DEADLINE_MS, dieWithUs: false };
      const { stdout } = await runCommand('getent', [database, '--', ...asked], how);
      for (const line of stdout.toString('utf8').split('\n')) {
        const [name = '', , id = ''] = line.split(':');
        if (name !== '' && /^\d+$/.test(id)) found.push({ name, id: Number(id) });
      }
    } catch {
      // Without names, numbers are all that is known, as on a host without getent.
      return found;
    }
  }
  return found;
}
