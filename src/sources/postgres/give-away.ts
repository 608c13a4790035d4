import { ownerNotGiven } from '../../core/not-as-it-was.ts';
import type { Problem } from '../../core/run.ts';
import { type Connection, quoteName } from './connection.ts';
import { showEntry } from './dump-code.ts';
import { decoded } from './dump-names.ts';
import type { DumpEntry } from './dump-toc.ts';
import { attempt } from './make-again.ts';

/** Kinds whose name is all that tells them apart. Of a dump nothing is taken as SQL that can be put together from names. */
const named = /^(TABLE|VIEW|MATERIALIZED VIEW|SEQUENCE|FOREIGN TABLE|TYPE|DOMAIN|SCHEMA)$/;

/**
 * Gives what came back, and stayed with whoever restored it, to its owner. Who is no superuser may do that only where the owner may
 * create things, which in the source a superuser had done for him: so he may for that moment.
 */
export async function giveAway(
  session: Connection,
  entry: DumpEntry,
  { why, encoding }: { readonly why: string; readonly encoding: string },
): Promise<Problem[]> {
  const what = showEntry(entry);
  const texts = [entry.namespace, entry.tag, entry.owner];
  const [namespace = '', tag = '', owner = ''] = await decoded(session, texts, encoding);
  const name = namespace === '' ? quoteName(tag) : `${quoteName(namespace)}.${quoteName(tag)}`;
  const give = `ALTER ${entry.kind} ${name} OWNER TO ${quoteName(owner)};`;
  const around =
    namespace === '' ? `DATABASE ${quoteName(session.address.database)}` : `SCHEMA ${quoteName(namespace)}`;
  const mayCreate = [`GRANT CREATE ON ${around} TO`, `REVOKE CREATE ON ${around} FROM`].map(
    (words) => `${words} ${quoteName(owner)};`,
  );
  // One transaction: nothing of it stays where the middle of it is refused.
  const failure = named.test(entry.kind) ? await attempt(session, [mayCreate[0], give, mayCreate[1]].join(' ')) : why;
  if (failure === undefined) return [];
  const { user } = session.address;
  const [found] = await session.query<{ is: boolean }>('SELECT rolsuper AS is FROM pg_roles WHERE rolname = $1', [
    owner,
  ]);
  const remedy =
    found?.is === true
      ? "restore again with a superuser's URL"
      : `as a superuser: GRANT ${quoteName(owner)} TO ${quoteName(user)}; and restore again`;
  const message = `${what} is back and belongs to ${user}, not to ${owner}: ${why}. To have it as it was, ${remedy}.`;
  return [{ code: ownerNotGiven, message }];
}
