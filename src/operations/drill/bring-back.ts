import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DatasetConfig } from '../../config/system.ts';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { sandboxNotIsolated } from '../../sandbox/errors.ts';
import { startPostgres } from '../../sandbox/postgres.ts';
import { dumpRunsCode } from '../../sources/errors.ts';
import type { Restored, Source } from '../../sources/source.ts';
import type { RestorePoint } from '../../vault/vault.ts';
import type { Copy, Drill } from './parts.ts';
import { firstRow } from './query.ts';

const firstPort = 5432;

/** Restores one dataset into the sandbox. Whatever its source throws rises unchanged. */
export async function bringBack(dataset: string, point: RestorePoint, drill: Drill, run: Run): Promise<Copy> {
  const { parts, sandbox } = drill;
  const [config, source] = [parts.system.datasets[dataset], parts.sources[dataset]];
  if (config === undefined || source === undefined) throw new Error(`no source for ${dataset}`);
  const contents = await parts.vault.open(point, parts.identities);
  const common = { dataset, kind: source.kind, point, contents };
  if (config.type === 'postgres') return bringBackPostgres(common, config, source, drill, run);

  const folder = join(sandbox.restored, dataset);
  await mkdir(folder, { mode: 0o755 });
  const outside = join(folder, basename(config.path) || dataset);
  const restored = await source.restore(contents, { into: outside, force: false, only: [], rehearsal: true }, run);
  return { ...common, restored, outside, inside: sandbox.inside(outside), versions: {} };
}

type PostgresConfig = Extract<DatasetConfig, { type: 'postgres' }>;

async function bringBackPostgres(
  common: Pick<Copy, 'dataset' | 'kind' | 'point' | 'contents'>,
  config: PostgresConfig,
  source: Source,
  drill: Drill,
  run: Run,
): Promise<Copy> {
  const { dataset, contents } = common;
  const { database, serverMajor, owner } = contents.facts;
  if (typeof database !== 'string' || typeof serverMajor !== 'number') {
    throw new Error(`The restore point of ${dataset} does not tell which database and server it came from.`);
  }
  const port = firstPort + [...drill.copies.values()].filter(({ kind }) => kind === 'postgres').length;
  const order = { name: dataset, major: serverMajor, facts: contents.facts, port, signal: run.signal };
  const server = await startPostgres(drill.sandbox, order);
  const outside = server.outside(database);
  const restored = await load(common, source, outside, drill, run);
  const reader = await server.makeReader();
  if (reader === undefined) demandWalls(drill, `the queries of checks would run what ${dataset} defines`);
  const versions = { [`${dataset} postgres`]: server.version };
  const asked = server.outside(database, reader);
  const copy = { ...common, restored, outside, asked, inside: outside, door: server.door, versions };
  const user = await applicationUser(copy, [await userOf(config, drill), typeof owner === 'string' ? owner : ''], run);
  return { ...copy, inside: server.inside(database, user), role: user };
}

/**
 * As a restore does: code of the dump runs as a role that may do nothing else. What cannot be loaded so runs as the server's
 * superuser, and what that server says of itself is then its own word.
 */
async function load(
  { dataset, contents }: Pick<Copy, 'dataset' | 'contents'>,
  source: Source,
  outside: string,
  drill: Drill,
  run: Run,
): Promise<Restored> {
  const target = { into: outside, force: false, only: [] };
  try {
    return await source.restore(contents, target, run);
  } catch (error) {
    if (!dumpRunsCode.is(error)) throw error;
    demandWalls(drill, sentenceOf(error));
    drill.notes.push(`A restore of ${dataset} needs --trust-code: ${sentenceOf(error)}`);
    return await source.restore(contents, { ...target, trustCode: true }, run);
  }
}

/** @throws `sandbox-not-isolated` where what has a superuser's rights on a server would have its user's on this host */
function demandWalls({ sandbox, options }: Drill, why: string): void {
  if (sandbox.footing === 'none' && !options.withoutIsolation) throw sandboxNotIsolated({ why });
}

/** The role that the application has in production, so that privileges and row security are tried too. */
async function applicationUser(copy: Copy, wishes: readonly string[], run: Run): Promise<string> {
  for (const role of wishes.filter((wish) => wish !== '')) {
    const literal = `'${role.replaceAll("'", "''")}'`;
    const query = `SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = ${literal}`;
    const row = await firstRow(copy, query, { timeoutMs: 15_000, signal: run.signal });
    if (row?.[0] === 'true') return role;
  }
  return 'postgres';
}

async function userOf(config: PostgresConfig, drill: Drill): Promise<string> {
  try {
    // Not the URL class: it knows no host that is empty, which means a Unix socket.
    const parts = /^(?:jdbc:)?\w+(?:\+\w+)?:\/\/([^:@/?]*)(?::([^@/?]*))?@/.exec(await config.url.expand());
    const [, user = '', password = ''] = parts ?? [];
    if (password.length >= 4) drill.secrets.add(decodeURIComponent(password));
    return decodeURIComponent(user);
  } catch (error) {
    // Production's URL is not needed to restore: on a bare machine its variables are not set.
    drill.notes.push(`The role of the application is not known: ${sentenceOf(error)}`);
    return '';
  }
}
