import type { z } from 'zod';
import { template } from '../core/notations.ts';
import type { Expandable } from '../core/references.ts';
import type { BuildContext } from './engine.ts';

/** A server and a database: by a URL, or by their parts. */
export const addressKeys = {
  url: template.optional(),
  host: template.optional(),
  port: template.optional(),
  user: template.optional(),
  password: template.optional(),
  database: template.optional(),
};

type Address = { readonly [key in keyof typeof addressKeys]?: string | undefined };

const parts = ['host', 'port', 'user', 'password', 'database'] as const;

/** Parts of an address, each as a URL has it. */
export type AddressParts = { readonly [part in (typeof parts)[number]]?: string };

/** A server is named by `url`, or by its parts. */
export function addressOnce(shape: Address, context: z.RefinementCtx): void {
  const refuse = (message: string) => context.addIssue({ code: 'custom', message });
  const part = parts.find((one) => shape[one] !== undefined);
  if (shape.url !== undefined && part !== undefined) refuse(`names the server twice: by url and by ${part}`);
  if (shape.url === undefined && shape.database === undefined)
    refuse('needs a url, or a database and its host and user');
  if (shape.password !== undefined && shape.user === undefined) refuse('has a password for no user');
}

/**
 * The URL, once looked up: the one that is written, or the one that `join` makes of the parts. A password among those may hold any
 * character.
 */
export function buildAddress(
  { url, ...address }: Address,
  { expandable }: BuildContext,
  join: (parts: AddressParts) => string,
): Expandable {
  if (url !== undefined) return expandable(url);
  const given = parts.flatMap((name) => {
    const text = address[name];
    return text === undefined ? [] : [[name, expandable(text, name)] as const];
  });
  return {
    // For people, without a password that stands in clear.
    shown: join(Object.fromEntries(given.map(([name, { shown }]) => [name, shown]))),
    async expand(variables) {
      const expanded: Record<string, string> = {};
      for (const [name, text] of given) expanded[name] = encodeURIComponent(await text.expand(variables));
      return join(expanded);
    },
  };
}

/** `user:password@`, or nothing. */
export function whoOf({ user, password }: AddressParts): string {
  if (user === undefined) return '';
  return `${user}${password === undefined ? '' : `:${password}`}@`;
}
