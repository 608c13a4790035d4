import { sentenceOf } from '../../core/errors.ts';
import type { Expandable } from '../../core/references.ts';
import type { Run } from '../../core/run.ts';
import type { Rehearsed, ToRehearse } from '../engine.ts';
import type { Restored } from '../source.ts';
import { dumpRunsCode } from './errors.ts';
import { queryPostgres } from './query.ts';
import { startPostgres } from './sandbox-server.ts';

const firstPort = 5432;

/** Starts a server in the sandbox and restores into it. */
export async function rehearsePostgres(url: Expandable, back: ToRehearse, run: Run): Promise<Rehearsed> {
  const { name, contents, sandbox } = back;
  const { database, serverMajor, owner } = contents.facts;
  if (typeof database !== 'string' || typeof serverMajor !== 'number') {
    throw new Error(`The restore point of ${name} does not tell which database and server it came from.`);
  }
  const port = firstPort + back.before;
  const order = { name, major: serverMajor, facts: contents.facts, port, signal: run.signal };
  const server = await startPostgres(sandbox, order);
  const outside = server.outside(database);
  const restored = await load(back, outside, run);
  const reader = await server.makeReader();
  if (reader === undefined) back.demandWalls(`the queries of checks would run what ${name} defines`);
  const versions = { [`${name} postgres`]: server.version };
  const asked = server.outside(database, reader);
  const copy = { restored, outside, asked, inside: outside, door: server.door, versions };
  const wishes = [await userOf(url, back), typeof owner === 'string' ? owner : ''];
  const user = await applicationUser({ ...copy, dataset: name }, wishes, run);
  return { ...copy, inside: server.inside(database, user), role: user };
}

/**
 * As a restore does: code of the dump runs as a role that may do nothing else. What cannot be loaded so runs as the server's
 * superuser, and what that server says of itself is then its own word.
 */
async function load(
  { name, source, contents, demandWalls, note }: ToRehearse,
  outside: string,
  run: Run,
): Promise<Restored> {
  const target = { into: outside, force: false, only: [] };
  try {
    return await source.restore(contents, target, run);
  } catch (error) {
    if (!dumpRunsCode.is(error)) throw error;
    demandWalls(sentenceOf(error));
    note(`A restore of ${name} needs --trust-code: ${sentenceOf(error)}`);
    return await source.restore(contents, { ...target, trustCode: true }, run);
  }
}

/** The role that the application has in production, so that privileges and row security are tried too. */
async function applicationUser(
  copy: Parameters<typeof queryPostgres>[0],
  wishes: readonly string[],
  run: Run,
): Promise<string> {
  for (const role of wishes.filter((wish) => wish !== '')) {
    const literal = `'${role.replaceAll("'", "''")}'`;
    const query = `SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = ${literal}`;
    for await (const { rows } of queryPostgres(copy, query, { timeoutMs: 15_000, signal: run.signal }))
      if (rows[0]?.[0] === 'true') return role;
  }
  return 'postgres';
}

async function userOf(url: Expandable, { addSecret, note }: ToRehearse): Promise<string> {
  try {
    // Not the URL class: it knows no host that is empty, which means a Unix socket.
    const parts = /^(?:jdbc:)?\w+(?:\+\w+)?:\/\/([^:@/?]*)(?::([^@/?]*))?@/.exec(await url.expand());
    const [, user = '', password = ''] = parts ?? [];
    if (password.length >= 4) addSecret(decodeURIComponent(password));
    return decodeURIComponent(user);
  } catch (error) {
    // Production's URL is not needed to restore: on a bare machine its variables are not set.
    note(`The role of the application is not known: ${sentenceOf(error)}`);
    return '';
  }
}
