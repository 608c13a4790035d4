import { variableUnset } from './mistakes.ts';

/** Text with holes: `${NAME}`, `${NAME:-default}`; `$${` is a plain `${`. Anything else, also a lone `$`, is itself. */
export type TemplatePart = string | { readonly name: string; readonly fallback?: string };

const hole = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let from = 0;
  for (const found of text.matchAll(hole)) {
    if (found.index > from) parts.push(text.slice(from, found.index));
    const [whole, name, fallback] = found;
    if (name === undefined) parts.push('${');
    else parts.push(fallback === undefined ? { name } : { name, fallback });
    from = found.index + whole.length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/** Names of the holes in `text`, each once. */
export function variablesOf(text: string): string[] {
  return [...new Set(parseTemplate(text).flatMap((part) => (typeof part === 'string' ? [] : [part.name])))];
}

/** Fills the holes. @throws `variable-unset` for one without value and without default */
export function fillTemplate(text: string, lookUp: (name: string) => string | undefined): string {
  return parseTemplate(text)
    .map((part) => {
      if (typeof part === 'string') return part;
      const value = lookUp(part.name) ?? part.fallback;
      if (value === undefined) throw variableUnset({ name: part.name, text });
      return value;
    })
    .join('');
}
