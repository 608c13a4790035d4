import type { DumpEntry } from './dump-toc.ts';

/** A definition as parts that can be compared, whatever their order, each with a name for people. */
export interface DefinitionPart {
  readonly name: string;
  readonly text: string;
}

/** What PostgreSQL keeps as it was written, byte for byte. */
const verbatim = /^(AGGREGATE|COMMENT|EXTENSION|SERVER|USER MAPPING)$/;

/**
 * The parts of an object's definition, in a spelling that dumping and restoring once more does not change: PostgreSQL writes some
 * expressions with other casts and parentheses then (`('a'::varchar)::text`), so neither counts. An inherited column comes back in
 * another place, and rights in another order.
 */
export function settledParts({ kind, definition }: Pick<DumpEntry, 'kind' | 'definition'>): DefinitionPart[] {
  if (verbatim.test(kind)) return [{ name: '', text: definition }];
  // Rows that break it already have it come back so, which the restore says.
  if (/^(FK|CHECK) CONSTRAINT$/.test(kind))
    return [{ name: '', text: settled(definition.replace(/ NOT VALID;\s*$/, ';')) }];
  if (kind !== 'TABLE' && kind !== 'FOREIGN TABLE' && !kind.endsWith('ACL'))
    return [{ name: '', text: settled(definition) }];
  return definition
    .split(/,?\n/)
    .map((line) => ({ name: nameIn(line), text: settled(line) }))
    .filter(({ text }) => text !== '');
}

const name = String.raw`(?:"(?:[^"]|"")*"|[a-z_\x80-\xff][\w$\x80-\xff]*)`;
const interval = 'interval(?: (?:year|month|day|hour|minute|second)(?: to (?:month|hour|minute|second))?)?';
const words = `double precision|character varying|bit varying|time(?:stamp)?(?:\\(\\d\\))? with(?:out)? time zone|${interval}`;
const cast = `::(?:${name}\\.)?(?:${words}|${name})(?:\\(\\d+(?:,\\d+)?\\))?(?:\\[\\])*`;
/** Texts, quoted names and bodies stay; casts, parentheses and white space go. */
const token = new RegExp(
  `\\$(\\w*)\\$.*?\\$\\1\\$|'(?:[^']|'')*'|"(?:[^"]|"")*"|${cast}|[()\\s]+|[\\w$\\x80-\\xff]+|.`,
  'gs',
);

function settled(definition: string): string {
  const kept = (definition.match(token) ?? []).filter((one) => !/^(::|[()\s])/.test(one));
  return kept.join(' ');
}

/** `amount` of `    amount numeric DEFAULT 0`. */
function nameIn(line: string): string {
  const found = new RegExp(`^    (?:CONSTRAINT )?(${name})`).exec(line);
  return found?.[1] ?? '';
}
