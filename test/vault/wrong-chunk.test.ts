import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type VerifyDocument, verifyJob } from '../../src/jobs/verify.ts';
import type { Needs } from '../../src/vault/hold/needs.ts';
import { readTreeCache, writeTreeCache } from '../../src/vault/write/tree-cache.ts';
import { publicKeyIn } from '../../src/vault/writer/key-file.ts';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { doJob } from '../support/jobs.ts';
import { pictureOf } from '../support/pictures.ts';
import { forgetIndex, type PoisonRequest, poison } from '../support/poison.ts';
import { systemOver, type TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, clockOff, expectSame, noise } from '../support/vault.ts';

/** A host that has backed up onto a pack that its index names wrongly. */
async function poisoned(way: PoisonRequest['way'] = 'chunk') {
  const system = await aSystem();
  smallTree(system.source());
  await system.backUp();
  const content = noise(20_000);
  const { config } = system;
  const { pack } = await poison({ stateDir: config.stateDir, vaultFolder: system.at(), content, way });
  writeFileSync(join(system.source(), 'victim'), content);
  const { record, needs } = await system.backUp();
  expect(uses(needs, pack)).toBe(true);
  return { system, pack, record };
}

function uses({ packs }: Needs, pack: string): boolean {
  return [...packs].some(([id]) => id === pack);
}

async function deep(system: TestSystem): Promise<VerifyDocument> {
  using open = system.open();
  return (await doJob(open, verifyJob, { all: true, deep: true }, { identities: [system.identity] })).document;
}

/** The same vault and identity on a machine that never wrote to it. */
function elsewhere(system: TestSystem): TestSystem {
  return systemOver({ ...system, config: { ...system.config, stateDir: join(system.folder, 'elsewhere') } });
}

describe('a pack that was stored wrong (3.2)', () => {
  test.for(['chunk', 'table', 'shut'] as const)(
    'by its host’s own keys (%s) is found, named with what it spoils, and never used again, also by a writer that lost its state',
    async (way) => {
      const { system, pack, record } = await poisoned(way);
      await expect(system.restore()).rejects.toMatchObject({ hint: expect.any(String) });
      const found = await deep(system);
      expect(found.sound).toBe(false);
      expect(found.findings).toEqual([]);
      expect(found.wrong).toMatchObject([{ pack }]);
      expect(found.wrong[0]!.restorePoints.map(({ id }) => id)).toEqual([record.id]);
      expect(found.spoiled.map(({ restorePoint }) => restorePoint.id)).toEqual([record.id]);

      const { needs: next } = await system.backUp();
      expect(uses(next, pack)).toBe(false);
      expectSame(pictureOf(await system.restore()), pictureOf(system.source()));
      forgetIndex(system.config.stateDir);
      writeFileSync(join(system.source(), 'again'), readFileSync(join(system.source(), 'victim')));
      const { needs: last } = await system.backUp({ fresh: true });
      expect(uses(last, pack)).toBe(false);
      // Those before stay as they are, and are told.
      expect((await deep(system)).spoiled.map(({ restorePoint }) => restorePoint.id)).toEqual([record.id]);
    },
  );

  test('is found by a machine that has the identity and not the writer’s state; the host heeds it once it knows that machine', async () => {
    const { system, pack } = await poisoned();
    const reader = elsewhere(system);
    expect((await deep(reader)).wrong).toMatchObject([{ pack }]);
    const key = publicKeyIn(join(reader.config.stateDir, 'writer.json'), (await system.points())[0]!.record.vault)!;

    // A stranger's word counts for nothing: it would have everything sent again.
    const { needs: deaf } = await system.backUp();
    expect(uses(deaf, pack)).toBe(true);
    const drill = { ...system.config.drill, writers: [{ key, systems: ['harbor'] }] };
    const heeding = systemOver({ ...system, config: { ...system.config, drill } });
    const { needs } = await heeding.backUp();
    expect(uses(needs, pack)).toBe(false);
    expectSame(pictureOf(await heeding.restore()), pictureOf(system.source()));
    // Once heard it is not forgotten.
    expect(uses((await system.backUp()).needs, pack)).toBe(false);
  });

  test('is found before anything uses it', async () => {
    const system = await aSystem();
    smallTree(system.source());
    await system.backUp();
    const content = noise(20_000);
    const { stateDir } = system.config;
    const { pack } = await poison({ stateDir, vaultFolder: system.at(), content, way: 'chunk' });
    expect((await deep(system)).wrong).toMatchObject([{ pack, restorePoints: [] }]);
    writeFileSync(join(system.source(), 'victim'), content);
    expect(uses((await system.backUp()).needs, pack)).toBe(false);
  });
});

test('a file that was recorded wrong although its chunks are right is found by --deep and read anew', async () => {
  const system = await aSystem();
  smallTree(system.source());
  writeFileSync(join(system.source(), 'victim'), noise(20_000));
  // What changed a moment ago is read again in any case.
  const later = { clock: clockOff(60_000) };
  await system.backUp(later);
  // A bit that flipped in what the host remembers of the tree goes from one restore point into the next.
  const file = join(system.config.stateDir, 'trees/uploads');
  const before = readTreeCache(file);
  const victim = before.find('victim')!;
  before.close();
  const changed = writeTreeCache(file);
  changed.add({ ...victim, sha256: victim.sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) });
  changed.keep();
  const { record } = await system.backUp(later);
  const found = await deep(system);
  expect(found.spoiled).toMatchObject([{ restorePoint: { id: record.id }, files: ['victim'] }]);
  expect(found.wrong).toHaveLength(1);
  await system.backUp(later);
  expectSame(pictureOf(await system.restore()), pictureOf(system.source()));
});

test('on the command line: a drill fails and says what to run, that names the pack, the next backup heals, and the drill passes', async () => {
  const folder = await project();
  const daily = ['--identity', 'lifeboat-keys/daily.txt'];
  for (const command of [['init'], ['backup']]) expect((await lifeboat(folder, command)).code).toBe(0);
  const content = noise(30_000);
  const [state = ''] = readdirSync(join(folder, 'state'));
  const at = { stateDir: join(folder, 'state', state), vaultFolder: join(folder, 'backups') };
  const { pack } = await poison({ ...at, content, way: 'chunk' });
  writeFileSync(join(folder, 'data/uploads/victim'), content);
  expect((await lifeboat(folder, ['backup'])).code).toBe(0);

  const failed = await lifeboat(folder, ['drill', ...daily]);
  expect(failed.code).toBe(1);
  expect(failed.stdout + failed.stderr).toContain('lifeboat verify --deep');
  const found = await lifeboat(folder, ['verify', '--deep', ...daily]);
  expect(found).toMatchObject({ code: 1, stdout: expect.stringContaining(`Pack ${pack} was stored wrong`) });
  expect(found.stdout).toMatch(
    /\[pack-wrong\]\n {4}needed by: uploads .*\n {4}No copy heals it\. Run 'lifeboat backup'/,
  );
  expect(found.stdout).toMatch(/uploads \w{26}: victim cannot be had: its SHA-256 is not the recorded one/);
  expect((await lifeboat(folder, ['audit'])).stdout).toContain(
    `1 pack found wrong, to be sent anew: ${pack.slice(0, 8)}`,
  );
  expect((await lifeboat(folder, ['backup'])).code).toBe(0);
  const proved = await lifeboat(folder, ['drill', ...daily]);
  expect(proved.code, proved.stdout + proved.stderr).toBe(0);
});
