import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { attack, bombs, expectBombEnds, limits } from './hostile/bombs.ts';
import { compile, type HostileStage, setHostileStage, whos } from './hostile/stage.ts';

const isRoot = process.getuid?.() === 0;

let built: TemporaryFolder;
beforeAll(async () => {
  built = await makeTemporaryFolder({ open: true });
  compile(built.path);
});
afterAll(() => built[Symbol.asyncDispose]());

describe.each(whos)('H8: a bomb in a drill by %s', (who) => {
  let stage: HostileStage;
  beforeAll(async () => {
    stage = await setHostileStage(who, built.path, { limits });
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  test.each(Object.keys(bombs))('of %s ends it without a verdict on the backup, and hurts nobody', async (kind) => {
    await expectBombEnds(stage, kind, who);
  });
});

describe.runIf(isRoot)('H8: a bomb in a drill by root, where no control groups can be made', () => {
  let stage: HostileStage;
  beforeAll(async () => {
    stage = await setHostileStage('root', built.path, { limits, withoutGroups: true });
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  test.each(['forks', 'memfd'])('of %s ends it without a verdict on the backup, and hurts nobody', async (kind) => {
    await expectBombEnds(stage, kind, 'root without groups');
  });
});

// A small disk is made with a mount.
test.runIf(isRoot)('H8: a drill ends without a verdict before it fills the disk', async () => {
  await using stage = await setHostileStage('root', built.path, { small: true, limits: '{ disk: 10 GiB }' });
  const { outcome } = await stage.drill({ bomb: attack('bomb-disk') });
  expect(outcome.verdict).toBe('inconclusive');
  expect(outcome.why.join(' ')).toMatch(/the disk|on disk/);
  expect(stage.remains()).toEqual([]);
});
