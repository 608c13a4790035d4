import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type Problem, type RunEvent, startRun } from '../../src/core/run.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { withFaults } from '../../src/destinations/wrap/fault.ts';
import { prune } from '../../src/operations/prune.ts';
import type { PruneRequest } from '../../src/operations/prune-plan.ts';
import { generationKey, ledgerKey } from '../../src/vault/format/keys.ts';
import { encodeLedgerEntry } from '../../src/vault/format/ledger.ts';
import { recordKey } from '../../src/vault/format/record.ts';
import { newSigningKey } from '../../src/vault/format/signing.ts';
import type { Doing, TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, objectsIn } from '../support/vault.ts';

/** What whoever may only add objects can put under names of ours. */
const plain: PruneRequest = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
const suspect = { code: 'prune-suspect' };

async function pruned(system: TestSystem, request: Partial<PruneRequest> = {}, doing: Doing = {}) {
  const told: Problem[] = [];
  const onEvent = (event: RunEvent) => void (event.type === 'problem' && told.push(event.problem));
  using open = system.open(doing);
  const outcome = await prune(open, { ...plain, ...request }, startRun({ clock: systemClock, onEvent }));
  return { ...outcome, told };
}

function put(system: TestSystem, key: string, bytes: string | Uint8Array): string {
  const file = join(system.at(), key);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  return file;
}

test('H2: junk under the next thousand numbers pushes a prune further, and writers and prunes follow it', async () => {
  const system = await aSystem();
  smallTree(system.source());
  await system.backUp();
  expect((await pruned(system)).generation).toBe(1);
  for (let number = 2; number <= 1201; number++) put(system, generationKey(number), 'x');
  expect((await system.backUp()).record.generation).toBe(1);
  const { generation, told } = await pruned(system);
  expect(generation).toBe(1202);
  // One line, however many there are.
  expect(told.filter(({ code }) => code === 'generation-suspect')).toMatchObject([
    { message: expect.stringContaining('1,199 more objects') },
  ]);
  put(system, generationKey(1203), 'x');
  expect((await system.backUp()).record.generation).toBe(1202);
  expect((await pruned(system)).generation).toBe(1204);
  const [newHost] = await system.points();
  expect(newHost?.doubts).toEqual([]);
  rmSync(join(system.config.stateDir, 'generation.json'));
  expect((await system.backUp()).record.generation).toBe(1204);
});

test('what lies where a record should be is accepted once, and each new thing again; what a stranger accepts is not', async () => {
  const system = await aSystem();
  smallTree(system.source());
  const { record } = await system.backUp();
  const junk = () => put(system, recordKey({ ...record, id: newUlid(Date.now(), randomBytes) }), randomBytes(40));
  const keyOf = (file: string) => file.slice(system.at().length + 1);

  const first = junk();
  await expect(pruned(system)).rejects.toMatchObject(suspect);
  const id = newUlid(Date.now(), randomBytes);
  const body = { step: 'mark', generation: 1, removed: [], retired: [], junk: [keyOf(first)] };
  const unsigned = { format: 1, vault: record.vault, id, kind: 'prune', time: record.time, previous: null } as const;
  const entry = { ...unsigned, sequence: 1, body, sealed: null } as const;
  put(system, ledgerKey(id), encodeLedgerEntry(entry, newSigningKey().privateKey));
  await expect(pruned(system)).rejects.toMatchObject(suspect);

  expect((await pruned(system, { allowMissing: true })).generation).toBe(1);
  const { generation, told } = await pruned(system);
  expect(generation).toBe(2);
  expect(told).toContainEqual({ code: 'junk-accepted', message: expect.stringContaining(keyOf(first)) });

  const second = junk();
  await expect(pruned(system)).rejects.toMatchObject({ ...suspect, message: expect.stringContaining(keyOf(second)) });
  await pruned(system, { allowMissing: true });
  await pruned(system);
});

test('a record that cannot be fetched now is accepted for now: it may be sound tomorrow', async () => {
  const system = await aSystem();
  smallTree(system.source());
  const { record } = await system.backUp();
  await system.backUp();
  const away: Doing = {
    wrap: (one) => withFaults(one, [{ kind: 'error-before', verb: 'get', key: new RegExp(record.id) }]),
  };
  await expect(pruned(system, {}, away)).rejects.toMatchObject(suspect);
  await pruned(system, { allowMissing: true }, away);
  await expect(pruned(system, {}, away)).rejects.toMatchObject(suspect);
  expect((await pruned(system)).suspect).toEqual([]);
});

test('an entry of the ledger whose loss was accepted is asked for no more', async () => {
  const system = await aSystem();
  smallTree(system.source());
  for (let time = 0; time < 3; time++) await system.backUp();
  await pruned(system, { retire: ['0'.repeat(32)] });
  const entries = [...objectsIn(system.at()).keys()].filter((key) => key.startsWith('ledger/')).sort();
  expect(entries.length).toBeGreaterThan(1);
  rmSync(join(system.at(), entries[0]!));
  await expect(pruned(system)).rejects.toMatchObject(suspect);
  await pruned(system, { allowMissing: true });
  await pruned(system);
});
