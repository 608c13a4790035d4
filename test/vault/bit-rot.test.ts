import { rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { LifeboatError } from '../../src/core/errors.ts';
import { listJob } from '../../src/jobs/list.ts';
import { restoreJob } from '../../src/jobs/restore.ts';
import { verifyJob } from '../../src/jobs/verify.ts';
import { openSystem } from '../../src/operations/system.ts';
import type { VerifyOutcome } from '../../src/operations/verify.ts';
import { epochKeyKey, listKey, manifestKey, packKey, parseKey } from '../../src/vault/format/keys.ts';
import type { WithNeeds } from '../../src/vault/hold/needs.ts';
import type { RestorePoint } from '../../src/vault/vault.ts';
import { doJob } from '../support/jobs.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import type { TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, noise, objectsIn } from '../support/vault.ts';

interface Kept {
  readonly system: TestSystem;
  readonly pictures: Map<string, Picture>;
  readonly objects: Map<string, Buffer>;
  readonly points: ReadonlyArray<WithNeeds<RestorePoint>>;
}

/** Two restore points. */
async function keptVault(destinations: readonly string[]): Promise<Kept> {
  const system = await aSystem({ destinations });
  smallTree(system.source());
  const pictures = new Map<string, Picture>();
  for (const name of ['one', 'two']) {
    writeFileSync(`${system.source()}/${name}`, noise(20_000));
    const { record } = await system.backUp();
    pictures.set(record.id, pictureOf(system.source()));
  }
  return { system, pictures, objects: objectsIn(system.at()), points: await system.points() };
}

type Damage = readonly [string, (bytes: Buffer) => Buffer | undefined];

const flip = (at: (length: number) => number) => (bytes: Buffer) => {
  const flipped = Buffer.from(bytes);
  const place = at(bytes.length);
  flipped[place]! ^= 1 << (place % 8);
  return flipped;
};

const damages: readonly Damage[] = [
  ['its first byte changed', flip(() => 0)],
  ['a bit in its header', flip((length) => Math.min(40, length - 1))],
  ['a bit in its first half', flip((length) => length >> 2)],
  ['a bit in its middle', flip((length) => length >> 1)],
  ['a bit near its end', flip((length) => length - 3)],
  ['its last byte changed', flip((length) => length - 1)],
  ['a byte missing', (bytes) => bytes.subarray(0, bytes.length - 1)],
  ['half of it missing', (bytes) => bytes.subarray(0, bytes.length >> 1)],
  ['nothing left in it', () => Buffer.alloc(0)],
  ['a byte too many', (bytes) => Buffer.concat([bytes, Buffer.from([0])])],
  ['removed', () => undefined],
];

function put(system: TestSystem, destination: string, key: string, bytes: Buffer | undefined): void {
  const file = join(system.at(destination), key);
  rmSync(file, { force: true });
  if (bytes !== undefined) writeFileSync(file, bytes);
}

/** The restore points that cannot be had without this object. */
function touchedBy(key: string, { points }: Kept): string[] {
  return points
    .filter(({ needs: { manifest, keys, lists, packs }, key: own }) => {
      const needed = [own, manifestKey(manifest[0]), ...lists.map(([id]) => listKey(id))];
      needed.push(...keys.map(([epoch, id]) => epochKeyKey(epoch, id)));
      return needed.includes(key) || [...packs].some(([pack]) => packKey(pack) === key);
    })
    .map(({ record }) => record.id);
}

/** Restores give exactly what was backed up or fail with a code; those that need nothing of `keys` succeed. */
async function expectNothingWrong(kept: Kept, keys: readonly string[]): Promise<void> {
  // A list of packs that is lost keeps no restore from what it named.
  const read = keys.filter((key) => parseKey(key)?.type !== 'list');
  const touched = new Set(read.flatMap((key) => touchedBy(key, kept)));
  const untouched = [...kept.pictures.keys()].find((id) => !touched.has(id));
  for (const [id, picture] of kept.pictures) {
    if (!touched.has(id) && id !== untouched) continue;
    const found = await kept.system.readBack(id).catch((error: unknown) => error);
    if (found instanceof Map) expectSame(found, picture);
    else if (touched.has(id))
      expect((found as Error).message).toMatch(/^no restore point|damaged|cannot|does not hold|no copy/);
    else throw found;
    if (touched.has(id)) expect(found).not.toBeInstanceOf(Map);
  }
}

function expectNamed(outcome: VerifyOutcome, key: string, kept: Kept): void {
  const finding = outcome.findings.find((one) => one.key === key);
  const isRecord = parseKey(key)?.type === 'snapshot';
  const suspect = outcome.suspect.some((one) => one.key === key);
  expect(finding !== undefined || (isRecord && suspect), `${key} is named`).toBe(true);
  if (!isRecord) expect(finding!.restorePoints.map(({ record }) => record.id)).toEqual(touchedBy(key, kept));
}

function expectIndexGap({ sound, findings }: VerifyOutcome, key: string): void {
  const index = key.slice(0, key.lastIndexOf('/') + 1);
  expect({ sound, findings }).toMatchObject({ sound: false, findings: [{ key: index, kind: 'missing' }] });
}

describe('one destination: verify names every damage, and no restore gives wrong bytes', () => {
  for (const [what, damage] of damages) {
    test(`every object with ${what}`, async () => {
      const kept = await keptVault(['disk']);
      for (const [key, bytes] of kept.objects) {
        put(kept.system, 'disk', key, damage(bytes));
        await expectNothingWrong(kept, [key]);
        const outcome = await kept.system.verify();
        const type = parseKey(key)?.type;
        const isGone = damage(bytes) === undefined;
        // What a lost delta of the index named is sent again by a host that lost its own list. Who took it away is told all the same.
        if (isGone && type === 'index') expectIndexGap(outcome, key);
        // The host keeps what it granted, and stores it again; the key that it spoke of still opens.
        else if (isGone && type === 'grant') expect(outcome.sound).toBe(true);
        else if (type === 'rescue') expect(outcome).toMatchObject({ sound: true, findings: [{ key, healed: true }] });
        else if (isGone && type === 'snapshot') expect(outcome.sound).toBe(false);
        else expectNamed(outcome, key, kept);
        put(kept.system, 'disk', key, bytes);
      }
      expect(await kept.system.verify()).toMatchObject({ sound: true, findings: [] });
    });
  }

  test('two objects of one type swapped', async () => {
    const kept = await keptVault(['disk']);
    const types = Map.groupBy(kept.objects.keys(), (key) => parseKey(key)!.type);
    for (const type of ['pack', 'manifest', 'snapshot'] as const) {
      const [one, other] = types.get(type)!;
      put(kept.system, 'disk', one!, kept.objects.get(other!));
      put(kept.system, 'disk', other!, kept.objects.get(one!));
      await expectNothingWrong(kept, [one!, other!]);
      const outcome = await kept.system.verify();
      for (const key of [one!, other!]) {
        expectNamed(outcome, key, kept);
        put(kept.system, 'disk', key, kept.objects.get(key));
      }
    }
  });

  test('a record taken away shows, wherever it was in the chain', async () => {
    const kept = await keptVault(['disk']);
    for (const [index, { key }] of kept.points.entries()) {
      put(kept.system, 'disk', key, undefined);
      const { sound, suspect, findings } = await kept.system.verify();
      expect(sound).toBe(false);
      const next = kept.points[index + 1];
      if (next === undefined) expect(findings).toMatchObject([{ key, kind: 'missing' }]);
      else expect(suspect).toMatchObject([{ key: next.key, why: /before it is missing/ }]);
      put(kept.system, 'disk', key, kept.objects.get(key));
    }
  });

  test('a pack that is lost is sent again, once verify has found so', async () => {
    const kept = await keptVault(['disk']);
    const [lost] = [...kept.objects.keys()].filter((key) => key.startsWith('packs/'));
    put(kept.system, 'disk', lost!, undefined);
    await kept.system.verify();
    const { record } = await kept.system.backUp();
    expectSame(await kept.system.readBack(record.id), pictureOf(kept.system.source()));
  });
});

test('a record that rots behind an unchanged listing: what only shows it remembers it, and a restore and verify read it', async () => {
  const { system, points } = await keptVault(['disk']);
  using open = openSystem(system.config, { clock: systemClock });
  const list = async () => (await doJob(open, listJob, { datasets: ['uploads'] })).document;
  const { key, record } = points.at(-1)!;
  const file = join(system.at(), key);
  const stored = statSync(file).mtime;
  utimesSync(file, stored, stored);
  const listed = await list();
  put(system, 'disk', key, damages[3]![1](objectsIn(system.at()).get(key)!));
  utimesSync(file, stored, stored);
  expect(await list()).toEqual(listed);
  const restored = { dataset: 'uploads', only: [], id: record.id, into: `${system.folder}/back` };
  const request = { ...restored, force: false, trustCode: false };
  await expect(doJob(open, restoreJob, request, { identities: [system.identity] })).rejects.toMatchObject({
    code: 'restore-point-missing',
  });
  const { document } = await doJob(open, verifyJob, { all: true });
  expect(document).toMatchObject({ sound: false, suspect: [{ key }] });
});

describe('two destinations: a restore takes the sound copy, and verify heals the other', () => {
  for (const [what, damage] of damages.filter((_, index) => index % 3 === 1)) {
    test(`every object with ${what}`, async () => {
      const kept = await keptVault(['disk', 'nas']);
      const [id, picture] = [...kept.pictures].at(-1)!;
      for (const [key, bytes] of kept.objects) {
        put(kept.system, 'disk', key, damage(bytes));
        if (touchedBy(key, kept).includes(id) || key === 'vault.json') {
          expectSame(await kept.system.readBack(id), picture);
        }
        const outcome = await kept.system.verify();
        expect(outcome).toMatchObject({ sound: true, findings: [{ destination: 'disk', key, healed: true }] });
      }
      expect(objectsIn(kept.system.at('disk'))).toEqual(kept.objects);
      expect(await kept.system.verify()).toMatchObject({ sound: true, findings: [], suspect: [] });
    });
  }

  test('half of all objects rotten here and the other half there', async () => {
    const kept = await keptVault(['disk', 'nas']);
    let turn = 0;
    for (const [key, bytes] of kept.objects) put(kept.system, turn++ % 2 ? 'disk' : 'nas', key, damages[3]![1](bytes));
    for (const [id, picture] of kept.pictures) expectSame(pictureOf(await kept.system.restore({ id })), picture);
    expect((await kept.system.verify()).sound).toBe(true);
    expect(await kept.system.verify()).toMatchObject({ sound: true, findings: [] });
  });

  test('the same object rotten at both is named at both, and is an error to restore', async () => {
    const kept = await keptVault(['disk', 'nas']);
    const { record, needs } = kept.points.at(-1)!;
    const key = packKey([...needs.packs][0]![0]);
    for (const name of ['disk', 'nas']) put(kept.system, name, key, Buffer.from('rotten'));
    const outcome = await kept.system.verify();
    expect(outcome.findings.map(({ destination, healed }) => [destination, healed])).toEqual([
      ['disk', false],
      ['nas', false],
    ]);
    const failure = await kept.system.restore({ id: record.id }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LifeboatError);
    expect(failure).toMatchObject({ code: 'object-damaged', exit: 2 });
  });
});
