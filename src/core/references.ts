import { parseTemplate, variablesOf } from './template.ts';

/** How references are written; `src/config/references.ts` looks them up. */

/** A file or a command; `$${` is left for the template; `${file:-x}` is a variable with a default. */
export const outside = /\$\$\{|\$\{(file|command):(?!-)([^}]+)\}/g;

/** What is wrong with the references in `text` before any is looked up; undefined when nothing is. */
export function referenceMistake(text: string): string | undefined {
  const rest = text.replace(outside, (_, kind?: string) => (kind ? '' : '$${'));
  const broken = rest.replaceAll('$${', '').replace(/\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}/g, '');
  const at = broken.indexOf('${');
  return at < 0 ? undefined : broken.slice(at, at + 24);
}

/** What the `${file:…}` or `${command:…}` references of `text` name, as written. */
export function namedIn(text: string, wanted: 'file' | 'command'): string[] {
  return [...text.matchAll(outside)].flatMap(([, kind, what]) => (kind === wanted && what !== undefined ? [what] : []));
}

/** The variables that `text` would be filled in with, with a default or without. */
export function variablesNamed(text: string): string[] {
  return variablesOf(text.replace(outside, (_, kind?: string) => (kind ? '' : '$${')));
}

/** Variables that `text` needs and that have no default. */
export function requiredVariables(text: string): string[] {
  const rest = text.replace(outside, (_, kind?: string) => (kind ? '' : '$${'));
  return parseTemplate(rest).flatMap((part) =>
    typeof part === 'string' || part.fallback !== undefined ? [] : [part.name],
  );
}

/**
 * Text that may hold secrets by reference: `${VAR}`, `${VAR:-default}`, or as a whole `file:PATH` (trailing newline cut) or
 * `command:WORDS` (its standard output). Nothing is looked up before `expand`, so that commands that need no secret run
 * without.
 */
export interface Expandable {
  /** As written, for people: the reference, never the value; a password that stands in clear in a URL is masked. */
  readonly shown: string;
  /**
   * The text with every reference filled in; `variables` go before the environment.
   * @throws `variable-unset`, `secret-unavailable`
   */
  expand(variables?: Readonly<Record<string, string>>): Promise<string>;
}
