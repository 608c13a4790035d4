import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { printOf } from '../../src/core/recipient-print.ts';
import { startRun } from '../../src/core/run.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { admit } from '../../src/operations/keys/admit.ts';
import { verify } from '../../src/operations/verify.ts';
import { newHeader } from '../../src/vault/age/header.ts';
import { generateIdentity, type KeyPair } from '../../src/vault/age/identity.ts';
import { secretOf } from '../../src/vault/age/secret-bytes.ts';
import { sealAll } from '../../src/vault/age/stream.ts';
import { newEpoch, openEpochKey, sealEpochKey, speakingKeyOf } from '../../src/vault/epochs/epoch.ts';
import { decodeGrant, encodeGrant, type Grant } from '../../src/vault/format/grant.ts';
import { epochKeyKey, grantKey, manifestKey, packKey, parseKey } from '../../src/vault/format/keys.ts';
import { newSigningKey } from '../../src/vault/format/signing.ts';
import { sha256Hex } from '../../src/vault/hash.ts';
import { pictureOf } from '../support/pictures.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, objectsIn } from '../support/vault.ts';

// A recipient that is added opens the whole history by one small object for each epoch; one that is removed nothing of what is new.

let system: TestSystem;
let added: KeyPair;

beforeEach(async () => {
  system = await aSystem({ destinations: ['disk', 'nas'] });
  smallTree(system.source());
  added = generateIdentity();
});

function withRecipients(recipients: readonly string[], identity = system.identity): TestSystem {
  const config = { ...system.config, vault: { ...system.config.vault, recipients } };
  return systemOver({ ...system, config, identity });
}

const both = (identity = added.identity) =>
  withRecipients([...system.config.vault.recipients, added.recipient], identity);

async function admitHere(of: TestSystem, identity: string) {
  using open = of.open();
  const run = startRun({ clock: systemClock });
  return await admit(open, await open.vault(() => {}), [identity], run);
}

const keysOf = (type: string, at = system.at()) => [...objectsIn(at)].filter(([key]) => parseKey(key)?.type === type);
const packs = () => keysOf('pack').map(([key]) => key);
const grants = () => keysOf('grant').map(([key, bytes]) => decodeGrant(bytes, key));

function put(key: string, bytes: Uint8Array, places: readonly string[] = ['disk', 'nas']): void {
  for (const place of places) {
    const file = join(system.at(place), key);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
}

async function sound(of: TestSystem): Promise<boolean> {
  using open = of.open();
  const request = { all: true, deep: false, identities: [of.identity] };
  return (await verify(open, request as never, startRun({ clock: systemClock }))).sound;
}

describe('a recipient that was let in', () => {
  test('opens every restore point of before, no pack is stored again, and the next backup says nothing of it', async () => {
    const first = await system.backUp();
    const before = packs();
    const all = objectsIn(system.at());
    expect(await admitHere(both(), system.identity)).toMatchObject({
      admitted: [{ recipient: added.recipient, epochs: 1 }],
      closed: 0,
    });
    expect(packs()).toEqual(before);
    // Whatever the vault holds: the key, whom it lets in, and in the audit log that a key was used, and what for.
    const stored = [...objectsIn(system.at())].filter(([key]) => !all.has(key));
    expect(stored.map(([key]) => parseKey(key)?.type).sort()).toEqual(['epoch-key', 'grant', 'ledger', 'ledger']);
    expect(stored.reduce((sum, [, { length }]) => sum + length, 0)).toBeLessThan(4096);
    const picture = pictureOf(system.source());
    expectSame(await both().readBack(first.record.id), picture);
    const next = await both().backUp();
    expect(next.record.sizes.added).toBe(0);
    expect(next.record.keys).toHaveLength(2);
    expectSame(await both().readBack(next.record.id), picture);
    expectSame(await system.readBack(next.record.id), picture);
    expect(grants().filter(({ begins }) => begins !== undefined)).toHaveLength(1);
    expect(await sound(both())).toBe(true);
    expect(await admitHere(both(), added.identity)).toMatchObject({ admitted: [] });
  });

  test('after the next backup opens it too, and what was sent again meanwhile is used beside it', async () => {
    const first = await system.backUp();
    expect((await both().backUp()).record.sizes.added).toBeGreaterThan(0);
    await expect(both().readBack(first.record.id)).rejects.toMatchObject({ code: 'no-identity-fits' });
    await admitHere(both(), system.identity);
    expectSame(await both().readBack(first.record.id), pictureOf(system.source()));
    expect((await both().backUp()).record.sizes.added).toBe(0);
  });

  test('is let in by who opens the epochs, and by nobody else', async () => {
    await system.backUp();
    const stranger = generateIdentity();
    expect(await admitHere(both(), stranger.identity)).toMatchObject({ admitted: [], closed: 1 });
    expect(keysOf('epoch-key')).toHaveLength(1);
  });

  test('is let in at a place that was away, by the next backup', async () => {
    await system.backUp();
    rmSync(join(system.at('nas'), 'keys'), { recursive: true });
    await admitHere(both(), system.identity);
    rmSync(join(system.at('nas'), 'keys'), { recursive: true });
    expect(await sound(system)).toBe(true);
    rmSync(join(system.at('nas'), 'keys'), { recursive: true });
    await both().backUp();
    expect(keysOf('epoch-key', system.at('nas')).map(([key]) => key)).toEqual(keysOf('epoch-key').map(([key]) => key));
  });

  test('with the state of the host lost, and its index: what it was let in to is used again', async () => {
    await system.backUp();
    await admitHere(both(), system.identity);
    await both().backUp();
    for (const name of ['index.sqlite', 'epochs.json']) rmSync(join(system.config.stateDir, name));
    const { record } = await both().backUp();
    expect(record.sizes.added).toBe(0);
    expectSame(await both().readBack(record.id), pictureOf(system.source()));
  });
});

describe('what somebody puts there without opening the last epoch', () => {
  /** Says that the added recipient opens the first epoch, by an object that holds something else. */
  async function lie(signer: string, epoch: string): Promise<void> {
    const { keyObject } = newEpoch([added.recipient]);
    const id = newUlid(systemClock.now(), randomBytes);
    const key = [sha256Hex(keyObject), keyObject.length] as const;
    const time = new Date(systemClock.now()).toISOString();
    const { vault } = grants()[0]!;
    const said = { vault, id, time, epoch, key, recipients: [printOf(added.recipient)] };
    put(epochKeyKey(epoch, key[0]), keyObject);
    put(grantKey(epoch, id), encodeGrant(said, signer));
  }

  const secretIn = (grant: Grant) => {
    const { epoch, key } = grant;
    return openEpochKey(objectsIn(system.at()).get(epochKeyKey(epoch, key[0]))!, epoch, [system.identity]);
  };

  test('lets nobody in: a stranger, and a removed recipient who opens the epoch before', async () => {
    await system.backUp();
    const [first] = grants();
    await lie(newSigningKey().privateKey, first!.epoch);
    const sent = await both().backUp();
    expect(sent.record.sizes.added).toBeGreaterThan(0);
    expectSame(await both().readBack(sent.record.id), pictureOf(system.source()));

    await lie(speakingKeyOf(await secretIn(first!)), first!.epoch);
    writeFileSync(join(system.source(), 'new'), 'later');
    const { record } = await both().backUp();
    expect(record.keys.map(([epoch]) => epoch)).not.toContain(first!.epoch);
    expectSame(await both().readBack(record.id), pictureOf(system.source()));
  });

  test('a forged key object is passed over, and told; a hidden one is healed from another place', async () => {
    const { record } = await system.backUp();
    const [epoch, id] = record.keys[0]!;
    const forged = sealEpochKey(secretOf(generateIdentity().identity), system.config.vault.recipients);
    put(epochKeyKey(epoch, sha256Hex(forged)), forged);
    const { header, fileKey } = newHeader(system.config.vault.recipients);
    const odd = sealAll(header, fileKey, new Uint8Array(16), Buffer.from('no key\n'));
    put(epochKeyKey(epoch, sha256Hex(odd)), odd);
    rmSync(join(system.at('disk'), epochKeyKey(epoch, id)));
    expectSame(await system.readBack(record.id), pictureOf(system.source()));
    expect(await sound(system)).toBe(false);
    expect(objectsIn(system.at('disk')).has(epochKeyKey(epoch, id))).toBe(true);
    for (const place of ['disk', 'nas']) rmSync(join(system.at(place), epochKeyKey(epoch, id)));
    await expect(system.readBack(record.id)).rejects.toMatchObject({
      code: expect.stringMatching(/object-missing|epoch-key-forged/),
    });
  });
});

test('a removed recipient: an epoch begins, and the state keeps no secret of any', async () => {
  await both().backUp();
  await system.backUp();
  const begun = grants().map(({ begins, recipients }) => [begins?.number, recipients.length]);
  expect(begun.sort()).toEqual([
    [1, 2],
    [2, 1],
  ]);
  expect(readFileSync(join(system.config.stateDir, 'epochs.json'), 'latin1')).not.toMatch(/AGE-SECRET-KEY/i);
  const last = grants().find(({ begins }) => begins?.number === 2)!;
  const object = objectsIn(system.at()).get(epochKeyKey(last.epoch, last.key[0]))!;
  await expect(openEpochKey(object, last.epoch, [added.identity])).rejects.toMatchObject({ code: 'no-identity-fits' });
});

/** A block of shell commands of a page. */
function commandsIn(page: string, sign: RegExp): string {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block!).find((block) => sign.test(block))!;
}

test('by hand: what the pages say, word for word, opens a manifest and a pack, also with a key that was let in later', async () => {
  const { record, needs } = await system.backUp();
  await admitHere(both(), system.identity);
  const [epoch, id] = record.keys[0]!;
  const [pack] = [...needs.packs][0]!;
  const epochs = join(system.folder, 'epochs.txt');
  const shown = (page: string, sign: RegExp, lines: number) => {
    const commands = commandsIn(page, sign).split('\n').slice(0, lines).join('\n');
    const named = commands
      .replaceAll('KEY', join(system.folder, 'key.txt'))
      .replaceAll(/\/dev\/shm\/epochs\.txt|epoch\.txt/g, epochs)
      .replaceAll('keys/11ab…/74d2….age', `keys/${epoch}/${id}.age`)
      .replaceAll('manifests/14/14ad….age', manifestKey(record.manifest[0]))
      .replaceAll('packs/90/90f0….age', packKey(pack));
    expect(named).not.toContain('…');
    return execFileSync('bash', ['-uo', 'pipefail', '-c', named], { cwd: system.at(), encoding: 'latin1' });
  };
  for (const identity of [system.identity, added.identity]) {
    writeFileSync(join(system.folder, 'key.txt'), `${identity}\n`);
    expect(shown('recovery-from-nothing.md', /epochs\.txt/, 3)).toContain(
      `lifeboat-manifest\t1\nvault\t${record.vault}\n`,
    );
  }
  writeFileSync(join(system.folder, 'key.txt'), `${system.identity}\n`);
  const said = shown('vault-format.md', /epoch\.txt/, 4);
  expect(said).toContain(epoch);
  expect(said).toContain(`\nid\t${record.id}\n`);
});

test("by hand, with Debian's age: two decryptions open a pack, and the name of an epoch tells its key", async () => {
  const { record } = await system.backUp();
  const [epoch, id] = record.keys[0]!;
  const file = (name: string) => join(system.folder, name);
  writeFileSync(file('key.txt'), `${system.identity}\n`);
  const script = `set -euo pipefail; cd ${system.at()}
    age -d -i ${file('key.txt')} keys/${epoch}/${id}.age >${file('epoch.txt')}
    age-keygen -y ${file('epoch.txt')} | tr -d '\\n' | sha256sum
    for pack in packs/*/*.age; do age -d -i ${file('epoch.txt')} $pack | zstd -d -q | wc -c; done`;
  const [name, ...sizes] = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
  expect(name).toContain(epoch);
  expect(sizes).toHaveLength(packs().length);
  expect(sizes.every((size) => Number(size) > 0)).toBe(true);
});
