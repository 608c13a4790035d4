import { isDeepStrictEqual } from 'node:util';
import type { Measurement } from '../source.ts';
import type { Connection } from './connection.ts';
import { type DatabaseFacts, queryFacts } from './facts.ts';
import { globalsOf, isOfMasters } from './globals.ts';
import { withoutUnknownSettings } from './target.ts';

/** Differences that are named; further ones are counted. */
const named = 5;

/** What a restore brings back of a database besides its dump: its own rights and settings, and the roles that it needs. */
export async function compareSurroundings(
  connection: Connection,
  recorded: DatabaseFacts,
): Promise<Measurement['integrity'][number]> {
  const { facts: wanted } = await withoutUnknownSettings(connection, recorded);
  const found = await queryFacts(connection);
  const names = wanted.globals.roles.map(({ name }) => name);
  const globals = await globalsOf(connection, names);
  const differences = [
    ...ofDatabase(wanted, found),
    ...ofSettings(wanted.settings, found.settings),
    ...ofRoles(wanted, globals),
    ...ofSettings(wanted.globals.settings, globals.settings),
  ];
  const looked = 1 + wanted.settings.length + wanted.globals.roles.length + wanted.globals.settings.length;
  const more = differences.length > named ? `; and ${differences.length - named} more` : '';
  const detail = differences.length === 0 ? 'as recorded' : differences.slice(0, named).join('; ') + more;
  return { name: 'roles and settings', ok: differences.length === 0, looked, detail };
}

const ofItself = ['owner', 'encoding', 'collate', 'ctype', 'localeProvider', 'locale', 'icuRules'] as const;

function ofDatabase(wanted: DatabaseFacts, found: Found): string[] {
  const others = [...ofItself, 'connectionLimit' as const, 'isTemplate' as const, 'comment' as const].filter(
    (what) => wanted[what] !== found[what],
  );
  const rights = isDeepStrictEqual(rightsOf(wanted), rightsOf(found)) ? [] : ['rights'];
  return [...others, ...rights].map((what) => `the database has another ${words[what] ?? what}`);
}

type Found = Awaited<ReturnType<typeof queryFacts>>;

const words: Readonly<Record<string, string>> = {
  collate: 'LC_COLLATE',
  ctype: 'LC_CTYPE',
  localeProvider: 'locale provider',
  icuRules: 'set of ICU rules',
  connectionLimit: 'connection limit',
  isTemplate: 'mark of a template',
  rights: 'list of who may do what',
};

/** Those of a new database are not written down, and the same. */
function rightsOf({ privileges, owner }: Pick<DatabaseFacts, 'privileges' | 'owner'>): string[] {
  const all = ['CREATE', 'CONNECT', 'TEMPORARY'];
  const standing = [
    ...all.slice(1).map((privilege) => ({ grantee: '', privilege, grantable: false })),
    ...all.map((privilege) => ({ grantee: owner, privilege, grantable: false })),
  ];
  return (privileges ?? standing)
    .map(({ grantee, privilege, grantable }) =>
      JSON.stringify([grantee, privilege.replace(/^TEMP$/, 'TEMPORARY'), grantable]),
    )
    .sort();
}

function ofSettings(wanted: DatabaseFacts['settings'], found: DatabaseFacts['settings']): string[] {
  const keyOf = ({ role, name }: DatabaseFacts['settings'][number]) => JSON.stringify([role, name]);
  const there = new Map(found.map((one) => [keyOf(one), one]));
  const differences: string[] = [];
  for (const one of wanted) {
    const has = there.get(keyOf(one));
    there.delete(keyOf(one));
    const whose = one.role === '' ? 'the database' : `role ${one.role}`;
    if (has === undefined) differences.push(`the setting ${one.name} of ${whose} is missing`);
    else if (has.value !== one.value) differences.push(`the setting ${one.name} of ${whose} is another`);
  }
  for (const { role, name } of there.values())
    differences.push(`the setting ${name} of ${role === '' ? 'the database' : `role ${role}`} was not recorded`);
  return differences;
}

/** What makes a role the master of a server is withheld by a restore, and so is what a role of the same name had here before. */
function ofRoles({ globals: wanted }: DatabaseFacts, found: DatabaseFacts['globals']): string[] {
  const own = wanted.roles.filter(({ name, isBootstrap }) => {
    const there = found.roles.find((role) => role.name === name);
    return !isBootstrap && there?.isBootstrap !== true;
  });
  const differences = own.flatMap((role) => {
    const there = found.roles.find(({ name }) => name === role.name);
    if (there === undefined) return [`role ${role.name} is missing`];
    const others = role.attributes.filter((one) => !isOfMasters(one) && !there.attributes.includes(one));
    if (others.length > 0) return [`role ${role.name} is no longer ${others.join(', ')}`];
    const same = role.connectionLimit === there.connectionLimit && role.validUntil === there.validUntil;
    if (!same) return [`role ${role.name} has another limit`];
    return role.password === there.password || role.password === null ? [] : [`role ${role.name} has another password`];
  });
  const supers = new Set(wanted.roles.flatMap((role) => (role.attributes.includes('SUPERUSER') ? [role.name] : [])));
  const members = wanted.memberships.filter(
    ({ role, member }) => !/^pg_/.test(role) && !supers.has(role) && own.some(({ name }) => name === member),
  );
  const lost = members.filter((one) => !found.memberships.some((there) => isDeepStrictEqual(one, there)));
  return [
    ...differences,
    ...lost.map(({ role, member }) => `role ${member} is no longer a member of ${role} as it was`),
  ];
}
