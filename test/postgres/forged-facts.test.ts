import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import type { Contents, RestoreTarget } from '../../src/sources/source.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
let contents: Contents;
const run = startRun({ clock: systemClock });
const all: RestoreTarget = { force: false, only: [] };
const adapter = () => postgresSource({ name: 'db', url: server.urlOf('harbor'), exclude: [] });

beforeAll(async () => {
  server = await startPostgres();
  await server.script('CREATE ROLE "App" LOGIN; CREATE DATABASE harbor TEMPLATE template0 OWNER "App";');
});
afterAll(() => server?.stop());
beforeEach(async () => {
  contents = await contentsOf(await adapter().capture(run));
});

describe('M6: facts that somebody else wrote', () => {
  const forged = (change: (facts: Record<string, unknown>) => void): Contents => {
    const facts = structuredClone(contents.facts) as Record<string, unknown>;
    change(facts);
    return { ...contents, facts };
  };
  const role = (more: object) => ({
    ...{ name: 'intruder', isBootstrap: false, attributes: ['LOGIN'], connectionLimit: -1 },
    ...{ validUntil: null, password: null, comment: null, ...more },
  });
  const evil = '; CREATE ROLE pwned SUPERUSER; --';

  test.each<[string, (facts: Record<string, unknown>) => void]>([
    ['a locale provider', (facts) => Object.assign(facts, { localeProvider: `libc${evil}` })],
    [
      'a privilege',
      (facts) =>
        Object.assign(facts, { privileges: [{ grantee: '', privilege: `ALL ON SCHEMA x${evil}`, grantable: false }] }),
    ],
    ['a connection limit', (facts) => Object.assign(facts, { connectionLimit: `1${evil}` })],
    [
      'an attribute',
      (facts) =>
        Object.assign(facts, {
          globals: { roles: [role({ attributes: [`LOGIN${evil}`] })], memberships: [], settings: [] },
        }),
    ],
    [
      'a password',
      (facts) =>
        Object.assign(facts, { globals: { roles: [role({ password: `x'${evil}` })], memberships: [], settings: [] } }),
    ],
    [
      'a name',
      (facts) =>
        Object.assign(facts, { globals: { roles: [role({ name: `x"${evil}` })], memberships: [], settings: [] } }),
    ],
    [
      'a comment',
      (facts) =>
        Object.assign(facts, {
          globals: { roles: [role({ comment: `x'; END $lifeboat$${evil}` })], memberships: [], settings: [] },
        }),
    ],
    ['a setting', (facts) => Object.assign(facts, { settings: [{ role: '', name: `work_mem${evil}`, value: '1' }] })],
  ])('%s becomes no SQL', async (_what, change) => {
    const other = await startPostgres();
    try {
      await other.query('CREATE ROLE "App"');
      await adapter()
        .restore(forged(change), { ...all, into: other.urlOf('back') }, run)
        .catch(() => {});
      expect(await other.query("SELECT FROM pg_roles WHERE rolname = 'pwned'")).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  test('make no role the master of the server, and what was withheld is named', async () => {
    const other = await startPostgres();
    try {
      const globals = {
        roles: [
          role({ attributes: ['SUPERUSER', 'REPLICATION', 'LOGIN'] }),
          role({ name: 'App' }),
          role({ name: 'chief', attributes: ['SUPERUSER'] }),
        ],
        memberships: ['pg_execute_server_program', 'postgres', 'chief'].map((of) => ({
          ...{ role: of, member: 'App', admin: false, inherit: null, set: null },
        })),
        settings: [],
      };
      await other.query('CREATE ROLE chief SUPERUSER');
      const changed = forged((facts) => Object.assign(facts, { globals }));
      const { problems } = await adapter().restore(changed, { ...all, into: other.urlOf('back') }, run);
      expect(problems).toMatchObject([{ code: 'role-rights-withheld' }]);
      expect(problems[0]?.message).toContain('ALTER ROLE "intruder" SUPERUSER REPLICATION;');
      expect(problems[0]?.message).toContain('GRANT "pg_execute_server_program" TO "App";');
      expect(await other.query('SELECT rolname FROM pg_roles WHERE rolsuper OR rolreplication ORDER BY 1')).toEqual([
        { rolname: 'chief' },
        { rolname: 'postgres' },
      ]);
      expect(
        await other.query("SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = member WHERE rolname = 'App'"),
      ).toEqual([]);
    } finally {
      await other.stop();
    }
  });
});
