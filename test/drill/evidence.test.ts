import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs } from '../../src/core/duration.ts';
import type { DrillEvidence } from '../../src/core/evidence.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { openDestination } from '../../src/destinations/registry.ts';
import type { Hearing } from '../../src/ledger/standing.ts';
import { verifyEvidence } from '../../src/ledger/verify.ts';
import { listEvidence, showEvidence } from '../../src/operations/drill/evidence.ts';
import { hearingOf } from '../../src/operations/hearing.ts';
import type { OpenSystem } from '../../src/operations/system.ts';
import { openVault } from '../../src/vault/open.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { clockAhead, type Stage, setStage } from './stage.ts';

let folder: TemporaryFolder;
let stage: Stage;
let destinations: Destination[];
let ledger: string;
let hearing: Hearing;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  stage = await setStage(folder.path, { drill: ' {}' });
  await stage.backUp();
  for (let at = 0; at < 3; at++) await stage.drill({ namespaces: false, ...(at === 1 && { restored: breakDatabase }) });
  destinations = [await openDestination('local', { type: 'local', path: join(folder.path, 'backups') })];
  const vault = await openVault(destinations);
  const open = { config: stage.system, clock: systemClock } as OpenSystem;
  hearing = await hearingOf(open, vault);
  ledger = join(folder.path, 'backups', 'ledger');
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function breakDatabase(dataset: string, where: string): void {
  if (dataset === 'app-db') writeFileSync(where, 'not a database');
}

describe('V7: the evidence of drills', () => {
  test('lists every drill, failures too, the newest first', async () => {
    const { entries, troubles } = await listEvidence(destinations, hearing);
    expect(entries.map(({ kind, verdict }) => `${kind} ${verdict}`)).toEqual([
      'drill proved',
      'drill failed',
      'drill proved',
    ]);
    expect(entries[0]).toMatchObject({ datasets: ['app-db', 'uploads'], rtoMs: expect.any(Number) });
    expect(troubles).toEqual([]);
  });

  test('says what was drilled, where, how long it took, and against which objectives', async () => {
    const { record } = await showEvidence(destinations, 'latest', hearing, []);
    const body = record.body as unknown as DrillEvidence;
    expect(body.scope.datasets.map(({ restorePoint }) => restorePoint)).toEqual([
      expect.any(String),
      expect.any(String),
    ]);
    expect(body.drill).toMatchObject({ system: 'stage', trigger: 'test' });
    expect(body.drill.configurationFingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(body.phases.map(({ phase }) => phase)).toEqual(['find', 'prepare', 'restore', 'check', 'clean-up']);
    expect(body.objectives[0]).toMatchObject({ dataset: 'app-db', rpoMs: 900_000, rtoMs: 600_000 });
    expect(body.steps.map(({ id }) => id)).toEqual(['application/start', 'traffic/switch']);
    expect(body.cleanUp.removed).toBe(true);
    expect((await showEvidence(destinations, body.drill.id, hearing, [])).record.id).toBe(record.id);
  });

  test('L: nothing in it tells whether a guess of the configuration is right', async () => {
    const { record } = await showEvidence(destinations, 'latest', hearing, []);
    expect(JSON.stringify(record)).not.toContain(stage.system.digest);
  });

  test('shows tables and values only to holders of an identity', async () => {
    const open = await showEvidence(destinations, 'latest', hearing, []);
    expect(open.details).toBeNull();
    expect(JSON.stringify(open.record.body)).not.toMatch(/invoices|INV-|rows in/);
    const sealed = await showEvidence(destinations, 'latest', hearing, [stage.identity]);
    expect(sealed.details?.checks.find(({ id }) => id === 'app-db/expectations')?.message).toMatch(/rows in/);
  });

  test('holds as a whole, offline; an entry that was changed or removed is named', async () => {
    const whole = await verifyEvidence(destinations, {});
    expect(whole).toMatchObject({ ok: true, entries: 3, problems: [], troubles: [] });
    const [first = '', second = ''] = readdirSync(ledger).sort();
    const [one, two] = [join(ledger, first), join(ledger, second)];
    const [oneBytes, twoBytes] = [readFileSync(one), readFileSync(two)];

    rmSync(two);
    const gap = await verifyEvidence(destinations, {});
    expect(gap.problems.map(({ code }) => code)).toEqual(['gap']);
    const changed = Buffer.from(
      twoBytes.toString().replace(/"payload":"(.)/, (_, first) => `"payload":"${first === 'e' ? 'f' : 'e'}`),
    );
    writeFileSync(two, changed);
    const forged = await verifyEvidence(destinations, {});
    expect(forged.problems.map(({ key, code }) => `${code} ${key}`)).toContain(`damaged ledger/${second}`);
    writeFileSync(two, twoBytes);

    writeFileSync(one, twoBytes);
    expect((await verifyEvidence(destinations, {})).ok).toBe(false);
    writeFileSync(one, oneBytes);
    expect(await verifyEvidence(destinations, {})).toMatchObject({ ok: true });
    expect((await verifyEvidence(destinations, { writers: ['somebody else'] })).problems).toMatchObject([
      { code: 'stranger' },
    ]);
  });

  test('drills that end at the same time still make one chain', async () => {
    await Promise.all([stage.drill({ namespaces: false }), stage.drill({ namespaces: false })]);
    expect(await verifyEvidence(destinations, {})).toMatchObject({ ok: true, entries: 5, problems: [] });
  });

  test('H10: by a clock that was set back, a backup is not called fresh: how much would be lost is not known', async () => {
    const { outcome, evidence } = await stage.drill({ namespaces: false, clock: clockAhead(-2 * dayMs) });
    expect(evidence.objectives.map(({ rpoMeasuredMs }) => rpoMeasuredMs)).toEqual([null, null]);
    expect(outcome.objectivesMet).toBe(false);
  });

  test('that does not exist is told apart from an empty ledger', async () => {
    await expect(showEvidence(destinations, 'nothing', hearing, [])).rejects.toMatchObject({
      code: 'evidence-unknown',
    });
    await expect(showEvidence([], 'latest', hearing, [])).rejects.toMatchObject({ code: 'evidence-unknown' });
    expect(await listEvidence([], hearing)).toEqual({ entries: [], doubtful: [], doubtfulCount: 0, troubles: [] });
  });
});
