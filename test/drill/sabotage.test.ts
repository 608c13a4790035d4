import { existsSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { System } from '../../src/config/system.ts';
import { dayMs } from '../../src/core/duration.ts';
import { sandboxFailed } from '../../src/sandbox/errors.ts';
import type { Contents, Source } from '../../src/sources/source.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { clockAhead, makeDatabase, type Rehearsed, type Sabotage, type Stage, setStage } from './stage.ts';

let folder: TemporaryFolder;
let stage: Stage;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  stage = await setStage(folder.path);
  await stage.backUp();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Changes the restored database, as a bad backup of it would have come back. */
function onDatabase(sql: string) {
  return (dataset: string, where: string) => {
    if (dataset !== 'app-db') return;
    using database = new DatabaseSync(where);
    database.exec(sql);
  };
}

function onUploads(change: (folder: string) => void) {
  return (dataset: string, where: string) => {
    if (dataset === 'uploads') change(where);
  };
}

/** The system as if its application were started with one more variable. */
function broken(how: string) {
  return (system: System): System => {
    const { app } = system.drill;
    if (app === undefined) throw new Error('the stage has an application');
    const value = { shown: how, expand: async () => how };
    const readyTimeoutMs = { 'never-ready': 20_000, 'other-port': 20_000 }[how] ?? app.readyTimeoutMs;
    return {
      ...system,
      drill: { ...system.drill, app: { ...app, readyTimeoutMs, env: { ...app.env, BROKEN: value } } },
    };
  };
}

/** Without the application: for faults that the data alone must show. */
function dataOnly(system: System): System {
  const { app: _, ...drill } = system.drill;
  return { ...system, drill: { ...drill, checks: drill.checks.filter(({ type }) => type !== 'http') } };
}

function sabotage(how: Sabotage): Promise<Rehearsed> {
  return stage.drill({ system: dataOnly, namespaces: false, ...how });
}

function expectFailure({ outcome, evidence }: Rehearsed, check: string, message: RegExp): void {
  const found = outcome.checks.find(({ id }) => id === check);
  expect(found?.message).toMatch(message);
  expect(found?.verdict).toBe('fail');
  expect(outcome.verdict).toBe('failed');
  expect(outcome.why.join(' ')).toMatch(message);
  expect(evidence.outcome.verdict).toBe('failed');
}

describe('a good backup', () => {
  test('is proved: data compared, the application signed in to, an upload opened, and nothing left behind', async () => {
    const { outcome, evidence } = await stage.drill();
    expect(outcome.why).toEqual([]);
    expect(outcome.verdict).toBe('proved');
    expect(outcome.notes).toEqual([]);
    expect(outcome.checks.map(({ id, verdict }) => `${verdict} ${id}`)).toEqual([
      'pass app-db/age',
      'pass uploads/age',
      'pass app-db/restored',
      'pass uploads/restored',
      'pass app-db/file',
      'pass app-db/integrity_check',
      'pass app-db/foreign_key_check',
      'pass app-db/definitions',
      'pass app-db/header',
      'pass app-db/expectations',
      'pass uploads/contents',
      'pass uploads/expectations',
      'pass invoices are there',
      'pass uploads open',
      'pass application/start',
      'pass sign in',
      'pass lifeboat-config/restored',
    ]);
    expect(evidence.place).toMatchObject({ networkIsolated: true, filesIsolated: true });
    expect(evidence.place.tried).toContain('tcp 192.0.2.1:443: ENETUNREACH');
    expect(evidence.cleanUp.removed).toBe(true);
    expect(readdirSync(join(stage.stateDir, 'sandboxes'))).toEqual([]);
    // The application wrote to its restored database and to nothing of production.
    expect(readdirSync(join(stage.folder, 'data')).sort()).toEqual(['app.db', 'uploads']);
  });
});

describe('sabotage: a broken backup is caught by the check that should catch it', () => {
  test('a dump that is truncated (OpenDigitalProductFactory #1922)', async () => {
    const rehearsed = await sabotage({
      restored(dataset, where) {
        if (dataset === 'app-db') truncateSync(where, statSync(where).size / 2);
      },
    });
    expectFailure(rehearsed, 'app-db/integrity', /malformed|not a database|disk image|page/i);
  });

  test('V3: a table that is missing, one that is new, rows that were removed, and a row that was changed: each is named', async () => {
    const rehearsed = await sabotage({
      restored: onDatabase(`DROP TABLE users; CREATE TABLE extra (a); INSERT INTO extra VALUES (1);
        DELETE FROM invoices WHERE id > 197; UPDATE uploads SET path = '8.pdf' WHERE id = 7`),
    });
    expectFailure(rehearsed, 'app-db/expectations', /users.* is missing; it had 1 row\./);
    expectFailure(rehearsed, 'app-db/expectations', /extra.* was not recorded; it has 1 row\./);
    expectFailure(rehearsed, 'app-db/expectations', /invoices.* has 197 rows instead of 200: 3 missing\./);
    expectFailure(
      rehearsed,
      'app-db/expectations',
      /uploads.* has 20 rows, as many as recorded, and not what was in them\./,
    );
  });

  test('the schema without its data', async () => {
    const rehearsed = await sabotage({
      restored: onDatabase('DELETE FROM users; DELETE FROM invoices; DELETE FROM uploads'),
    });
    expectFailure(rehearsed, 'app-db/expectations', /invoices.* has 0 rows instead of 200/);
    expectFailure(rehearsed, 'invoices are there', /0 does not meet '>= 1'/);
    expectFailure(rehearsed, 'uploads open', /named no file, so it looked at nothing/);
  });

  test('another database in place of this one', async () => {
    const rehearsed = await sabotage({
      restored(dataset, where) {
        if (dataset !== 'app-db') return;
        rmSync(where);
        using other = new DatabaseSync(where);
        other.exec('CREATE TABLE posts (id INTEGER PRIMARY KEY); INSERT INTO posts VALUES (1)');
      },
    });
    expectFailure(rehearsed, 'app-db/expectations', /invoices.* is missing; it had 200 rows\./);
    expectFailure(rehearsed, 'app-db/expectations', /posts.* was not recorded/);
    expectFailure(rehearsed, 'invoices are there', /no such table: invoices/);
  });

  test('V4: an upload that is missing', async () => {
    const rehearsed = await sabotage({ restored: onUploads((where) => rmSync(join(where, '7.pdf'))) });
    expectFailure(rehearsed, 'uploads open', /1 of 20 references fails: 7\.pdf is missing\./);
    expectFailure(rehearsed, 'uploads/expectations', /19 files instead of 20: 1 missing/);
  });

  test('V4: uploads that were swapped, emptied, or became something else', async () => {
    const rehearsed = await sabotage({
      restored: onUploads((where) => {
        renameSync(join(where, '1.pdf'), join(where, 'swap'));
        renameSync(join(where, '2.pdf'), join(where, '1.pdf'));
        renameSync(join(where, 'swap'), join(where, '2.pdf'));
        writeFileSync(join(where, '3.pdf'), '');
        writeFileSync(join(where, '4.pdf'), '<html>404 not found</html>');
      }),
    });
    expectFailure(rehearsed, 'uploads/contents', /1\.pdf has .*bytes.*2\.pdf has .*bytes/);
    expectFailure(rehearsed, 'uploads open', /3\.pdf is empty, 4\.pdf is not of the type/);
  });

  test("yesterday's restore point in place of today's (bcgov/backup-container #134, CapyInn #188)", async () => {
    const rehearsed = await sabotage({ clock: clockAhead(dayMs) });
    expectFailure(rehearsed, 'app-db/age', /newest restore point of app-db is (24 h|1 day).* old; its RPO is 15 min/);
    expect(rehearsed.outcome.objectivesMet).toBe(false);
  });

  test('the wrong key', async () => {
    const { generateIdentity } = await import('../../src/vault/age/identity.ts');
    const rehearsed = await sabotage({ identities: [generateIdentity().identity] });
    expectFailure(rehearsed, 'app-db/restored', /identit/);
  });

  test('a restore that ends well and did nothing (ovumcy-web #349, ayunis-core #118)', async () => {
    const idle = (dataset: string, source: Source): Source =>
      dataset !== 'app-db'
        ? source
        : {
            ...source,
            async restore(_, target) {
              using empty = new DatabaseSync(target.into ?? '');
              empty.exec('CREATE TABLE invoices (id)');
              return { where: target.into ?? '', files: 1, bytes: 4096, problems: [] };
            },
          };
    const rehearsed = await sabotage({ source: idle });
    expectFailure(rehearsed, 'app-db/expectations', /users.* is missing/);
  });

  test('a check that reads nothing (open-pryv.io #124, nself cli #325)', async () => {
    const hollow = (system: System): System => ({
      ...system,
      drill: {
        ...system.drill,
        checks: system.drill.checks.map((check) =>
          check.type === 'sql' ? { ...check, query: 'select id from invoices where id < 0' } : check,
        ),
      },
    });
    expectFailure(await sabotage({ system: hollow }), 'invoices are there', /gave no row, so it looked at nothing/);
  });

  test('a restore point without expectations, where no other check looks into the data', async () => {
    const bare = (_: string, { expectations: __, ...contents }: Contents): Contents => contents;
    const unchecked = (system: System): System => ({ ...system, drill: { ...dataOnly(system).drill, checks: [] } });
    const { outcome } = await sabotage({ contents: bare, system: unchecked });
    expect(outcome.verdict).toBe('failed');
    expect(outcome.checks.find(({ id }) => id === 'app-db/expectations')).toMatchObject({ verdict: 'skip' });
    expect(outcome.why.join(' ')).toMatch(/app-db: no check looked into its data/);
  });

  test('a dataset without any restore point', async () => {
    const more = (system: System): System => {
      const uploads = system.datasets.uploads;
      if (uploads === undefined) throw new Error('the stage has uploads');
      return { ...system, datasets: { ...system.datasets, forgotten: { ...uploads, name: 'forgotten' } } };
    };
    expectFailure(await sabotage({ system: more }), 'forgotten/find', /no restore point of forgotten/);
  });
});

describe('sabotage: an application that does not work on the restored data', () => {
  test('starts, but nobody can sign in', async () => {
    expectFailure(
      await stage.drill({ system: broken('sign-in') }),
      'sign in',
      /POST \/login: status 401 instead of 303/,
    );
  });

  test('drill-05: answers well from another database, and never opened the restored one', async () => {
    makeDatabase(join(stage.folder, 'another.db'));
    const misspelt = (system: System): System => {
      const { app } = system.drill;
      const DATABASE = { shown: 'a misspelt name', expand: async () => join(stage.folder, 'another.db') };
      return app === undefined
        ? system
        : { ...system, drill: { ...system.drill, app: { ...app, env: { ...app.env, DATABASE } } } };
    };
    const { outcome } = await stage.drill({ system: misspelt });
    expect(outcome.why).toEqual([]);
    expect(outcome.notes).toEqual([expect.stringMatching(/never opened the restored app-db.*RESTORED_APP_DB/)]);
  });

  test('never becomes ready', async () => {
    const rehearsed = await stage.drill({ system: broken('never-ready') });
    expectFailure(rehearsed, 'application/start', /not ready after .*last: status 503/);
    expect(rehearsed.outcome.checks.find(({ id }) => id === 'sign in')).toMatchObject({
      verdict: 'skip',
      reason: 'the application was not started',
    });
  });

  test('app-env-overrides-port: listens on another port than its own settings were to say', async () => {
    const rehearsed = await stage.drill({ system: broken('other-port') });
    expectFailure(rehearsed, 'application/start', /It listens on port \d+ and not on \d+: .* drill\.app\.env/);
  });

  test('ends at once', async () => {
    const rehearsed = await stage.drill({ system: broken('exits') });
    expectFailure(rehearsed, 'application/start', /ended with exit code 3 before it was ready\. It said: cannot start/);
  });
});

describe('what is no fault of the backup', () => {
  test('V6: a place without room or rights to drill is inconclusive, and the backups are not blamed', async () => {
    const cramped = (_: string, source: Source): Source => ({
      ...source,
      restore: async () => {
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      },
    });
    const full = await sabotage({ source: cramped });
    expect(full.outcome.verdict).toBe('inconclusive');
    expect(full.outcome.why.join(' ')).toContain('no space left');
    const weak = (_: string, source: Source): Source => ({
      ...source,
      measure: async () => {
        throw sandboxFailed({ doing: 'start a process', why: 'its first process ended' });
      },
    });
    expect((await sabotage({ source: weak })).outcome.verdict).toBe('inconclusive');
  });

  test('a fault that was found outweighs a place that failed', async () => {
    const rehearsed = await sabotage({
      restored: onDatabase('DELETE FROM invoices'),
      source: (dataset, source) =>
        dataset !== 'uploads'
          ? source
          : { ...source, restore: async () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) },
    });
    expect(rehearsed.outcome.verdict).toBe('failed');
  });

  test('without namespaces the application is not started, unless it is allowed; the evidence says so either way', async () => {
    const refused = await stage.drill({ namespaces: false });
    expect(refused.outcome.verdict).toBe('inconclusive');
    expect(refused.outcome.checks.find(({ id }) => id === 'application/start')?.message).toMatch(
      /nothing would keep it from this host/,
    );
    const allowed = await stage.drill({ namespaces: false, withoutIsolation: true });
    expect(allowed.outcome.verdict).toBe('inconclusive');
    expect(allowed.outcome.why).toEqual([expect.stringMatching(/^isolation: .*nothing kept it from this host/)]);
    expect(allowed.evidence.place).toMatchObject({ isolation: 'none', networkIsolated: false });
  });

  test('a drill of one dataset proves that one, starts no application, and says what it left out', async () => {
    const { outcome, evidence } = await stage.drill({ datasets: ['uploads'], namespaces: false });
    expect(outcome.verdict).toBe('proved');
    expect(evidence.scope.left).toEqual([{ dataset: 'app-db', reason: 'not chosen for this drill' }]);
    const skipped = outcome.checks
      .filter(({ verdict }) => verdict === 'skip')
      .map(({ id, reason }) => `${id}: ${reason}`);
    expect(skipped).toEqual([
      'invoices are there: app-db is out of scope: not chosen for this drill',
      'uploads open: app-db is out of scope: not chosen for this drill',
      'application/start: not all datasets were chosen for this drill',
      'sign in: the application was not started',
    ]);
    await expect(stage.drill({ datasets: ['nothing'] })).rejects.toMatchObject({ code: 'dataset-unknown' });
  });

  test('an interrupted drill removes what it made', async () => {
    const stop = new AbortController();
    const drill = stage.drill({
      signal: stop.signal,
      restored: () => stop.abort(new Error('interrupted')),
    });
    await expect(drill).rejects.toThrow('interrupted');
    expect(readdirSync(join(stage.stateDir, 'sandboxes'))).toEqual([]);
  });
});

describe('a good backup of little', () => {
  test('of an empty database and an empty folder passes where that is said to be right (micro-org #517)', async () => {
    await using place = await makeTemporaryFolder();
    await using little = await setStage(place.path, {
      drill: ' {}',
      prepare(at) {
        rmSync(join(at, 'data', 'app.db'));
        new DatabaseSync(join(at, 'data', 'app.db')).exec('CREATE TABLE t (a)');
        for (const name of readdirSync(join(at, 'data', 'uploads'))) rmSync(join(at, 'data', 'uploads', name));
      },
    });
    await little.backUp();
    // The copy is as good as it can be, and shows nothing: until the configuration says that it may be empty.
    const silent = await little.drill();
    expect(silent.outcome.verdict).toBe('inconclusive');
    expect(silent.outcome.why.join(' ')).toMatch(/app-db.*nothing to compare.*uploads.*nothing to compare/);
    const said = (system: System): System => {
      const datasets = Object.entries(system.datasets).map(([name, one]) => [
        name,
        { ...one, mayBeEmpty: 'not begun' },
      ]);
      return { ...system, datasets: Object.fromEntries(datasets) };
    };
    const { outcome } = await little.drill({ system: said });
    expect(outcome.why).toEqual([]);
    expect(outcome.verdict).toBe('proved');
  });

  test('with a table that is empty by right passes, and one that lost its rows does not', async () => {
    const { outcome } = await sabotage({ restored: onDatabase('SELECT * FROM drafts') });
    expect(outcome.verdict).toBe('proved');
    expectFailure(
      await sabotage({ restored: onDatabase('INSERT INTO drafts VALUES (1)') }),
      'app-db/expectations',
      /drafts.* has 1 row instead of 0/,
    );
  });

  test('that is restored over nothing of production: the live files are what they were', async () => {
    const live = join(stage.folder, 'data', 'app.db');
    await stage.drill();
    expect(existsSync(`${live}-wal`)).toBe(false);
    using database = new DatabaseSync(live, { readOnly: true });
    expect(database.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'visits'").get()).toEqual({ n: 0 });
  });
});
