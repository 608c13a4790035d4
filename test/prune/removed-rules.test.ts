import { describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../src/core/duration.ts';
import { manifestKey } from '../../src/vault/format/keys.ts';
import { recordBytes, recordHash, recordKey, type SnapshotRecord, signRecord } from '../../src/vault/format/record.ts';
import { sha256Hex } from '../../src/vault/hash.ts';
import type { PruneRules } from '../../src/vault/prune-rules.ts';
import { begin, type Play, type Setup } from './model/play.ts';
import type { RetentionRules } from './model/pruner.ts';
import { unsigned } from './model/writer.ts';

const last = (count: number) => ({ last: count, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 });
const one: Setup = { kinds: ['plain'], writers: 1, retention: last(1) };

const isRecord = (verb: string, key: string) => verb === 'put' && key.startsWith('snapshots/');
const isPack = (verb: string, key: string) => verb === 'delete' && key.startsWith('packs/');

/** Backs up; what a file holds then is there again when this is called. */
async function remembered(game: Play): Promise<() => void> {
  await game.backedUp(0);
  const writer = game.writers[0]!;
  const before = writer.source.get('file0')!;
  return () => void writer.source.set('file0', before);
}

/** `file0` of the first restore point is in no kept one any more, and marked. */
async function marked(game: Play): Promise<() => void> {
  const goBack = await remembered(game);
  await game.backedUp(0);
  game.world.nowMs += 3 * dayMs;
  await game.backedUp(0);
  await game.pruned();
  return goBack;
}

/** A record that nobody would believe, signed by a writer's key. */
async function forge(game: Play, by: number, offMs: number, more: Partial<SnapshotRecord>): Promise<SnapshotRecord> {
  const { world, truth } = game;
  const writer = game.writers[by]!;
  const time = new Date(world.nowMs + offMs).toISOString();
  const forged = signRecord({ ...unsigned(world, writer, time), ...more }, writer.privateKey);
  truth.forged.set(recordKey(forged), { plausible: false });
  await world.places[0]!.store.put(recordKey(forged), recordBytes(forged));
  return forged;
}

/** The record of a restore point that was let go is locked for longer than what it needs, while two prunes go over it. */
async function withLockedRecord(game: Play): Promise<void> {
  const { world, truth } = game;
  await game.backedUp(0);
  const { key } = truth.stored.get('place0')![0]!;
  const { history } = world.places[0]!.store;
  const [version] = await history!.versionsOf(key);
  await history!.extendLock(key, version!.version, world.nowMs + 90 * dayMs);
  await game.backedUp(0);
  world.nowMs += 6 * dayMs;
  await game.backedUp(0);
  await game.pruned();
  await game.backedUp(0);
  world.nowMs += 6 * dayMs;
  await game.pruned();
  await truth.check();
}

interface Script {
  readonly rule: Partial<PruneRules>;
  readonly retentionRule?: Partial<RetentionRules>;
  readonly setup?: Partial<Setup>;
  play(game: Play): Promise<void>;
}

const scripts: Record<string, Script> = {
  'a writer uses a marked pack again while it is being removed': {
    rule: { writerHeeds: false },
    async play(game) {
      const { world, backup, prune, truth } = game;
      const goBack = await marked(game);
      await game.backedUp(0);
      world.nowMs += 4 * dayMs;
      const pruner = prune();
      await world.stepTo(pruner, isPack);
      goBack();
      await world.finish(backup(0));
      await world.finish(pruner);
      await truth.check();
    },
  },
  'a writer uses a marked list again while it is being removed, though its packs stay': {
    rule: { writerHeeds: false },
    async play(game) {
      const { world, backup, prune, truth } = game;
      await game.backedUp(0);
      const { source } = game.writers[0]!;
      // The last list, of one pack, becomes one of two.
      source.set('file3', 'more');
      await world.finish(backup(0));
      world.nowMs += 3 * dayMs;
      await world.finish(backup(0));
      await game.pruned();
      await world.finish(backup(0));
      world.nowMs += 4 * dayMs;
      const pruner = prune();
      await world.stepTo(pruner, (verb, key) => verb === 'delete' && key.startsWith('lists/'));
      source.delete('file3');
      await world.finish(backup(0));
      await world.finish(pruner);
      await truth.check();
    },
  },
  'a writer trusts its memory of what was removed long ago': {
    rule: { writerLooksAnew: false },
    async play(game) {
      const { world, backup, truth } = game;
      const goBack = await marked(game);
      await game.backedUp(0);
      world.nowMs += 4 * dayMs;
      await game.pruned();
      await game.pruned();
      goBack();
      await world.finish(backup(0));
      await truth.check();
    },
  },
  'a record that was on its way arrives after its packs were removed': {
    rule: { grace: false },
    async play(game) {
      const { world, backup, truth } = game;
      const goBack = await remembered(game);
      await game.backedUp(0);
      world.nowMs += 3 * dayMs;
      await game.backedUp(0);
      goBack();
      const late = backup(0);
      await world.stepTo(late, isRecord);
      await world.kill(late, 'late');
      await game.pruned();
      await game.backedUp(0);
      await game.pruned();
      await world.deliver(0);
      await truth.check();
    },
  },
  'a writer that was stopped just before its record goes on after the sweep': {
    rule: { everyWriterPassed: false },
    async play(game) {
      const { world, backup, truth } = game;
      const goBack = await remembered(game);
      await game.backedUp(0);
      world.nowMs += 3 * dayMs;
      goBack();
      const stopped = backup(0);
      await world.stepTo(stopped, isRecord);
      await game.pruned();
      world.nowMs += 4 * dayMs;
      await game.pruned();
      await world.finish(stopped);
      await truth.check();
    },
  },
  'the first backup of a new writer is stopped just before its record': {
    rule: { newWriters: false },
    setup: { writers: 2 },
    async play(game) {
      const { world, backup, truth } = game;
      await game.backedUp(0);
      const stopped = backup(1);
      await world.stepTo(stopped, isRecord);
      world.nowMs += 3 * dayMs;
      await game.backedUp(0);
      await game.pruned();
      world.nowMs += 4 * dayMs;
      await game.backedUp(0);
      await game.pruned();
      await world.finish(stopped);
      await truth.check();
    },
  },
  'a restore point on its way out still needs what was marked before it': {
    rule: { lookAgain: false },
    async play(game) {
      const { world, backup, truth } = game;
      const goBack = await remembered(game);
      await game.backedUp(0);
      world.nowMs += 3 * dayMs;
      await game.backedUp(0);
      goBack();
      const stopped = backup(0);
      await world.stepTo(stopped, isRecord);
      await game.pruned();
      await world.finish(stopped);
      await game.backedUp(0);
      world.nowMs += 4 * dayMs;
      await game.pruned();
      await truth.check();
    },
  },
  'a prune that was stopped goes on after another has taken back what it removes': {
    rule: { takenBackRests: false },
    async play(game) {
      const { world, backup, prune, truth } = game;
      const goBack = await marked(game);
      await game.backedUp(0);
      world.nowMs += 4 * dayMs;
      const stopped = prune();
      await world.stepTo(stopped, (verb) => verb === 'delete');
      const { record } = truth.stored.get('place0')![0]!;
      truth.pinnedLate.add(record.id);
      await game.pin(record);
      await game.pruned();
      goBack();
      await world.finish(backup(0));
      await world.finish(stopped);
      await truth.check();
    },
  },
  'a place out of reach has the record that needs it': {
    rule: { noGaps: false },
    setup: { kinds: ['plain', 'plain'] },
    async play(game) {
      const { world, backup, truth } = game;
      const goBack = await remembered(game);
      await game.backedUp(0);
      world.nowMs += 3 * dayMs;
      await game.backedUp(0);
      goBack();
      world.places[0]!.down = true;
      await world.finish(backup(0));
      world.places[0]!.down = false;
      world.places[1]!.down = true;
      await game.backedUp(0);
      await game.pruned();
      await game.backedUp(0);
      world.nowMs += 4 * dayMs;
      await game.pruned();
      await truth.check();
    },
  },
  'only a place that lags answers a writer': {
    rule: { writerRemembers: false },
    setup: { kinds: ['plain', 'plain'] },
    async play(game) {
      const { world, backup, truth } = game;
      const goBack = await remembered(game);
      await game.backedUp(0);
      world.nowMs += 3 * dayMs;
      await game.backedUp(0);
      // One place does not hear of the mark.
      world.places[1]!.down = true;
      await game.pruned();
      await game.backedUp(0);
      world.nowMs += 4 * dayMs;
      world.places[1]!.down = false;
      world.places[0]!.down = true;
      goBack();
      await world.finish(backup(0));
      world.places[0]!.down = false;
      world.places[1]!.down = true;
      await game.pruned();
      await truth.check();
    },
  },
  'a prune is killed between a restore point and its record': {
    rule: { recordFirst: false },
    async play(game) {
      const { world, prune, truth } = game;
      await marked(game);
      await game.backedUp(0);
      world.nowMs += 4 * dayMs;
      const pruner = prune();
      await world.stepTo(pruner, isPack);
      await world.step(pruner, 1);
      await world.kill(pruner, 'done');
      await truth.check();
    },
  },
  'a record is locked for longer than what it needs': {
    rule: { recordFirst: false },
    setup: { kinds: ['locks'] },
    play: withLockedRecord,
  },
  'a log is let go of while the record that needs it is locked': {
    rule: { logsAfterRecords: false },
    setup: { kinds: ['locks'] },
    play: withLockedRecord,
  },
  'a place that lags has only older restore points': {
    rule: {},
    retentionRule: { placesAlone: false },
    setup: { kinds: ['plain', 'plain'] },
    async play(game) {
      const { world, truth } = game;
      await game.backedUp(0);
      world.places[0]!.down = true;
      await game.backedUp(0);
      world.places[0]!.down = false;
      world.nowMs += 3 * dayMs;
      await game.pruned();
      world.nowMs += 4 * dayMs;
      // The writer has passed, at the place that does not lag.
      world.places[0]!.down = true;
      await game.backedUp(0);
      world.places[0]!.down = false;
      await game.pruned();
      await truth.check();
    },
  },
  'an epoch has begun, and its first record is on its way': {
    rule: {},
    retentionRule: { keysStay: false },
    async play(game) {
      const { world, writers, backup, truth } = game;
      await game.backedUp(0);
      writers[0]!.mustBegin = true;
      const stopped = backup(0);
      await world.stepTo(stopped, isRecord);
      await game.pruned();
      await world.finish(stopped);
      await truth.check();
    },
  },
  'the neighbour in the vault says that a restore point is of this system': {
    rule: {},
    retentionRule: { systemsAlone: false },
    setup: { writers: 2, systems: 2, retention: last(3) },
    async play(game) {
      const { world, writers, truth } = game;
      await game.backedUp(0);
      await game.backedUp(0);
      await game.backedUp(1);
      const { lists, keys } = truth.stored.get('place0')![0]!.record;
      const { system, dataset } = writers[0]!;
      for (let forgery = 0; forgery < 3; forgery++) {
        world.nowMs += hourMs;
        const bytes = world.unique('manifest');
        const manifest = [sha256Hex(bytes), bytes.length] as const;
        await world.places[0]!.store.put(manifestKey(manifest[0]), bytes);
        const forged = await forge(game, 1, 0, { system, dataset, manifest, lists, keys });
        // In the neighbour's own chain nothing is odd.
        Object.assign(writers[1]!, { lastHash: recordHash(forged), sequence: forged.sequence });
      }
      await game.pruned();
      await game.backedUp(0);
      await game.backedUp(1);
      world.nowMs += 4 * dayMs;
      await game.pruned();
      await truth.check();
    },
  },
  'a pin is older than a checkpoint of the ledger': {
    rule: {},
    retentionRule: { entriesStay: false },
    async play(game) {
      const { world, truth } = game;
      await game.backedUp(0);
      await game.pin(truth.stored.get('place0')![0]!.record);
      // The checkpoint, what is under it, what nothing pins any more, and what is marked for it.
      for (let prune = 0; prune < 4; prune++) {
        await game.backedUp(0);
        await game.backedUp(0);
        world.nowMs += 4 * dayMs;
        await game.backedUp(0);
        await game.pruned();
      }
      await truth.check();
    },
  },
  'an attacker adds restore points that are dated ahead, dated back, or empty': {
    rule: {},
    retentionRule: { soundFirst: false },
    async play(game) {
      const { world, truth } = game;
      await game.backedUp(0);
      world.nowMs += hourMs;
      const empty = { manifest: ['e'.repeat(64), 5], lists: [], generation: 1 } as const;
      for (const offMs of [9 * dayMs, -minuteMs, 0]) await forge(game, 0, offMs, empty);
      await game.pruned();
      world.nowMs += 4 * dayMs;
      await game.pruned();
      await truth.check();
    },
  },
};

describe('each rule is needed', () => {
  test.for(Object.entries(scripts))('%s', async ([, { rule, retentionRule, setup, play }]) => {
    const safe = await begin({ ...one, ...setup });
    await play(safe);
    expect(safe.truth.broken).toEqual([]);
    const without = await begin({
      ...one,
      ...setup,
      rules: rule,
      ...(retentionRule && { retentionRules: retentionRule }),
    });
    await play(without);
    expect(without.truth.broken).not.toEqual([]);
  });
});
