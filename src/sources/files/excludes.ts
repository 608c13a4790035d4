import { type BytePath, pathFromText } from '../../core/paths.ts';
import { excludeInvalid } from '../errors.ts';

/**
 * What is left out of a folder. The patterns are a subset of .gitignore's and mean the same:
 * - `*` any run of characters but `/`, `?` one character, `\x` the character x itself;
 * - without a `/` (but at the end) a pattern is a name, at any depth; with one it is a path from the dataset's folder;
 * - `**` as a whole component is any number of folders; `a/**` is all that is in `a`, but not `a`;
 * - a `/` at the end means folders only. A folder that is left out takes along all that is in it.
 * There is no `!` and no `[…]`: they are refused, because a pattern that is misread loses data without a word.
 */
export interface ExcludeRule {
  readonly pattern: string;
  readonly reason: string;
}

export interface Excludes {
  /** The first rule that leaves this entry out, as its index, or -1. */
  match(path: BytePath, name: BytePath, isFolder: boolean): number;
  /** A rule that would, were it written with other case or in another normal form of Unicode, or -1. */
  nearly(path: BytePath, name: BytePath, isFolder: boolean): number;
}

/** More stars than this in one name could make matching slow. */
const MAX_STARS = 4;

/** @throws `exclude-invalid` */
export function compileExcludes(rules: readonly ExcludeRule[]): Excludes {
  const strict = matcher(
    rules.map(({ pattern }, at) => ({ ...parse(pattern), at })),
    's',
  );
  const relaxed = matcher(
    rules.flatMap(({ pattern }, at) => spellingsOf(pattern).map((one) => ({ ...parse(one), at }))),
    'si',
  );
  return { match: strict, nearly: relaxed };
}

/** The same to a person's eye. Other case of a letter beyond ASCII is other bytes, which no flag of an expression knows. */
function spellingsOf(pattern: string): string[] {
  const cases = [pattern, pattern.toLowerCase(), pattern.toUpperCase()];
  return [...new Set(cases.flatMap((one) => [one.normalize('NFC'), one.normalize('NFD')]))];
}

function matcher(parsed: readonly (ParsedRule & { readonly at: number })[], flags: string): Excludes['match'] {
  const names = union(
    parsed.flatMap((rule) => rule.lastName ?? []),
    flags,
  );
  const paths = union(
    parsed.flatMap((rule) => (rule.lastName === undefined ? rule.expression : [])),
    flags,
  );
  const own = parsed.map((rule) => ({ ...rule, expression: new RegExp(rule.expression, flags) }));
  return (path, name, isFolder) => {
    // Nearly all entries end here: one or two tests, however many rules there are.
    if (!names?.test(name) && !paths?.test(path)) return -1;
    const found = own.find(
      (rule) => (isFolder || !rule.foldersOnly) && rule.expression.test(rule.onPath ? path : name),
    );
    return found?.at ?? -1;
  };
}

interface ParsedRule {
  /** A regular expression. */
  readonly expression: string;
  readonly onPath: boolean;
  /** What the last component must be, as a regular expression; undefined where it is `**`. */
  readonly lastName: string | undefined;
  readonly foldersOnly: boolean;
}

function union(sources: readonly string[], flags: string): RegExp | undefined {
  return sources.length === 0 ? undefined : new RegExp(sources.join('|'), flags);
}

function parse(text: string): ParsedRule {
  const refuse = (why: string) => excludeInvalid({ pattern: text, why });
  if (text.startsWith('!')) throw refuse("it begins with '!', and nothing can be taken back in");
  let components = pathFromText(text).split('/');
  const foldersOnly = components.length > 1 && components.at(-1) === '';
  if (foldersOnly) components = components.slice(0, -1);
  const anchored = components[0] === '';
  if (anchored) components = components.slice(1);
  if (components.length === 0 || components.includes('')) throw refuse('a name in it is empty');
  if (components.includes('.') || components.includes('..')) throw refuse("it has '.' or '..' in it");
  const onPath = anchored || components.length > 1;
  const source = onPath ? pathSource(components, refuse) : componentSource(components[0]!, refuse);
  const last = components.at(-1)!;
  const lastName = onPath && last === '**' ? undefined : `^(?:${componentSource(last, refuse)})$`;
  return { expression: `^(?:${source})$`, onPath, lastName, foldersOnly };
}

function pathSource(components: readonly string[], refuse: (why: string) => Error): string {
  let source = '';
  components.forEach((component, at) => {
    const last = at === components.length - 1;
    if (component !== '**') source += componentSource(component, refuse) + (last ? '' : '/');
    else if (last) source += '.+';
    else if (components[at - 1] !== '**') source += '(?:[^/]+/)*';
  });
  return source;
}

function componentSource(component: string, refuse: (why: string) => Error): string {
  let source = '';
  let stars = 0;
  for (let at = 0; at < component.length; at++) {
    const character = component[at]!;
    if (character === '*') {
      if (component[at - 1] === '*' && source.endsWith('*')) continue;
      if (++stars > MAX_STARS) throw refuse(`a name in it has more than ${MAX_STARS} stars`);
      source += '[^/]*';
    } else if (character === '?') {
      source += '(?:[\\xc2-\\xf4][\\x80-\\xbf]{1,3}|[^/])';
    } else if (character === '[') {
      throw refuse("it has '[' in it; write '\\[' for the character itself");
    } else if (character === '\\') {
      at++;
      if (at === component.length) throw refuse('it ends a name with a backslash');
      source += literal(component[at]!);
    } else source += literal(character);
  }
  return source;
}

function literal(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
