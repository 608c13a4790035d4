import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkExpectations } from '../../src/operations/drill/checks/expectations.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { newRun } from '../suites/source.suite.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { rounds } from '../support/rounds.ts';
import { seeded } from '../support/seeded.ts';
import { oddDatabase } from './odd-schemas.ts';

let source: Postgres;
let target: Postgres;
beforeAll(async () => {
  [source, target] = await Promise.all([startPostgres(), startPostgres()]);
});
afterAll(() => Promise.all([source?.stop(), target?.stop()]));

/** As PostgreSQL's own program writes it. Nothing of ours compares here. */
async function dumped({ programs, socketDir, port }: Postgres, name: string, ...words: string[]): Promise<string> {
  const address = ['-h', socketDir, '-p', String(port), '-U', 'postgres', ...words, name];
  const { stdout } = await promisify(execFile)(join(programs, 'pg_dump'), address, {
    maxBuffer: 1 << 28,
    encoding: 'latin1',
  });
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

/** PostgreSQL spells a check or a condition otherwise once it was dumped and restored, and inherited columns elsewhere. */
function settled(dump: string): string[] {
  const plain = dump
    .replaceAll(/::(character varying|"?text"?)(\(\d+\))?(\[\])?/g, '')
    .replaceAll(/[()]/g, '')
    .replaceAll(/ +/g, ' ');
  return plain
    .split('\n')
    .map((line) => line.replace(/,$/, '').trim())
    .sort();
}

test.each(Array.from({ length: rounds({ short: 8, long: 200 }) }, (_, at) => at + 1))(
  'V9, P1: a good drill of an odd database raises no alarm, and all of it is back: seed %i',
  async (seed) => {
    const odd = oddDatabase(seeded(seed));
    const name = `odd ${seed}`;
    await using cleaning = new AsyncDisposableStack();
    for (const server of [source, target]) {
      cleaning.defer(() => server.script('DROP ROLE IF EXISTS odd_app, odd_group'));
      cleaning.defer(() => server.script(`DROP DATABASE IF EXISTS "${name}"`));
    }
    await source.script(odd.roles);
    await source.createDatabase(name, odd.options);
    await source.script(odd.script, name);
    await source.script(odd.properties(name));

    const adapter = postgresSource({ name: 'db', url: source.urlOf(name), exclude: [] });
    const contents = await contentsOf(await adapter.capture(newRun()));
    expect(contents.captured.problems).toEqual([]);
    const into = target.urlOf(name);
    const restored = await adapter.restore(contents, { into, force: false, only: [], trustCode: true }, newRun());
    expect(restored.problems).toEqual([]);
    const { actual, integrity } = await adapter.measure(into, contents.expectations!, newRun(), contents);
    expect(checkExpectations(contents.expectations, actual, contents.facts)).toMatchObject({ verdict: 'pass' });
    expect(integrity.filter(({ ok }) => !ok)).toEqual([]);

    const both = (...words: string[]) => Promise.all([source, target].map((server) => dumped(server, name, ...words)));
    const [was, is] = (await both('--schema-only')).map(settled);
    expect(is).toEqual(was);
    const [held, holds] = (await both('--data-only', '--exclude-table=odd.below')).map((dump) =>
      dump.split('\n').sort(),
    );
    expect(holds).toEqual(held);
    const inherited = odd.script.includes('odd.below')
      ? 'SELECT a, b, c, d, late FROM odd.below ORDER BY a'
      : 'SELECT 1';
    expect(await target.query(inherited, name)).toEqual(await source.query(inherited, name));
    const create = ['--schema-only', '--create', '--section=pre-data', '--exclude-schema=*'];
    expect(await dumped(target, name, ...create)).toBe(await dumped(source, name, ...create));
  },
);
