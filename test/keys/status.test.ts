import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dayMs } from '../../src/core/duration.ts';
import { newestSelected } from '../../src/core/evidence.ts';
import { printOf } from '../../src/core/recipient-print.ts';
import { startRun } from '../../src/core/run.ts';
import { verifyEvidence } from '../../src/ledger/verify.ts';
import { noteInLedger } from '../../src/operations/note-in-ledger.ts';
import { takeStatus } from '../../src/operations/status/take-status.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, clockOff } from '../support/vault.ts';

async function backedUp(): Promise<TestSystem> {
  const system = await aSystem();
  smallTree(system.source());
  await system.backUp();
  return system;
}

async function keysAfter(system: TestSystem, days: number) {
  using open = system.open({ clock: clockOff(days * dayMs) });
  const { keys, troubles } = await takeStatus(open, undefined);
  return { keys, codes: troubles.map(({ code }) => code).filter((code) => code.startsWith('key-')), troubles };
}

/** Notes a proved drill that this recipient's key opened, as `drill` does. */
async function proved(system: TestSystem, kind: 'daily' | 'escrow', days = 0, storedDays = days): Promise<void> {
  using open = system.open({ clock: clockOff(days * dayMs) });
  const vault = await open.vault(() => {});
  const started = new Date(open.clock.now()).toISOString();
  const body = {
    drill: { id: '01M7Y3MH3MN92AYBB0X08Z06S5', started, system: system.config.name },
    scope: { datasets: [], left: [], selection: newestSelected },
    checks: [],
    objectives: [],
    rtoMs: 1,
    outcome: { verdict: 'proved', reasons: 0 },
    identity: { kind, opened: system.config.vault.recipients.map(printOf) },
  };
  const { key } = await noteInLedger(open, vault.id, { kind: 'drill', body }, startRun({ clock: open.clock }));
  // The store's clock is that of the day too: what is dated ahead of it proves nothing.
  for (const name of Object.keys(system.config.destinations)) {
    const storedAt = new Date(clockOff(storedDays * dayMs).now());
    utimesSync(join(system.at(name), key), storedAt, storedAt);
  }
}

test('a key that no drill has used is a trouble once it is a week old, with the command that mends it', async () => {
  const system = await backedUp();
  expect(await keysAfter(system, 0)).toMatchObject({ codes: [], keys: [{ proved: null, since: expect.any(String) }] });
  expect((await keysAfter(system, 6)).codes).toEqual([]);
  const later = await keysAfter(system, 8);
  expect(later.codes).toEqual(['key-never-proved']);
  expect(later.troubles.find(({ code }) => code === 'key-never-proved')).toMatchObject({
    severity: 'warning',
    message: expect.stringContaining('8 d'),
    command: expect.stringContaining('lifeboat drill --identity'),
  });
});

test('a proof is remembered with its kind, counts for a quarter, and is then asked for anew', async () => {
  const system = await backedUp();
  await keysAfter(system, 0);
  await proved(system, 'escrow');
  expect(await keysAfter(system, 50)).toMatchObject({ codes: [], keys: [{ proved: { kind: 'escrow' } }] });
  const old = await keysAfter(system, 102);
  expect(old.codes).toEqual(['key-proof-old']);
  expect(old.troubles.find(({ code }) => code === 'key-proof-old')?.command).toBe('lifeboat drill --escrow');
  await proved(system, 'daily', 103);
  expect(await keysAfter(system, 104)).toMatchObject({ codes: [], keys: [{ proved: { kind: 'daily' } }] });
});

test('a proof that a stranger signed does not count', async () => {
  const system = await backedUp();
  using open = system.open();
  const [own] = (await (await open.vault(() => {})).pointsOfAll()).points.map(({ record }) => record.writer);
  const trusting = {
    ...system.config,
    vault: { ...system.config.vault, writers: [{ key: own!, systems: [system.config.name] }] },
  };
  const stranger = { ...trusting, stateDir: join(system.folder, 'elsewhere') };
  await proved(systemOver({ ...system, config: stranger }), 'daily');
  const believing = systemOver({ ...system, config: trusting });
  expect(await keysAfter(believing, 0)).toMatchObject({ keys: [{ proved: null }] });
  await proved(believing, 'daily');
  expect(await keysAfter(believing, 0)).toMatchObject({ keys: [{ proved: { kind: 'daily' } }] });
});

test('drill-04: once the clock of a host ran ahead; what it proves since then counts, in its own order and for its own day', async () => {
  const system = await backedUp();
  await proved(system, 'daily', 40, 0);
  expect(await keysAfter(system, 0)).toMatchObject({ keys: [{ proved: null }] });
  await proved(system, 'escrow');
  await proved(system, 'daily');
  using open = system.open();
  const status = await takeStatus(open, undefined);
  expect(status).toMatchObject({ keys: [{ proved: { kind: 'daily' } }], proof: { id: expect.any(String) } });
  expect(status.troubles.map(({ code }) => code)).toContain('evidence-doubtful');
  expect((await verifyEvidence((await open.vault(() => {})).destinations, {})).problems).toEqual([]);
});
