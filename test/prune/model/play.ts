import { dayMs, hourMs, minuteMs } from '../../../src/core/duration.ts';
import type { Retention } from '../../../src/core/retention.ts';
import { manifestKey } from '../../../src/vault/format/keys.ts';
import { recordBytes, recordKey, type SnapshotRecord, signRecord } from '../../../src/vault/format/record.ts';
import { sha256Hex } from '../../../src/vault/hash.ts';
import { allRules, type PruneRules } from '../../../src/vault/prune-rules.ts';
import fc from '../../support/fast-check.ts';
import { allRetentionRules, type ModelPruner, newPruner, type RetentionRules, startPrune } from './pruner.ts';
import { type Truth, watch } from './truth.ts';
import { type Actor, type PlaceKind, World } from './world.ts';
import { type ModelWriter, newWriter, startBackup, unsigned } from './writer.ts';

export interface Setup {
  readonly kinds: readonly PlaceKind[];
  readonly writers: number;
  /** So many systems share the vault; each has a writer and a pruner of its own. */
  readonly systems?: number;
  readonly retention: Retention;
  readonly rules?: Partial<PruneRules>;
  readonly retentionRules?: Partial<RetentionRules>;
}

export interface Play {
  readonly world: World;
  readonly writers: readonly ModelWriter[];
  readonly pruners: readonly ModelPruner[];
  readonly truth: Truth;
  backup(writer: number): Actor;
  prune(system?: number): Actor;
  /** A whole backup, with something new in it. */
  backedUp(writer: number): Promise<void>;
  /** A whole prune of every system. */
  pruned(): Promise<void>;
  /** By the host of who wrote it. */
  pin(point: SnapshotRecord): Promise<void>;
}

export async function begin({
  kinds,
  writers: count,
  systems = 1,
  retention,
  rules,
  retentionRules,
}: Setup): Promise<Play> {
  const world = new World(kinds);
  await world.begin();
  const writers = Array.from({ length: count }, (_, at) => newWriter(world, at, `system${at % systems}`));
  const pruners = [...Map.groupBy(writers, ({ system }) => system)].map(([system, own]) => {
    const datasets = own.map(({ dataset }) => dataset);
    return newPruner(system, datasets, retention, writers);
  });
  const truth = watch(world, retention);
  const prunes = { ...allRules, ...rules };
  const backup = (at: number) => {
    // No two restore points of a dataset are of the same moment.
    world.nowMs += minuteMs;
    return startBackup(world, writers[at]!, pruners[0]!.writers, prunes);
  };
  const prune = (system = 0) =>
    startPrune(world, pruners[system]!, prunes, { ...allRetentionRules, ...retentionRules });
  return {
    world,
    writers,
    pruners,
    truth,
    backup,
    prune,
    async backedUp(at) {
      change(world, writers[at]!, 0);
      await world.finish(backup(at));
    },
    async pruned() {
      for (const system of pruners.keys()) await world.finish(prune(system));
    },
    async pin({ id, writer }) {
      truth.pins.add(id);
      const by = writers.find(({ publicKey }) => publicKey === writer)!;
      await world.note(by, 'pin', { action: 'pin', point: id, reason: 'the model' });
    },
  };
}

let changes = 0;

export function change(world: World, { source, name }: ModelWriter, file: number): void {
  source.set(`file${file}`, `${name} changed ${++changes} ${world.nowMs}`);
}

type Command =
  | { readonly do: 'backup'; readonly writer: number; readonly file: number; readonly calls: number }
  | { readonly do: 'prune'; readonly system: number; readonly calls: number }
  | { readonly do: 'go on'; readonly actor: number; readonly calls: number }
  | { readonly do: 'kill'; readonly actor: number; readonly fate: 'lost' | 'done' | 'late' }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'arrive'; readonly which: number }
  | { readonly do: 'down' | 'up'; readonly place: number }
  | { readonly do: 'clock'; readonly writer: number; readonly offMs: number }
  | { readonly do: 'go back'; readonly writer: number; readonly file: number }
  | { readonly do: 'rotate' | 'anew'; readonly writer: number }
  | { readonly do: 'pin'; readonly which: number }
  | { readonly do: 'lock'; readonly which: number; readonly ms: number }
  | {
      readonly do: 'attack';
      readonly how: 'future' | 'past' | 'now' | 'empty' | 'overwrite' | 'hide' | 'neighbour';
      readonly which: number;
    };

const calls = fc.oneof(fc.nat(12), fc.constantFrom(30, 100, 1000));
const which = fc.nat(1000);
const small = fc.nat(2);

/** Most of the time something is backed up, pruned or waited for: else nothing ever comes to an end. */
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('backup' as const), writer: small, file: small, calls }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('prune' as const), system: small, calls }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('go on' as const), actor: which, calls }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(minuteMs, hourMs, dayMs, 2 * dayMs, 3 * dayMs, 4 * dayMs),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('kill' as const),
      actor: which,
      fate: fc.constantFrom('lost' as const, 'done' as const, 'late' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('arrive' as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('down' as const, 'up' as const), place: small }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('clock' as const),
      writer: small,
      offMs: fc.constantFrom(0, -dayMs * 9, -hourMs, hourMs, dayMs * 9),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('go back' as const), writer: small, file: small }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('rotate' as const, 'rotate' as const, 'anew' as const), writer: small }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pin' as const), which }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('lock' as const), which, ms: fc.constantFrom(dayMs, 9 * dayMs) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('attack' as const),
      how: fc.constantFrom(
        'future' as const,
        'past' as const,
        'now' as const,
        'empty' as const,
        'overwrite' as const,
        'hide' as const,
        'neighbour' as const,
      ),
      which,
    }),
  },
);

export interface Case {
  readonly kinds: readonly PlaceKind[];
  readonly writers: number;
  readonly systems: number;
  readonly retention: Retention;
  readonly hostile: boolean;
  readonly commands: readonly Command[];
}

const none: Retention = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };

export const anyCase: fc.Arbitrary<Case> = fc.record({
  kinds: fc.constantFrom<readonly PlaceKind[]>(
    ['plain'],
    ['versions'],
    ['locks'],
    ['plain', 'plain'],
    ['locks', 'plain'],
    ['versions', 'locks'],
  ),
  writers: fc.constantFrom(1, 2),
  systems: fc.constantFrom(1, 2),
  retention: fc.constantFrom(
    none,
    { ...none, last: 2 },
    { ...none, daily: 2 },
    { ...none, last: 2, hourly: 2, daily: 3 },
  ),
  hostile: fc.boolean(),
  commands: fc.array(command, { minLength: 8, maxLength: 40 }),
});

/** Plays a case to its end, with every process that still lives, and looks at everything again and again. */
export async function play({ commands, hostile, ...setup }: Case, rules?: Partial<PruneRules>): Promise<Truth> {
  const game = await begin({ ...setup, ...(rules && { rules }) });
  const { world, writers, truth } = game;
  const old = new Map<string, string>();
  for (const at of writers.keys()) await game.backedUp(at);
  const living = () => world.actors.filter(({ ended, dead }) => !ended && !dead);
  for (const one of commands) {
    await perform(one, game, hostile, old, living());
    if (one.do === 'kill' || one.do === 'wait') await truth.check();
  }
  for (const place of world.places) place.down = false;
  for (const actor of living()) await world.finish(actor);
  await truth.check();
  // A last quiet time in which all that may go goes.
  for (let round = 0; round < 2; round++) {
    for (const at of writers.keys()) await game.backedUp(at);
    await game.pruned();
    world.nowMs += 4 * dayMs;
    for (const at of writers.keys()) await game.backedUp(at);
    await game.pruned();
    await truth.check();
  }
  for (const { error, name } of world.actors) {
    if (error !== undefined && !isExpected(error)) throw new Error(`${name} failed`, { cause: error });
  }
  return truth;
}

function isExpected(error: unknown): boolean {
  return error instanceof Error && ('code' in error || error.constructor.name === 'SessionEnded');
}

async function perform(
  one: Command,
  { world, writers, pruners, truth, backup, prune, pin }: Play,
  hostile: boolean,
  old: Map<string, string>,
  living: readonly Actor[],
): Promise<void> {
  const pick = <T>(all: readonly T[], at: number): T | undefined => all[at % Math.max(1, all.length)];
  const points = () => truth.stored.get(world.places[0]!.name)!;
  switch (one.do) {
    case 'backup': {
      const writer = pick(writers, one.writer)!;
      if (writer.running !== undefined && !writer.running.ended && !writer.running.dead) return;
      old.set(`${writer.name} ${one.file}`, writer.source.get(`file${one.file}`) ?? '');
      change(world, writer, one.file);
      return world.step(backup(writers.indexOf(writer)), one.calls);
    }
    case 'go back': {
      // What a file held before is there again: its pack may be marked meanwhile.
      const writer = pick(writers, one.writer)!;
      const before = old.get(`${writer.name} ${one.file}`);
      if (before !== undefined) writer.source.set(`file${one.file}`, before);
      return;
    }
    case 'prune':
      if (living.filter(({ name }) => name === 'pruner').length >= 2) return;
      return world.step(prune(one.system % pruners.length), one.calls);
    case 'go on': {
      const actor = pick(living, one.actor);
      return actor && world.step(actor, one.calls);
    }
    case 'kill': {
      const actor = pick(living, one.actor);
      return actor && world.kill(actor, one.fate);
    }
    case 'wait':
      world.nowMs += one.ms;
      return;
    case 'arrive':
      return world.deliver(one.which);
    case 'down':
    case 'up': {
      const place = pick(world.places, one.place)!;
      place.down = one.do === 'down' && world.places.length > 1;
      return;
    }
    case 'clock': {
      const writer = pick(writers, one.writer)!;
      // Of a writer whose clock is wrong, and forgeries in its name, nobody can tell which is which.
      if (!hostile) writer.offMs = one.offMs;
      return;
    }
    case 'rotate':
      // A recipient goes: the next backup begins an epoch.
      pick(writers, one.writer)!.mustBegin = true;
      return;
    case 'anew': {
      // A server is made anew: its log begins at zero, and what lay in the old one says nothing about it.
      const writer = pick(writers, one.writer)!;
      writer.log = { history: `h${Number(writer.log.history.slice(1)) + 1}` };
      return;
    }
    case 'pin': {
      const point = pick(points(), one.which);
      const { store } = world.places[0]!;
      if (point === undefined || (await store.stat(point.key).catch(() => undefined)) === undefined) return;
      // One that is on its way out already, at one place or with a prune that runs, may go all the same.
      const left = await Promise.all(world.places.map((place) => place.store.stat(point.key).catch(() => undefined)));
      const isWhole = left.every((found) => found !== undefined);
      if (!isWhole || living.some(({ name }) => name === 'pruner')) truth.pinnedLate.add(point.record.id);
      return pin(point.record);
    }
    case 'lock': {
      const place = pick(world.places, one.which)!;
      const point = pick(truth.stored.get(place.name)!, one.which);
      if (place.kind !== 'locks' || point === undefined) return;
      for (const version of (await place.store.history?.versionsOf(point.key)) ?? []) {
        if (!version.isDeleteMarker)
          await place.store.history?.extendLock(point.key, version.version, world.nowMs + one.ms);
      }
      return;
    }
    case 'attack':
      if (hostile) await attack(one.how, one.which, { world, writers, truth });
  }
}

/** Somebody has the writer's host: its keys, and what the store lets it do. */
async function attack(
  how: Extract<Command, { do: 'attack' }>['how'],
  which: number,
  { world, writers, truth }: Pick<Play, 'world' | 'writers' | 'truth'>,
): Promise<void> {
  const place = world.places[which % world.places.length]!;
  const writer = writers[which % writers.length]!;
  const known = truth.stored.get(place.name)!;
  const victim = known[which % Math.max(1, known.length)];
  if (how === 'overwrite' || how === 'hide') {
    // Where nothing is kept of what was overwritten or removed, no protocol helps.
    if (place.kind !== 'locks' || victim === undefined) return;
    const keys = [victim.key, ...truth.needsOf(victim.record)];
    const key = keys[which % keys.length]!;
    if (how === 'hide') await place.store.delete(key);
    else if ((await place.store.history!.versionsOf(key)).length > 0)
      await place.store.put(key, world.unique('ransom'));
    return;
  }
  const neighbour = writers.find(({ system }) => system !== writer.system);
  if (how === 'neighbour' && neighbour === undefined) return;
  // Its own chain, and another system's name: whatever is in it, nobody believes it.
  const signer = how === 'neighbour' ? neighbour! : writer;
  const offMs = { future: 30 * dayMs, past: -5 * dayMs, now: 0, empty: 0, neighbour: 0 }[how];
  const time = new Date(world.nowMs + offMs).toISOString();
  const manifest = world.unique('manifest');
  const forged = signRecord(
    {
      ...unsigned(world, writer, time),
      ...(how === 'empty' || victim === undefined
        ? { lists: which % 2 === 0 ? [] : ([['f'.repeat(64), 1, 5]] as const), manifest: ['e'.repeat(64), 5] as const }
        : { lists: victim.record.lists, manifest: victim.record.manifest, keys: victim.record.keys }),
      ...(how === 'neighbour' && { manifest: [sha256Hex(manifest), manifest.length] as const }),
      generation: 1000,
      ...(which % 3 > 0 && {
        position: { timeline: `${writer.log.history}-1`, log: (which % 3 === 1 ? '0' : 'f').repeat(16) },
      }),
    },
    signer.privateKey,
  );
  const key = recordKey(forged);
  if (how === 'neighbour') await place.store.put(manifestKey(forged.manifest[0]), manifest);
  else truth.stolenMs.set(writer.publicKey, Math.min(truth.stolenMs.get(writer.publicKey) ?? Infinity, world.nowMs));
  truth.forged.set(key, { plausible: how === 'now' });
  await place.store.put(key, recordBytes(forged)).catch(() => {});
}
