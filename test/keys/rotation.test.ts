import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { generateIdentity, type KeyPair } from '../../src/vault/age/identity.ts';
import { pictureOf } from '../support/pictures.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, objectsIn } from '../support/vault.ts';

// Deduplication uses packs again that were sealed before a recipient was added. Its key must open them all the same.

let system: TestSystem;
let added: KeyPair;

beforeEach(async () => {
  system = await aSystem();
  smallTree(system.source());
  added = generateIdentity();
});

function withRecipients(recipients: readonly string[], identity = system.identity): TestSystem {
  const config = { ...system.config, vault: { ...system.config.vault, recipients } };
  return systemOver({ ...system, config, identity });
}

const packsOf = (of: TestSystem) => [...objectsIn(of.at()).keys()].filter((key) => key.startsWith('packs/'));

describe('a recipient is added', () => {
  test('its key alone opens the whole of the next restore point', async () => {
    await system.backUp();
    const both = withRecipients([...system.config.vault.recipients, added.recipient], added.identity);
    const picture = pictureOf(system.source());
    const { record } = await both.backUp();
    expectSame(await both.readBack(record.id), picture);
    expectSame(await withRecipients(system.config.vault.recipients).readBack(record.id), picture);
  });

  test('data is sent again once, not twice', async () => {
    await system.backUp();
    const both = withRecipients([...system.config.vault.recipients, added.recipient], added.identity);
    expect((await both.backUp()).record.sizes.added).toBeGreaterThan(0);
    expect((await both.backUp()).record.sizes.added).toBe(0);
    expect((await both.backUp()).record.sizes.added).toBe(0);
  });

  test('a host that lost its index does not take the old packs up again', async () => {
    await system.backUp();
    const both = withRecipients([...system.config.vault.recipients, added.recipient], added.identity);
    rmSync(join(system.config.stateDir, 'index.sqlite'));
    const { record } = await both.backUp();
    expectSame(await both.readBack(record.id), pictureOf(system.source()));
    rmSync(join(system.config.stateDir, 'index.sqlite'));
    rmSync(join(system.config.stateDir, 'trees'), { recursive: true });
    const next = await both.backUp();
    expect(next.record.sizes.added).toBe(0);
    expectSame(await both.readBack(next.record.id), pictureOf(system.source()));
  });

  test('an interrupted first backup for it leaves no restore point with packs that it cannot open', async () => {
    await system.backUp();
    const both = withRecipients([...system.config.vault.recipients, added.recipient], added.identity);
    const controller = new AbortController();
    const onEvent = () => {
      if (packsOf(system).length > 5) controller.abort(new DOMException('interrupted', 'AbortError'));
    };
    await both.backUp({ signal: controller.signal, onEvent }).catch(() => undefined);
    const { record } = await both.backUp();
    expectSame(await both.readBack(record.id), pictureOf(system.source()));
  });
});

describe('a recipient is removed', () => {
  test('what every remaining one opens is used again; with fresh it is sent again, once', async () => {
    const both = withRecipients([...system.config.vault.recipients, added.recipient]);
    await both.backUp();
    expect((await system.backUp()).record.sizes.added).toBe(0);

    const before = new Set(packsOf(system));
    const fresh = await system.backUp({ fresh: true });
    expect(fresh.record.sizes.added).toBeGreaterThan(0);
    expect([...fresh.needs.packs].filter(([pack]) => before.has(`packs/${pack.slice(0, 2)}/${pack}.age`))).toEqual([]);
    expect((await system.backUp({ fresh: true })).record.sizes.added).toBe(0);

    const removed = withRecipients(system.config.vault.recipients, added.identity);
    await expect(removed.readBack(fresh.record.id)).rejects.toMatchObject({ code: 'no-identity-fits' });
  });

  test('new data is not sealed to it', async () => {
    const both = withRecipients([...system.config.vault.recipients, added.recipient]);
    await both.backUp();
    writeFileSync(join(system.source(), 'new'), 'after the removal');
    const { record } = await system.backUp();
    const removed = withRecipients(system.config.vault.recipients, added.identity);
    await expect(removed.readBack(record.id)).rejects.toMatchObject({ code: 'history-closed' });
  });
});

test('verify-false-damage: what was sealed before a key was added is not damaged because that key does not open it', async () => {
  await system.backUp();
  const after = withRecipients([added.recipient], added.identity);
  await after.backUp();
  const { sound, findings, objectsClosed } = await after.verify();
  expect({ sound, findings }).toEqual({ sound: true, findings: [] });
  expect(objectsClosed).toBeGreaterThan(0);
  expect((await after.verify({}, [system.identity, added.identity])).objectsClosed).toBe(0);
});
