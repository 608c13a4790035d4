import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs, minuteMs } from '../../src/core/duration.ts';
import { startRun } from '../../src/core/run.ts';
import { createLocal } from '../../src/destinations/local/destination.ts';
import { copyVault } from '../../src/operations/copy/copy.ts';
import { prune } from '../../src/operations/prune.ts';
import type { PruneRequest } from '../../src/operations/prune-plan.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { openSmall } from '../../src/vault/age/small-objects.ts';
import { newEpoch, openEpochKey } from '../../src/vault/epochs/epoch.ts';
import { type Cover, decodeCover, encodeCover } from '../../src/vault/format/cover.ts';
import { parseKey } from '../../src/vault/format/keys.ts';
import { recordBytes, recordKey, signRecord } from '../../src/vault/format/record.ts';
import { newSigningKey, writerId } from '../../src/vault/format/signing.ts';
import { sha256Hex } from '../../src/vault/hash.ts';
import { copiesTo } from '../../src/vault/write/copies.ts';
import { openLogWriter } from '../../src/vault/write/logs.ts';
import { buildVault, type NewPoint, type VaultBuilder, writeObjects } from '../support/build-vault.ts';
import { configOf, smallPacks, systemOver, type TestSystem } from '../support/system.ts';
import { temporaryFolder } from '../support/temp.ts';
import { objectsIn } from '../support/vault.ts';

const timeline = '74500-1';
const at = (place: number) => place.toString(16).padStart(16, '0');
const piece = (start: number, end = start + 10) => ({
  start: at(start),
  end: at(end),
  bytes: Buffer.from(`log from ${start} to ${end} `.repeat(40)),
});

interface Logged {
  readonly system: TestSystem;
  readonly builder: VaultBuilder;
  /** A restore point that needs the log from a place on; each a minute after what came before. */
  base(place: number, more?: Partial<NewPoint>): Promise<void>;
  log(...pieces: ReturnType<typeof piece>[]): Promise<void>;
  /** Puts what is new to the first destination, as if it had just been stored. */
  store(): void;
}

async function logged(destinations = ['disk']): Promise<Logged> {
  const folder = await temporaryFolder();
  const { identity, recipient } = generateIdentity();
  const sizes = { chunkSize: 4096, frameSize: 16_384, packSize: 16_000 };
  const rescue = readFileSync(join(import.meta.dirname, '../fixtures/vault-v1/vault/rescue.sh'));
  const builder = buildVault({ recipients: [recipient], random: randomBytes, rescue, ...sizes });
  const plain = configOf(folder, destinations, ['app-db'], recipient);
  const retention = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
  const known = { key: builder.signingKey.publicKey, systems: ['harbor', 'neighbour'] };
  const config = {
    ...plain,
    vault: { ...plain.vault, writers: [known] },
    datasets: { 'app-db': { ...plain.datasets['app-db']!, retention } },
  };
  const system = systemOver({ folder, config, identity, packSizes: smallPacks });
  let nowMs = Date.now() - 50 * minuteMs;
  const time = () => {
    nowMs += minuteMs;
    return new Date(nowMs).toISOString();
  };
  const stored = new Set<string>();
  return {
    system,
    builder,
    async base(place, more) {
      const file = {
        type: 'file',
        path: 'base',
        mode: 0o600,
        uid: 0,
        gid: 0,
        mtimeNs: 0n,
        parts: [randomBytes(50)],
      } as const;
      const position = { timeline, log: at(place) };
      const point = { system: 'harbor', dataset: 'app-db', kind: 'postgres', time: time(), entries: [file], position };
      const retention = { class: 'standard' };
      await builder.commit({ ...point, retention, ...more });
    },
    log: (...pieces) => builder.log({ system: 'harbor', dataset: 'app-db', timeline, time: time() }, pieces),
    store() {
      const fresh = [...builder.objects].filter(([key]) => !stored.has(key));
      writeObjects(new Map(fresh), system.at());
      for (const [key] of fresh) stored.add(key);
    },
  };
}

/** Base at 5, logs 0 to 40, a second base at 25. */
async function usual(destinations?: string[]): Promise<Logged> {
  const vault = await logged(destinations);
  await vault.log(piece(0), piece(10));
  await vault.base(5);
  await vault.log(piece(20));
  await vault.base(25);
  await vault.log(piece(30));
  vault.store();
  return vault;
}

const request: PruneRequest = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
const run = () => startRun({ clock: systemClock });

async function pruned({ system }: Logged, more: Partial<PruneRequest> = {}) {
  using open = system.open();
  return await prune(open, { ...request, ...more }, run());
}

/** The grace of all prunes is over. */
function age({ system }: Logged): void {
  const past = Date.now() / 1000 - (4 * dayMs) / 1000;
  for (const key of objectsIn(system.at()).keys()) {
    if (key.startsWith('gc/')) utimesSync(join(system.at(), key), past, past);
  }
}

const startOf = (key: string) => Number.parseInt(/\/([0-9a-f]{16})-/.exec(key)![1]!, 16);
/** Where the pieces begin that a place holds. */
function piecesAt(system: TestSystem, destination?: string, prefix = 'logs/harbor/'): number[] {
  const keys = [...objectsIn(system.at(destination)).keys()].filter((key) => key.startsWith(prefix));
  return keys.map(startOf).sort((a, b) => a - b);
}

function put(system: TestSystem, key: string, bytes: Uint8Array): void {
  mkdirSync(dirname(join(system.at(), key)), { recursive: true });
  writeFileSync(join(system.at(), key), bytes);
}

function coversIn(system: TestSystem): [string, Cover][] {
  return [...objectsIn(system.at())].flatMap(([key, bytes]) =>
    key.startsWith('covers/') ? [[key, decodeCover(bytes, key)] as [string, Cover]] : [],
  );
}

function unsigned({ vault, system, dataset, timeline, id, time, pieces, keys, previous, after, sequence }: Cover) {
  return { vault, system, dataset, timeline, id, time, pieces, keys, previous, after, sequence };
}

describe('a prune and logs', () => {
  test('a piece goes after the last restore point that needs it, and nothing else goes', async () => {
    const vault = await usual();
    const { system, builder } = vault;
    // A stranger's, another system's, one whose end is far away, and a piece that no cover names.
    const stranger = newSigningKey();
    const time = new Date().toISOString();
    await builder.log({ system: 'harbor', dataset: 'app-db', timeline, time, by: stranger.privateKey }, [piece(0)]);
    await builder.log({ system: 'neighbour', dataset: 'app-db', timeline, time }, [piece(0)]);
    vault.store();
    const folder = `logs/harbor/app-db/${writerId(builder.signingKey.publicKey)}/${timeline}`;
    const junk = randomBytes(9);
    put(system, `${folder}/${at(0)}-${'f'.repeat(16)}-${sha256Hex(junk)}.age`, junk);
    put(system, `${folder}/${at(3)}-${at(9)}-${sha256Hex(junk)}.age`, junk);
    const theirs = `logs/harbor/app-db/${writerId(stranger.publicKey)}/`;

    await pruned(vault);
    expect(piecesAt(system)).toEqual([0, 0, 0, 3, 10, 20, 30]);
    await vault.base(35, { generation: 1 });
    vault.store();
    age(vault);
    const first = await pruned(vault);
    expect(first.places[0]!.swept).toMatchObject({ records: 1 });
    // Its record has just gone: whoever began to restore it has its log until the next prune.
    expect(piecesAt(system)).toEqual([0, 0, 0, 3, 10, 20, 30]);
    age(vault);
    await pruned(vault);
    // The second restore point is on its way out and still there.
    expect(piecesAt(system)).toEqual([0, 0, 20, 30]);
    expect(piecesAt(system, 'disk', theirs)).toEqual([0]);
    expect(piecesAt(system, 'disk', 'logs/neighbour/')).toEqual([0]);
    const covers = coversIn(system).filter(([, cover]) => cover.system === 'harbor');
    expect(covers.map(([, { first, last }]) => [first, last]).sort()).toEqual([
      [at(0), at(10)],
      [at(20), at(30)],
      [at(30), at(40)],
    ]);
    expect((await system.verify({}, [])).sound).toBe(true);
  });

  test('nobody without a key keeps a log from going, or makes one go', async () => {
    const vault = await usual();
    const { system } = vault;
    const stranger = newSigningKey();
    const [key, cover] = coversIn(system)[0]!;
    const said = unsigned(cover);
    // Under a known writer's folder: a cover by somebody else, junk under the name of one, the true one with a bit changed.
    const forged = encodeCover({ ...said, time: '2099-01-01T00:00:00.000Z' }, stranger.privateKey);
    const folder = key.slice(0, key.lastIndexOf('/'));
    put(system, `${folder}/${at(0)}-${'f'.repeat(16)}-01KDY022YGEDMZTZXNXYMH8WWQ.json`, forged.bytes);
    put(system, `${folder}/${at(1)}-${'f'.repeat(16)}-01KDY022YGEDMZTZXNXYMH8WWR.json`, randomBytes(99));
    // A stranger's restore point that needs all of it.
    const [point] = await system.points();
    const { algorithm, requires, writer, signature, ...rest } = point!.record;
    const strange = signRecord(
      { ...rest, id: '01KDY022YGEDMZTZXNXYMH8WWS', position: { timeline, log: at(0) } },
      stranger.privateKey,
    );
    put(system, recordKey(strange), recordBytes(strange));
    await pruned(vault);
    await vault.base(35, { generation: 1 });
    vault.store();
    age(vault);
    await pruned(vault);
    age(vault);
    await pruned(vault);
    expect(piecesAt(system)).toEqual([20, 30]);
  });

  test('a log whose history is over goes with the last restore point of it; one that has begun waits for its first', async () => {
    const vault = await usual();
    const { system, builder } = vault;
    await vault.base(0, { position: { timeline: '99-1', log: at(0) }, generation: 0 });
    const time = new Date().toISOString();
    await builder.log({ system: 'harbor', dataset: 'app-db', timeline: '100-1', time }, [piece(0)]);
    vault.store();
    await pruned(vault);
    await vault.base(1, { position: { timeline: '99-1', log: at(1) }, generation: 1 });
    vault.store();
    for (let round = 0; round < 3; round++) {
      age(vault);
      await pruned(vault);
    }
    const folders = new Set([...objectsIn(system.at()).keys()].filter((key) => key.startsWith('logs/')).map(dirname));
    expect([...folders].map((folder) => folder.split('/').at(-1))).toEqual(['100-1']);
  });
});

describe('verify and logs', () => {
  test('says what is missing or damaged, whom it touches, and heals it from another place', async () => {
    const vault = await usual(['disk', 'other']);
    const { system } = vault;
    writeObjects(vault.builder.objects, system.at('other'));
    expect((await system.verify()).sound).toBe(true);
    const keys = [...objectsIn(system.at()).keys()];
    const [first, second] = keys.filter((key) => key.startsWith('logs/'));
    const cover = keys.find((key) => key.startsWith('covers/'))!;
    rmSync(join(system.at(), first!));
    writeFileSync(join(system.at(), second!), randomBytes(77));
    rmSync(join(system.at(), cover));
    const { findings, sound } = await system.verify();
    expect(
      findings.map(({ key, kind, healed, restorePoints }) => [key, kind, healed, restorePoints.length]).sort(),
    ).toEqual(
      [
        [first, 'missing', true, 1],
        [second, 'damaged', true, 1],
        [cover, 'missing', true, 0],
      ].sort(),
    );
    expect(sound).toBe(true);
    expect((await system.verify()).findings).toEqual([]);
  });

  test('says of a cover that is missing everywhere, of a fork, of a hole, and of a stranger’s', async () => {
    const vault = await usual();
    const { system, builder } = vault;
    await vault.log(piece(60));
    const time = new Date().toISOString();
    await builder.log({ system: 'harbor', dataset: 'app-db', timeline, time, by: newSigningKey().privateKey }, [
      piece(0),
    ]);
    vault.store();
    const covers = coversIn(system).filter(([, { writer }]) => writer === builder.signingKey.publicKey);
    const [second] = covers.filter(([, { sequence }]) => sequence === 2);
    const said = unsigned(second![1]);
    const fork = encodeCover({ ...said, id: '01KDY022YGEDMZTZXNXYMH8WWQ' }, builder.signingKey.privateKey);
    put(system, fork.key, fork.bytes);
    const before = await system.verify();
    expect(before.sound).toBe(true);
    expect(before.doubtful.map(({ why }) => why).sort()).toEqual([
      expect.stringMatching(/^it has the number of covers\//),
      expect.stringMatching(/^it is signed by .*, which is no known writer$/),
      `of the log from ${at(40)} to ${at(60)} nothing was stored`,
    ]);
    rmSync(join(system.at(), covers.find(([, { sequence }]) => sequence === 3)![0]));
    const after = await system.verify();
    expect(after.sound).toBe(false);
    expect(after.suspect).toEqual([
      { key: expect.any(String), why: 'the cover that its writer stored before it is missing' },
    ]);
  });
});

test('a copy takes what covers name and only that, pieces before their cover; strangers’ logs stay', async () => {
  const vault = await usual(['disk', 'other']);
  const { system, builder } = vault;
  const time = new Date().toISOString();
  await builder.log({ system: 'harbor', dataset: 'app-db', timeline, time, by: newSigningKey().privateKey }, [
    piece(0),
  ]);
  vault.store();
  const [first] = [...objectsIn(system.at())].filter(([key]) => key.startsWith('logs/') && startOf(key) === 20);
  const span = parseKey(first![0]) as { writer: string };
  // The same bytes under the name of another piece, and bytes that are not those of their name.
  put(system, `logs/harbor/app-db/${span.writer}/${timeline}/${at(1)}-${at(2)}-${sha256Hex(first![1])}.age`, first![1]);
  const damaged = [...objectsIn(system.at()).keys()].find((key) => key.startsWith('logs/') && startOf(key) === 30)!;
  writeFileSync(join(system.at(), damaged), randomBytes(readFileSync(join(system.at(), damaged)).length));
  using open = system.open();
  const outcome = await copyVault(open, { from: 'disk', to: ['other'], refill: false }, run());
  expect(outcome.filled[0]).toMatchObject({ records: 2, behind: expect.any(String) });
  expect(piecesAt(system, 'other')).toEqual([0, 10, 20]);
  const there = [...objectsIn(system.at('other')).keys()].filter((key) => key.startsWith('covers/'));
  expect(there.map(startOf).sort((a, b) => a - b)).toEqual([0, 20]);
});

describe('the writer of logs', () => {
  async function parts() {
    const folder = join(await temporaryFolder(), 'disk');
    const { identity, recipient } = generateIdentity();
    const { epoch, recipient: sealsTo, keyObject } = newEpoch([recipient]);
    const { privateKey } = newSigningKey();
    const keys = [[epoch, sha256Hex(keyObject), keyObject.length]];
    const of = { vault: '01KDVDNA00ABRSDN2EGKZNM9CY', system: 'harbor', dataset: 'app-db', timeline };
    const opened = async () =>
      openLogWriter({
        ...{ ...of, signingKey: privateKey, clock: systemClock, random: randomBytes },
        epochs: { current: { epoch, recipient: sealsTo }, keysOf: () => keys as [string, string, number][] },
        copies: copiesTo([await createLocal({ name: 'disk', path: folder })], run()),
      });
    return {
      folder,
      identity,
      keyObject,
      epoch,
      opened,
      child: { ...of, signingKey: privateKey, recipient: sealsTo, keys },
    };
  }

  test('goes on after its newest cover without remembering it, and stores nothing that is none', async () => {
    const { opened, folder } = await parts();
    const writer = await opened();
    expect(writer.reached).toBeNull();
    await writer.append([piece(0), piece(10)]);
    await writer.append([piece(20)]);
    const again = await opened();
    expect(again.reached).toBe(at(30));
    // A whole segment in the place of its beginning, and a hole.
    await again.append([piece(20, 40)]);
    await again.append([piece(50)]);
    const covers = [...objectsIn(folder)].flatMap(([key, bytes]) =>
      key.startsWith('covers/') ? [decodeCover(bytes, key)] : [],
    );
    const chain = covers.sort((a, b) => a.sequence - b.sequence);
    expect(chain.map(({ sequence, after, first, last }) => [sequence, after, first, last])).toEqual([
      [1, null, at(0), at(20)],
      [2, at(20), at(20), at(30)],
      [3, at(30), at(20), at(40)],
      [4, at(40), at(50), at(60)],
    ]);
    const invalid = { code: 'log-piece-invalid' };
    for (const pieces of [
      [],
      [piece(50)],
      [piece(60), piece(80)],
      [piece(70, 70)],
      [{ ...piece(60), bytes: Buffer.alloc(0) }],
    ]) {
      await expect(again.append(pieces)).rejects.toMatchObject(invalid);
    }
  });

  test('killed between a piece and its cover, nothing is lost, and the next run stores it and covers it', async () => {
    const { opened, folder, child, identity, keyObject, epoch } = await parts();
    await (await opened()).append([piece(0)]);
    const pieces = [{ start: at(10), end: at(20), text: 'sent again' }];
    const program = join(import.meta.dirname, '../support/logs-until-killed.ts');
    const node = spawn(process.execPath, [program, folder, JSON.stringify({ ...child, pieces })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(String((await once(node.stdout, 'data'))[0])).toBe('before the cover\n');
    node.kill('SIGKILL');
    await once(node, 'close');
    const left = [...objectsIn(folder).keys()].filter((key) => key.startsWith('logs/')).map(startOf);
    expect(left.sort((a, b) => a - b)).toEqual([0, 10]);

    const writer = await opened();
    // What was not covered was never said to be stored: whoever sends it begins there.
    expect(writer.reached).toBe(at(10));
    await writer.append([{ start: at(10), end: at(20), bytes: Buffer.from('sent again') }]);
    const cover = [...objectsIn(folder)].map(([key, bytes]) =>
      key.startsWith('covers/') ? decodeCover(bytes, key) : undefined,
    );
    const [, , id, sizeBytes] = cover.find((one) => one?.sequence === 2)!.pieces[0]!;
    const [key, bytes] = [...objectsIn(folder)].find(([name]) => name.includes(id))!;
    expect([sha256Hex(bytes), bytes.length]).toEqual([id, sizeBytes]);
    expect(key).toMatch(/^logs\//);
    const secret = await openEpochKey(keyObject, epoch, [identity]);
    expect(Buffer.from(await openSmall(bytes, [secret])).toString()).toBe('sent again');
  });
});
