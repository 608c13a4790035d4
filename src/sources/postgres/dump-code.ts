import type { DumpEntry } from './dump-toc.ts';

/**
 * What a dump makes the server run while it is loaded: checks, generated columns, index expressions, refreshed views. Whoever
 * could create a table wrote that, so a superuser must not be the one who runs it. Everything is code that is not known to be
 * none: kinds of a list, statements of one form, expressions that call nothing but functions of a list. pg_dump writes with an
 * empty search path, where a name without a schema is PostgreSQL's own.
 * @returns the entries that may run code, for people
 */
export function codeIn(entries: readonly DumpEntry[]): string[] {
  return [
    ...unreadable(entries),
    ...entries.filter((entry) => !preamble.includes(entry.kind) && mayRunCode(entry)).map(showEntry),
  ];
}

/** What lets all words of a dump mean something else than they seem to, for people. */
export function unreadable(entries: readonly DumpEntry[]): string[] {
  const absent = preamble.filter((wanted) => !entries.some(({ kind }) => kind === wanted));
  const changed = entries.filter((entry) => preamble.includes(entry.kind) && mayRunCode(entry));
  return [...absent.map((kind) => `a dump without ${kind}, which means something else`), ...changed.map(showEntry)];
}

/** For people. */
export function showEntry({ kind, namespace, tag }: DumpEntry): string {
  const name = namespace === '' ? tag : `${namespace}.${tag}`;
  return `${kind} ${Buffer.from(name, 'latin1').toString('utf8')}`;
}

/** Without these the same words mean something else. */
const preamble = ['ENCODING', 'STDSTRINGS', 'SEARCHPATH'];

export function mayRunCode(entry: DumpEntry): boolean {
  const { kind, definition, drop, tag } = entry;
  // Data without a COPY is a script, whatever the kind.
  if (entry.hasData && kind !== 'TABLE DATA' && kind !== 'BLOBS') return true;
  if (kind.startsWith('BLOB') && kind !== 'BLOBS' && !/^\d+(\.\.\d+)?$/.test(tag)) return true;
  if (kind === 'TABLE DATA') return definition !== '' || !isPlainCopy(entry.copy);
  // Only what makes a database runs these, and that is not asked for.
  if (kind === 'DATABASE' || kind === 'DATABASE PROPERTIES') return false;
  const exact = exactly.get(kind);
  if (exact !== undefined) return !exact.test(definition);
  const statements = statementsIn(definition);
  const dropping = statementsIn(drop);
  if (statements === undefined || dropping === undefined || dropping.length > 1) return true;
  // pg_restore makes the statement that sets the owner of these out of the one that drops them.
  const ofArguments = new RegExp(`^DROP ${kind} ${name}\\([^()]*\\)$`);
  if (/^(FUNCTION|PROCEDURE)$/.test(kind) && !dropping.every((one) => ofArguments.test(one))) return true;
  if (/^(ACL|DEFAULT ACL)$/.test(kind) && /pg_catalog|information_schema/i.test(definition)) return true;
  const form = forms.get(kind);
  if (form !== undefined) return !statements.every((statement) => form.test(statement));
  if (!evaluated.has(kind)) return true;
  const own = ownForms.get(kind);
  if (own !== undefined && !statements.every((statement) => own.test(statement))) return true;
  return !statements.every((statement) => isDefinition.test(statement) && callsNothingElse(statement));
}

const q = '(?:"(?:[^"]|"")*"|[a-z_][a-z0-9_$]*)';
const exactly: ReadonlyMap<string, RegExp> = new Map([
  // Encodings in which no byte of a longer character looks like a quote or a backslash.
  ['ENCODING', /^SET client_encoding = '(UTF8|SQL_ASCII|LATIN\d+|WIN\d+|ISO_8859_\d|KOI8[RU]|EUC_\w+)';\s*$/],
  ['STDSTRINGS', /^SET standard_conforming_strings = 'on';\s*$/],
  ['SEARCHPATH', /^SELECT pg_catalog\.set_config\('search_path', '', false\);\s*$/],
  ['SEQUENCE SET', /^SELECT pg_catalog\.setval\('(?:[^'\\]|'')*', -?\d+, (true|false)\);\s*$/],
  ['BLOB', /^SELECT pg_catalog\.lo_create\('\d+'\);\s*$/],
  ['BLOB METADATA', /^[\d\s]*$/],
  ['BLOBS', /^$/],
  ['EXTENSION', new RegExp(`^CREATE EXTENSION IF NOT EXISTS ${q} WITH SCHEMA ${q};\\s*$`)],
]);

/** One row of text after the other, into a table that is named with its schema: not from a program, not into a catalog. */
function isPlainCopy(copy: string): boolean {
  const plain = new RegExp(`^COPY (${q})\\.${q} (\\(${q}(, ${q})*\\) )?FROM stdin;\\s*$`).exec(copy);
  return plain !== null && !/^"?(pg_|information_schema)/.test(plain[1] as string);
}

/** A name in a statement whose quoted parts are `q`. */
const name = String.raw`[\w$.]+`;
const qualified = String.raw`[\w$]+\.[\w$]+`;

/** With its maker's rights, and in no language but these, in whatever letters either is written. */
function inKnownLanguage(kind: 'FUNCTION' | 'PROCEDURE'): RegExp {
  const another = String.raw`\bLANGUAGE(?! (?:plpgsql|sql)(?![\w$.]))`;
  return new RegExp(`^(?!.* SECURITY DEFINER)(?!.*${another})CREATE ${kind} .* LANGUAGE (plpgsql|sql)\\b`, 'i');
}
/** Definitions that nobody evaluates while the dump is loaded. */
const forms: ReadonlyMap<string, RegExp> = new Map([
  ['VIEW', /^(CREATE (OR REPLACE )?VIEW|ALTER VIEW) /],
  ['MATERIALIZED VIEW', /^CREATE MATERIALIZED VIEW .* WITH NO DATA$/],
  ['POLICY', /^CREATE POLICY /],
  [
    'TRIGGER',
    new RegExp(
      `^(CREATE (CONSTRAINT )?TRIGGER |ALTER TABLE ${name} (DISABLE|ENABLE( ALWAYS| REPLICA)?) TRIGGER ${name}$)`,
    ),
  ],
  ['FUNCTION', inKnownLanguage('FUNCTION')],
  ['PROCEDURE', inKnownLanguage('PROCEDURE')],
  ['COMMENT', /^COMMENT ON /],
  // One thing each, with its schema: a name without one is PostgreSQL's own.
  [
    'ACL',
    new RegExp(
      String.raw`^(?!.* ON .* ON )(GRANT|REVOKE) [A-Za-z, ()q\w]* ON ((TABLE|SEQUENCE|TYPE) ${qualified}|(FUNCTION|PROCEDURE) ${qualified}\([^()]*\)|(SCHEMA|DATABASE) [\w$]+|LARGE OBJECT \d+) (TO|FROM) `,
    ),
  ],
  ['DEFAULT ACL', /^ALTER DEFAULT PRIVILEGES /],
]);

const evaluated: ReadonlySet<string> = new Set([
  ...['SCHEMA', 'TABLE', 'TABLE ATTACH', 'SEQUENCE', 'SEQUENCE OWNED BY', 'DEFAULT', 'TYPE', 'DOMAIN', 'COLLATION'],
  ...['INDEX', 'INDEX ATTACH', 'CONSTRAINT', 'CHECK CONSTRAINT', 'FK CONSTRAINT', 'STATISTICS', 'ROW SECURITY'],
  ...['PUBLICATION', 'PUBLICATION TABLE', 'PUBLICATION TABLES IN SCHEMA'],
]);
/** What a superuser makes beside what others made: of its own kind only. */
const ownForms: ReadonlyMap<string, RegExp> = new Map([
  ['SCHEMA', new RegExp(`^CREATE SCHEMA ${name}( AUTHORIZATION ${name})?$`)],
  ['PUBLICATION', /^(CREATE|ALTER) PUBLICATION /],
  ['PUBLICATION TABLE', /^ALTER PUBLICATION /],
  ['PUBLICATION TABLES IN SCHEMA', /^ALTER PUBLICATION /],
]);
const isDefinition =
  /^(CREATE (UNLOGGED TABLE|TABLE|SCHEMA|SEQUENCE|TYPE|DOMAIN|COLLATION|(UNIQUE )?INDEX|STATISTICS|PUBLICATION)|ALTER (TABLE|SEQUENCE|INDEX|STATISTICS|PUBLICATION)) (?!.*\b(SELECT|EXECUTE|AS \(*TABLE|INPUT|SUBTYPE_DIFF|CANONICAL|OPERATOR)\b)/i;

/** Whatever stands before a parenthesis: words of SQL, types with a length, functions that touch nothing. */
const harmless: ReadonlySet<string> = new Set([
  ...[
    'check',
    'as',
    'in',
    'and',
    'or',
    'not',
    'any',
    'all',
    'where',
    'when',
    'then',
    'else',
    'between',
    'distinct',
    'is',
  ],
  ...[
    'key',
    'unique',
    'include',
    'using',
    'with',
    'values',
    'from',
    'to',
    'by',
    'range',
    'list',
    'hash',
    'btree',
    'gin',
  ],
  ...[
    'gist',
    'brin',
    'spgist',
    'inherits',
    'set',
    'reset',
    'identity',
    'default',
    'on',
    'only',
    'enum',
    'case',
    'array',
  ],
  ...['like', 'similar', 'symmetric', 'table', 'row', 'statistics', 'generated'],
  ...['numeric', 'decimal', 'varying', 'varchar', 'character', 'char', 'bpchar', 'bit', 'varbit', 'time', 'timestamp'],
  ...['timestamptz', 'timetz', 'interval', 'float', 'second', 'precision'],
  ...['coalesce', 'greatest', 'least', 'nullif', 'extract', 'substring', 'trim', 'position', 'overlay'],
  ...[
    'lower',
    'upper',
    'initcap',
    'length',
    'char_length',
    'character_length',
    'octet_length',
    'btrim',
    'ltrim',
    'rtrim',
  ],
  ...['substr', 'strpos', 'left', 'right', 'replace', 'reverse', 'starts_with', 'split_part', 'concat', 'md5', 'ascii'],
  ...['abs', 'ceil', 'ceiling', 'floor', 'round', 'trunc', 'mod', 'power', 'sqrt', 'sign', 'random'],
  ...['now', 'clock_timestamp', 'statement_timestamp', 'transaction_timestamp', 'timezone', 'date', 'date_part'],
  ...['date_trunc', 'make_date', 'age', 'isfinite', 'int4range', 'int8range', 'numrange', 'daterange', 'tsrange'],
  ...['tstzrange', 'isempty', 'lower_inf', 'upper_inf', 'array_length', 'cardinality', 'array_position', 'array_ndims'],
  ...['num_nulls', 'num_nonnulls', 'json_typeof', 'jsonb_typeof', 'jsonb_array_length', 'to_tsvector', 'setweight'],
  ...['nextval', 'gen_random_uuid'],
]);

function callsNothingElse(statement: string): boolean {
  const named = new RegExp(
    [
      `^CREATE (?:UNLOGGED )?TABLE ${name} ?\\(`,
      `^CREATE STATISTICS ${name} ?\\(`,
      // Reserved words: no expression has them.
      `\\bREFERENCES ${name} ?\\(`,
    ].join('|'),
    'g',
  );
  const called = statement.replaceAll(named, '(').matchAll(/([^\s()]+) ?\(/g);
  return [...called].every(([, before = '']) => {
    const word = /[\w$.]+$/.exec(before)?.[0];
    return word === undefined ? !/[^\x20-\x7e]$/.test(before) : harmless.has(word.toLowerCase());
  });
}

/** The statements of a script, each with its quoted parts as `q` and its blanks as one; undefined where quotes stay open. */
export function statementsIn(script: string): string[] | undefined {
  const bare = script.replaceAll(
    /--[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"/g,
    (part) => (/^(--|\/\*)/.test(part) ? ' ' : 'q'),
  );
  // Nested comments, blanks within a name, names and texts with escapes of Unicode: pg_dump writes none.
  if (/['"]|\/\*|\*\/|\bu&|\s\.|\.\s/i.test(bare)) return undefined;
  return bare
    .split(';')
    .map((statement) => statement.replaceAll(/\s+/g, ' ').trim())
    .filter((statement) => statement !== '');
}
