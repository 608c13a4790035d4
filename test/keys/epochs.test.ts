import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { printOf } from '../../src/core/recipient-print.ts';
import { startRun } from '../../src/core/run.ts';
import type { Fault } from '../../src/destinations/wrap/fault.ts';
import { copyVault } from '../../src/operations/copy/copy.ts';
import { admit } from '../../src/operations/keys/admit.ts';
import { generateIdentity, recipientOf } from '../../src/vault/age/identity.ts';
import { openEpochKey } from '../../src/vault/epochs/epoch.ts';
import { decodeGrant } from '../../src/vault/format/grant.ts';
import { parseKey } from '../../src/vault/format/keys.ts';
import { lifeboat, project, sealTo } from '../cli/lifeboat.ts';
import { backUpKilled } from '../support/backup-process.ts';
import { pictureOf } from '../support/pictures.ts';
import { rounds } from '../support/rounds.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, objectsIn } from '../support/vault.ts';
import { start } from '../support/vault-worker.ts';

// What happens to keys in the life of a vault: one is lost, the machine dies on the way, several machines write at once.

function withRecipients(system: TestSystem, recipients: readonly string[], identity = system.identity): TestSystem {
  const config = { ...system.config, vault: { ...system.config.vault, recipients } };
  return systemOver({ ...system, config, identity });
}

function grantsIn(folder: string) {
  return [...objectsIn(folder)].flatMap(([key, bytes]) =>
    parseKey(key)?.type === 'grant' ? [decodeGrant(bytes, key)] : [],
  );
}

async function admitHere(system: TestSystem, identity = system.identity) {
  using open = system.open();
  return await admit(open, await open.vault(() => {}), [identity], startRun({ clock: systemClock }));
}

describe('the offline key is lost, with the real commands', () => {
  test('another takes its place: it opens every older restore point, and the lost one nothing that is new', async () => {
    const folder = await project();
    const newKey = async (name: string) => {
      const { stdout, code } = await lifeboat(folder, ['keys', 'new', `${name}.txt`]);
      expect(code, stdout).toBe(0);
      return /age1\w+$/m.exec(stdout)![0];
    };
    const said = async (...words: string[]) => {
      const { code, stdout, stderr } = await lifeboat(folder, words);
      expect(code, stdout + stderr).toBe(0);
      return stdout;
    };
    const restored = async (point: string, key: string) => {
      const words = ['restore', 'uploads', '--at', point, '--into', `back-${randomBytes(4).toString('hex')}`];
      const { code, stdout } = await lifeboat(folder, [...words, '--identity', `${key}.txt`, '--json']);
      if (code !== 0) return JSON.parse(stdout).error.code as string;
      const into = words.at(-1)!;
      return ['a.txt', 'b.txt'].map((name) => {
        try {
          return readFileSync(join(folder, into, name), 'utf8');
        } catch {
          return '-';
        }
      });
    };
    const pointIds = () =>
      objectsIn(join(folder, 'backups'))
        .keys()
        .filter((key) => key.startsWith('snapshots/harbor/uploads/'))
        .map((key) => /-(\w+)\.json$/.exec(key)![1]!)
        .toArray();

    const [daily, lost] = [await newKey('daily'), await newKey('lost')];
    sealTo(folder, daily, lost);
    await said('backup');
    const [old] = pointIds();
    const offline = await newKey('offline');
    await said('keys', 'rotate', '--add', offline, '--remove', lost);
    expect(await said('keys', 'admit', '--identity', 'daily.txt')).toMatch(/was let in to 1 epoch of 1\./);
    writeFileSync(join(folder, 'data/uploads/b.txt'), 'written after the loss');
    const backup = JSON.parse(await said('backup', '--json'));
    expect(JSON.stringify(backup)).not.toContain('history-closed');
    const fresh = pointIds().find((id) => id !== old)!;

    expect(await restored(old!, 'offline')).toEqual(['hello', '-']);
    expect(await restored(fresh, 'offline')).toEqual(['hello', 'written after the loss']);
    expect(await restored(fresh, 'daily')).toEqual(['hello', 'written after the loss']);
    // What it opened it goes on opening; of what is new it opens neither this nor any part that is new.
    expect(await restored(old!, 'lost')).toEqual(['hello', '-']);
    expect(await restored(fresh, 'lost')).toBe('history-closed');
    const grants = grantsIn(join(folder, 'backups'));
    const last = grants.find(({ begins }) => begins?.number === 2)!;
    expect(last.recipients).toEqual([daily, offline].map(printOf).sort());
    const secret = /^AGE-SECRET-KEY-.*$/m.exec(readFileSync(join(folder, 'lost.txt'), 'utf8'))![0];
    const objects = [...objectsIn(join(folder, 'backups'))].filter(([key]) => key.startsWith(`keys/${last.epoch}/`));
    for (const [key, bytes] of objects.filter(([key]) => key.endsWith('.age'))) {
      await expect(openEpochKey(bytes, last.epoch, [secret]), key).rejects.toMatchObject({ code: 'no-identity-fits' });
    }
    expect(JSON.parse(await said('drill', '--identity', 'offline.txt', '--json'))).toMatchObject({ verdict: 'proved' });
    expect(await said('keys', 'check', '--identity', 'offline.txt')).toMatch(/2 of 2 restore points/);
  });
});

describe('kill -9', () => {
  /** What holds after any of these deaths: all goes on, with nothing lost and nothing that some recipient does not open. */
  async function expectGoesOn(system: TestSystem, identities: readonly string[], firstId: string): Promise<void> {
    const picture = pictureOf(system.source());
    expectSame(await system.readBack(firstId), picture);
    const { record } = await system.backUp();
    for (const identity of identities) {
      expectSame(await systemOver({ ...system, identity }).readBack(record.id), picture);
    }
    expect(await system.verify()).toMatchObject({ sound: true, findings: [] });
  }

  test('at every step of keys admit', async () => {
    const sample = await aSystem();
    smallTree(sample.source());
    const { record } = await sample.backUp();
    const added = generateIdentity();
    const stride = rounds({ short: 3, long: 1 });
    let ended = false;
    for (let nth = 1; !ended; nth += stride) {
      const system = await twinOf(sample);
      const both = withRecipients(system, [...system.config.vault.recipients, added.recipient]);
      const faults: Fault[] = [{ kind: 'kill-before', nth }];
      const { done, killed, said } = await start(both, 'admit', { faults }).ended;
      expect(done || killed, said).toBe(true);
      ended = done;
      await expectGoesOn(both, [system.identity, added.identity], record.id);
      await admitHere(both);
      expectSame(
        await systemOver({ ...both, identity: added.identity }).readBack(record.id),
        pictureOf(system.source()),
      );
    }
  });

  const moments: [string, Fault][] = [
    ['before the key', { kind: 'kill-before', verb: 'put', key: /^keys\//, nth: 1 }],
    ['between the key and what says whom it lets in', { kind: 'kill-after', verb: 'put', key: /^keys\//, nth: 1 }],
    ['before the first pack', { kind: 'kill-before', verb: 'put', key: /^packs\//, nth: 1 }],
    ['before the record', { kind: 'kill-before', verb: 'put', key: /^snapshots\//, nth: 1 }],
  ];
  test.for(moments)('while an epoch begins: %s', async ([, fault]) => {
    for (const isStateLost of [false, true]) {
      const system = await aSystem({ destinations: ['disk', 'nas'] });
      smallTree(system.source());
      const { record } = await system.backUp();
      const other = generateIdentity();
      const changed = withRecipients(system, [recipientOf(system.identity), other.recipient]);
      writeFileSync(join(system.source(), 'new'), 'new');
      const { completed } = await backUpKilled(changed, { faults: [fault] });
      expect(completed).toBe(false);
      if (isStateLost) rmSync(join(system.config.stateDir, 'epochs.json'));
      rmSync(join(system.source(), 'new'));
      await expectGoesOn(changed, [system.identity, other.identity], record.id);
      const begun = grantsIn(system.at()).filter(({ begins }) => begins !== undefined);
      expect(begun.length).toBeLessThanOrEqual(isStateLost ? 3 : 2);
      expect(grantsIn(system.at('nas')).map(({ id }) => id)).toEqual(grantsIn(system.at()).map(({ id }) => id));
    }
  });
});

/** The same system with a vault and a state of its own, as they are now. */
async function twinOf(sample: TestSystem): Promise<TestSystem> {
  const twin = await aSystem();
  for (const of of [
    (one: TestSystem) => one.at(),
    (one: TestSystem) => one.config.stateDir,
    (one: TestSystem) => one.source(),
  ]) {
    rmSync(of(twin), { recursive: true, force: true });
    mkdirSync(dirname(of(twin)), { recursive: true });
    // Links stay links, and modes what they are.
    execFileSync('cp', ['-a', of(sample), of(twin)]);
  }
  return systemOver({ ...twin, identity: sample.identity, config: { ...twin.config, vault: sample.config.vault } });
}

test('two systems in one vault begin epochs side by side, and a recipient of one is let in to nothing of the other', async () => {
  const system = await aSystem();
  smallTree(system.source());
  const first = await system.backUp();
  const base = await aSystem();
  const config = { ...base.config, name: 'neighbour', destinations: system.config.destinations };
  const neighbour = systemOver({
    ...base,
    identity: system.identity,
    config: { ...config, vault: system.config.vault },
  });
  writeFileSync(join(neighbour.source(), 'theirs'), 'of somebody else');
  const theirs = await neighbour.backUp();

  const added = generateIdentity();
  const other = generateIdentity();
  const [mine, their] = [
    withRecipients(system, [...system.config.vault.recipients, added.recipient]),
    withRecipients(neighbour, [...system.config.vault.recipients, other.recipient]),
  ];
  // A machine that never saw the vault believes everyone, and must still not open one system's past to the other's people.
  const elsewhere = systemOver({ ...mine, config: { ...mine.config, stateDir: join(mine.folder, 'another machine') } });
  expect(await admitHere(elsewhere)).toMatchObject({ epochs: 1, admitted: [{ epochs: 1 }], closed: 0 });

  const [here, there] = await Promise.all([mine.backUp(), their.backUp()]);
  expect(here.record.sizes.added).toBe(0);
  expect(there.record.sizes.added).toBeGreaterThan(0);
  const as = (of: TestSystem, identity: string) => systemOver({ ...of, identity });
  for (const { record } of [first, here]) {
    expectSame(await as(mine, added.identity).readBack(record.id), pictureOf(mine.source()));
    await expect(as(mine, other.identity).readBack(record.id)).rejects.toMatchObject({ code: 'no-identity-fits' });
  }
  expectSame(await as(their, other.identity).readBack(there.record.id), pictureOf(their.source()));
  for (const { record } of [theirs, there]) {
    await expect(as(their, added.identity).readBack(record.id)).rejects.toMatchObject({ code: 'no-identity-fits' });
  }
  const begun = grantsIn(system.at()).flatMap(({ writer, begins }) => (begins ? [`${writer} ${begins.number}`] : []));
  expect(new Set(begun).size).toBe(begun.length);
  for (const host of [mine, their]) expect(await host.verify()).toMatchObject({ sound: true, findings: [] });
});

test('what a place lacks of the keys, or holds damaged, is found without a key, healed by verify, and brought by copy', async () => {
  const system = await aSystem({ destinations: ['disk', 'nas'] });
  smallTree(system.source());
  await system.backUp();
  const added = generateIdentity();
  const both = withRecipients(system, [...system.config.vault.recipients, added.recipient]);
  await admitHere(both);
  const keysAt = (place: string) => [...objectsIn(system.at(place))].filter(([key]) => key.startsWith('keys/'));
  const whole = keysAt('disk');
  expect(whole.map(([key]) => parseKey(key)?.type).sort()).toEqual(['epoch-key', 'epoch-key', 'grant', 'grant']);
  const lose = () => rmSync(join(system.at('nas'), 'keys'), { recursive: true });

  lose();
  const found = await both.verify({}, []);
  expect(found.findings.map(({ key, kind, healed }) => [key, kind, healed]).sort()).toEqual(
    whole.map(([key]) => [key, 'missing', true]),
  );
  expect(keysAt('nas')).toEqual(whole);

  for (const [key, bytes] of whole) {
    const spoilt = Buffer.from(bytes);
    spoilt[spoilt.length >> 1]! ^= 1;
    writeFileSync(join(system.at('nas'), key), spoilt);
  }
  const damaged = await both.verify({}, []);
  expect(damaged.findings.map(({ key, healed }) => [key, healed]).sort()).toEqual(whole.map(([key]) => [key, true]));
  expect(keysAt('nas')).toEqual(whole);

  lose();
  using open = both.open();
  await copyVault(open, { refill: false }, startRun({ clock: systemClock }));
  expect(keysAt('nas')).toEqual(whole);
});

test('a flood of rubbish beside the keys holds neither an admission up nor who was let in', async () => {
  const system = await aSystem();
  smallTree(system.source());
  const { record } = await system.backUp();
  const added = generateIdentity();
  const { epoch } = grantsIn(system.at())[0]!;
  const folder = join(system.at(), 'keys', epoch);
  for (let n = 0; n < 150; n++) {
    writeFileSync(join(folder, `7${String(n).padStart(25, '0')}.json`), '{}\n');
    writeFileSync(join(folder, `${n.toString(16).padStart(64, '0')}.age`), randomBytes(200));
  }
  const both = withRecipients(system, [...system.config.vault.recipients, added.recipient]);
  expect(await admitHere(both)).toMatchObject({ epochs: 1, admitted: [{ epochs: 1 }] });
  expectSame(await systemOver({ ...both, identity: added.identity }).readBack(record.id), pictureOf(system.source()));
});
