import { accountOf, quoted, showAccount, showName } from './names.ts';
import type { Defined, Table } from './objects.ts';
import { unquoted } from './rights.ts';
import type { Filled, Target, Way, Whole } from './sabotage-way.ts';

/** `change`: what ALTER TABLE does, for each thing in a table that can be hurt. */
function tableWay(
  name: string,
  absent: string,
  change: (table: Table, filled?: Filled) => readonly (readonly [string, string])[],
): Way {
  return {
    ...{ name, harm: 'definition', absent },
    find: ({ objects, filled }) =>
      objects.tables.flatMap((table) =>
        change(
          table,
          filled.find((one) => one.table === table),
        ).map(
          ([of, what]): Target => ({
            ...{
              name: table.name,
              what: of === '' ? showName(table.name) : `${showName(table.name)}: ${showName(of)}`,
            },
            ...{ strike: `ALTER TABLE ${quoted(table.name)} ${what}`, table },
          }),
        ),
      ),
  };
}

/** Lines of a definition that begin with a word, and the name that they give. */
function linesOf(table: Table, word: RegExp): string[] {
  return [...table.create.matchAll(new RegExp(`^ {2}${word.source} \`((?:[^\`]|\`\`)+)\``, 'gm'))].map(
    ([, name = '']) => name.replaceAll('``', '`'),
  );
}

function definedWay(
  name: string,
  absent: string,
  of: (whole: Whole) => readonly Defined[],
  strike: (one: Defined) => string,
): Way {
  return {
    ...{ name, harm: 'definition', absent },
    find: (whole) =>
      of(whole).map((one) => ({ name: one.name, what: `${one.kind} ${showName(one.name)}`, strike: strike(one) })),
  };
}

const drop = ({ kind, name }: Defined) => `DROP ${kind.toUpperCase()} ${quoted(name)}`;
const columns = (table: Table) => table.columns.map(({ name }) => name);

const ofTables: readonly Way[] = [
  tableWay('a column is lost', 'it has no table of two columns', (table) =>
    table.columns.length < 2 ? [] : columns(table).map((one) => [one, `DROP COLUMN ${quoted(one)}`] as const),
  ),
  tableWay('a column has another name', 'it has no table', (table) =>
    columns(table).map((one) => [one, `RENAME COLUMN ${quoted(one)} TO named_by_nobody`] as const),
  ),
  tableWay('a column may hold shorter texts only', 'it has no VARCHAR', (_, filled) =>
    (filled?.columns ?? [])
      .filter(({ type, nullable }) => type === 'varchar' && nullable)
      .map(({ name }) => [name, `MODIFY ${quoted(name)} varchar(37)`] as const),
  ),
  tableWay('a default is lost', 'it has no default', (_, filled) =>
    (filled?.columns ?? [])
      .filter(({ hasDefault }) => hasDefault)
      .map(({ name }) => [name, `ALTER COLUMN ${quoted(name)} DROP DEFAULT`] as const),
  ),
  tableWay('an index is lost', 'it has no index', (table) =>
    linesOf(table, /(?:UNIQUE )?KEY/).map((one) => [one, `DROP INDEX ${quoted(one)}`] as const),
  ),
  tableWay('a primary key is lost', 'it has no primary key without a counter', (table) =>
    /^ {2}PRIMARY KEY /m.test(table.create) && !/AUTO_INCREMENT/.test(table.create)
      ? [['', 'DROP PRIMARY KEY'] as const]
      : [],
  ),
  tableWay('a foreign key is lost', 'it has no foreign key', (table) =>
    [...table.create.matchAll(/^ {2}CONSTRAINT (`(?:[^`]|``)+`) FOREIGN KEY/gm)].map(
      ([, one = '']) => [unquoted(one), `DROP FOREIGN KEY ${one}`] as const,
    ),
  ),
  tableWay('a check is lost', 'it has no check', (table) =>
    [...table.create.matchAll(/^ {2}CONSTRAINT (`(?:[^`]|``)+`) CHECK/gm)].map(
      ([, one = '']) => [unquoted(one), `DROP CONSTRAINT ${one}`] as const,
    ),
  ),
  tableWay('texts of a table are sorted otherwise', 'it has no table', (table) => [
    ['', `DEFAULT COLLATE ${/COLLATE=utf8mb4_bin/.test(table.create) ? 'utf8mb4_general_ci' : 'utf8mb4_bin'}`],
    ['', 'DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'],
  ]),
  tableWay('a comment is another', 'it has no table', () => [['', "COMMENT 'by nobody'"]]),
];

const others: readonly Way[] = [
  definedWay('a view is lost', 'it has no view', ({ objects }) => objects.views, drop),
  definedWay(
    'a view shows something else',
    'it has no view',
    ({ objects }) => objects.views,
    ({ name }) => `CREATE OR REPLACE VIEW ${quoted(name)} AS SELECT 1`,
  ),
  definedWay('a trigger is lost', 'it has no trigger', ({ objects }) => objects.triggers, drop),
  definedWay('a routine is lost', 'it has no routine', ({ objects }) => objects.routines, drop),
  definedWay('an event is lost', 'it has no event', ({ objects }) => objects.events, drop),
  definedWay(
    'an event is switched off',
    'it has no event',
    ({ objects }) => objects.events,
    ({ name }) => `ALTER EVENT ${quoted(name)} DISABLE`,
  ),
  {
    ...{ name: 'the database has another character set', harm: 'definition', absent: 'it has no character set' },
    find: () => [{ name: 'character set', strike: 'ALTER DATABASE %database% CHARACTER SET koi8r' }],
  },
  {
    ...{ name: 'an account is lost', harm: 'definition', absent: 'the backup knows of no account' },
    // Made again it has its rights by the same words.
    find: ({ accounts }) =>
      accounts.map((one) => ({
        name: one.user,
        what: `account ${showAccount(one)}`,
        strike: `DROP ${one.host === '' ? 'ROLE' : 'USER'} ${showAccount(one)}`,
      })),
  },
  {
    ...{ name: 'a right is lost', harm: 'definition', absent: 'no account has a right on the database alone' },
    find: ({ accounts }) =>
      accounts.flatMap((one) =>
        one.grants.slice(0, 1).map(({ rights, kind, of }) => ({
          ...{ name: one.user, what: `rights of ${showAccount(accountOf(`${one.user}@${one.host}`))}` },
          strike: `REVOKE ${rights} ON ${kind}%granted%.${of} FROM ${showAccount(one)}`,
        })),
      ),
  },
];

export const definitionWays: readonly Way[] = [...ofTables, ...others];
