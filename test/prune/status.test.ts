import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs } from '../../src/core/duration.ts';
import { startRun } from '../../src/core/run.ts';
import { newUlid } from '../../src/core/ulid.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { pruneJob } from '../../src/jobs/prune.ts';
import { pin } from '../../src/operations/pins.ts';
import type { PruneRequest } from '../../src/operations/prune-plan.ts';
import type { PruneStatus, StatusTrouble } from '../../src/operations/status/status.ts';
import { takeStatus } from '../../src/operations/status/take-status.ts';
import { ledgerKey } from '../../src/vault/format/keys.ts';
import { encodeLedgerEntry } from '../../src/vault/format/ledger.ts';
import { writerId } from '../../src/vault/format/signing.ts';
import { writerKeys } from '../../src/vault/writer/keys.ts';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { doJob } from '../support/jobs.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, clockOff, noise } from '../support/vault.ts';

const plain: PruneRequest = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
const run = () => startRun({ clock: systemClock });

async function prune(system: TestSystem, request: Partial<PruneRequest> = {}, it = run()) {
  using open = system.open();
  return await doJob(open, pruneJob, { ...plain, ...request }, { run: it });
}

interface Seen {
  readonly prune: PruneStatus | undefined;
  /** Of prunes alone. */
  readonly troubles: readonly StatusTrouble[];
}

/** How things stand so many days from now. */
async function statusIn(days: number, system: TestSystem, wrap = (one: Destination) => one): Promise<Seen> {
  using open = system.open({ clock: clockOff(days * dayMs), wrap });
  const { prune, troubles } = await takeStatus(open, open.catalog());
  return { prune, troubles: troubles.filter(({ code }) => code.startsWith('prune-')) };
}

const codes = ({ troubles }: Seen) => troubles.map(({ code }) => code);

/** More in one hour than the schedule makes for an objective of an hour, and some by hand: then a first prune asks. */
const tooMany = 7;

/** Of which retention keeps the newest. */
async function keepingOne(): Promise<TestSystem> {
  const system = await aSystem();
  for (const dataset of Object.values(system.config.datasets)) {
    Object.assign(dataset, { retention: { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 } });
  }
  smallTree(system.source());
  return system;
}

async function backUp(system: TestSystem): Promise<string> {
  writeFileSync(join(system.source(), 'data'), noise(100_000));
  return (await system.backUp()).record.id;
}

/** The same system on another host; both know each other. */
async function secondHost(system: TestSystem): Promise<{ readonly host: TestSystem; readonly id: string }> {
  const { folder, config, identity, packSizes } = system;
  const host = systemOver({ folder, identity, packSizes, config: { ...config, stateDir: join(folder, 'second') } });
  const made = await backUp(host);
  const points = await system.points();
  Object.assign(config.vault, {
    writers: [...new Set(points.map(({ record }) => record.writer))].map((key) => ({ key, systems: [config.name] })),
  });
  return { host, id: writerId(points.find(({ record }) => record.id === made)!.record.writer) };
}

test('where retention never dropped anything, status does not speak of prunes, however long none ran', async () => {
  const system = await keepingOne();
  await backUp(system);
  expect(await statusIn(365, system)).toEqual({
    prune: { last: null, overdue: null, waitsFor: [], stopped: null },
    troubles: [],
  });
});

test('a prune that does not run is told of once what it would remove has waited for two weeks, unless all of it is pinned', async () => {
  const system = await keepingOne();
  const ids = [await backUp(system), await backUp(system), await backUp(system)];
  expect(codes(await statusIn(13, system))).toEqual([]);
  const never = await statusIn(15, system);
  expect(never.prune?.overdue).toMatchObject({ restorePoints: 2, bytes: expect.any(Number) });
  expect(never.troubles).toMatchObject([{ code: 'prune-overdue', severity: 'warning', command: 'lifeboat prune' }]);
  expect(never.troubles[0]?.message).toMatch(
    /^The retention no longer keeps 2 restore points \(.*\), and no prune has ever run\.$/,
  );

  await prune(system);
  await backUp(system);
  expect(codes(await statusIn(13, system))).toEqual([]);
  const long = await statusIn(15, system);
  expect(long.prune?.last).toEqual(expect.any(String));
  expect(long.troubles[0]?.message).toMatch(/and no prune has run since .* \(15 days\)\.$/);
  const blind = (one: Destination): Destination => ({
    ...one,
    list: (prefix) => {
      if (prefix.startsWith('gc/')) throw new Error('access denied');
      return one.list(prefix);
    },
  });
  // Whether one ran cannot be known then.
  expect(codes(await statusIn(15, system, blind))).toEqual([]);

  for (const point of ids) {
    using open = system.open();
    await pin(open, await open.vault(() => {}), { point, reason: 'a court wants it' }, run());
  }
  expect(await statusIn(15, system)).toMatchObject({ prune: { overdue: null }, troubles: [] });
});

test('a prune that waits for a host says for which, since when, and what it backed up; a retired one holds up nobody', async () => {
  const system = await keepingOne();
  await backUp(system);
  await backUp(system);
  const { host, id } = await secondHost(system);
  await prune(system);
  await backUp(system);
  expect(codes(await statusIn(5, system))).toEqual([]);
  const waiting = await statusIn(7, system);
  expect(waiting.prune?.waitsFor).toMatchObject([
    { writer: id, isHere: false, since: waiting.prune?.last, datasets: ['uploads'], objects: expect.any(Number) },
  ]);
  expect(waiting.troubles).toMatchObject([{ code: 'prune-waits', command: expect.stringContaining(`--retire ${id}`) }]);
  expect(waiting.troubles[0]?.message).toMatch(
    /since .* \(7 days\) the prune waits for the host with key [0-9a-f]{8} \(uploads; last 7 days ago\)/,
  );
  const there = await statusIn(7, host);
  expect(there.prune?.waitsFor).toMatchObject([{ writer: id, isHere: true }]);
  expect(there.troubles).toMatchObject([{ code: 'prune-waits', command: 'lifeboat backup' }]);

  const dataset = system.config.datasets.uploads!;
  const { rpoMs } = dataset;
  Object.assign(dataset, { rpoMs: 14 * dayMs });
  expect(codes(await statusIn(7, system))).toEqual([]);
  Object.assign(dataset, { rpoMs });

  await prune(system, { retire: [id] });
  await backUp(system);
  expect((await statusIn(7, system)).prune?.waitsFor).toEqual([]);
  // It writes again, so it counts again; and it has seen what was marked.
  await backUp(host);
  expect((await statusIn(7, system)).prune?.waitsFor).toEqual([]);
});

test('status lists each destination once for it, no pack, and reads at most 5,000 entries of a ledger that it never saw', async () => {
  const system = await keepingOne();
  await backUp(system);
  await backUp(system);
  await plantEntries(system, 5200);
  const asked: string[] = [];
  const counting = (one: Destination): Destination => ({
    ...one,
    list(prefix) {
      asked.push(`list ${prefix}`);
      return one.list(prefix);
    },
    get(key, options) {
      asked.push(`get ${key.split('/')[0]}`);
      return one.get(key, options);
    },
  });
  expect(codes(await statusIn(15, system, counting))).toEqual(['prune-overdue']);
  const times = (what: string) => asked.filter((one) => one.startsWith(what)).length;
  expect([times('list packs'), times('list manifests'), times('list gc'), times('get ledger')]).toEqual([
    0, 0, 1, 5000,
  ]);
});

/** A long life of backups, before what there is. */
async function plantEntries(system: TestSystem, count: number): Promise<void> {
  using open = system.open();
  const vault = (await open.vault(() => {})).id;
  const { signingKey } = await writerKeys(join(system.config.stateDir, 'writer.json'), vault, open.random);
  for (let at = 0; at < count; at++) {
    const id = newUlid(Date.UTC(2026, 0, 1) + at, open.random);
    const time = new Date(Date.UTC(2026, 0, 1) + at).toISOString();
    const chain = { previous: null, sequence: 1 } as const;
    const entry = { format: 1, vault, id, kind: 'backup', time, ...chain, body: {}, sealed: null } as const;
    const file = join(system.at(), ledgerKey(id));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, encodeLedgerEntry(entry, signingKey));
  }
}

test('a host that has seen all that is marked holds up nothing, though a prune ran since', async () => {
  const system = await keepingOne();
  await backUp(system);
  await backUp(system);
  await prune(system);
  await secondHost(system);
  await prune(system);
  await backUp(system);
  expect((await statusIn(7, system)).prune?.waitsFor).toEqual([]);
});

test('a prune that came through from another host takes the place of one that was stopped here, an interrupted one does not', async () => {
  const system = await keepingOne();
  for (let time = 0; time < tooMany; time++) await backUp(system);
  const { host } = await secondHost(system);
  await expect(prune(system, { allowLarge: false })).rejects.toMatchObject({ code: 'prune-too-large' });
  expect(codes(await statusIn(0, system))).toEqual(['prune-stopped']);
  expect(codes(await statusIn(0, host))).toEqual([]);
  const interrupted = startRun({ clock: systemClock, signal: AbortSignal.abort() });
  await expect(prune(system, {}, interrupted)).rejects.toThrow();
  expect(codes(await statusIn(0, system))).toEqual(['prune-stopped']);
  await prune(host);
  expect(codes(await statusIn(0, system))).toEqual([]);
});

test('the brake that stopped the last prune is told of with what it said, until a prune comes through', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  const file = join(folder, 'lifeboat.yaml');
  const retention = 'retention: { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 }';
  const text = readFileSync(file, 'utf8').replace(/^( {2}uploads: \{.*) \}$/m, `$1, ${retention} }`);
  writeFileSync(file, text.replace('rpo: 15m', 'rpo: 1h'));
  for (let time = 0; time < tooMany; time++) {
    writeFileSync(join(folder, 'data/uploads/a.txt'), noise(50_000));
    expect((await lifeboat(folder, ['backup', 'uploads'])).code).toBe(0);
  }
  const stopped = await lifeboat(folder, ['prune']);
  expect(stopped).toMatchObject({ code: 1, stderr: expect.stringContaining('prune-too-large') });
  const told = JSON.parse((await lifeboat(folder, ['status', '--json'])).stdout);
  expect(told.prune).toMatchObject({ last: null, stopped: { code: 'prune-too-large' } });
  const { stdout } = await lifeboat(folder, ['status']);
  expect(stdout).toMatch(
    /! The last prune \(.*\) was stopped\. Nothing was deleted: .*\n {4}run: lifeboat prune --dry-run/,
  );
  const rehearsed = await lifeboat(folder, ['prune', '--dry-run']);
  expect(rehearsed).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('A prune would be stopped. Nothing was'),
  });
  expect((await lifeboat(folder, ['prune', '--dry-run', '--allow-large'])).code).toBe(0);
  expect((await lifeboat(folder, ['status'])).stdout).toContain('was stopped');
  expect((await lifeboat(folder, ['prune', '--allow-large'])).code).toBe(0);
  expect((await lifeboat(folder, ['status'])).stdout).not.toContain('was stopped');
});
