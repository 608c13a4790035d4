import type { Expandable } from '../core/references.ts';
import { expandable, type ReferenceContext, shownOf } from './references.ts';

/** A server and a database by their parts, each with references, and none written as a URL would have it. */
export interface PostgresParts {
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly database: string;
}

/** The URL that they make, once looked up: a password may hold any character. */
export function expandableAddress(parts: PostgresParts, context: ReferenceContext): Expandable {
  return {
    shown: shownAddress(parts),
    async expand(variables) {
      const expanded: Record<string, string> = {};
      for (const [name, text] of given(parts)) {
        expanded[name] = encodeURIComponent(await expandable(text, context).expand(variables));
      }
      return urlOf(expanded);
    },
  };
}

/** For people, without a password that stands in clear. */
export function shownAddress(parts: PostgresParts): string {
  return urlOf(Object.fromEntries(given(parts).map(([name, text]) => [name, shownOf(text, name)])));
}

function given(parts: PostgresParts): [string, string][] {
  return Object.entries(parts).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]));
}

function urlOf({ host = '', port, user, password, database }: Readonly<Record<string, string>>): string {
  const who = user === undefined ? '' : `${user}${password === undefined ? '' : `:${password}`}@`;
  const isFolder = host.startsWith('/') || host.startsWith('%2F');
  if (isFolder) return `postgres://${who}/${database}?host=${host}${port === undefined ? '' : `&port=${port}`}`;
  return `postgres://${who}${host}${port === undefined ? '' : `:${port}`}/${database}`;
}
