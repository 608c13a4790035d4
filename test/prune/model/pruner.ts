import type { System } from '../../../src/config/system.ts';
import { dayMs } from '../../../src/core/duration.ts';
import { LifeboatError } from '../../../src/core/errors.ts';
import type { Retention } from '../../../src/core/retention.ts';
import { type Run, startRun } from '../../../src/core/run.ts';
import type { Destination, Key } from '../../../src/destinations/destination.ts';
import { nextCheckpoint, passedEntries, removeEntries } from '../../../src/ledger/checkpoint.ts';
import { foldLedger, type PruneLedger } from '../../../src/ledger/decisions.ts';
import { readLedger } from '../../../src/ledger/read.ts';
import { factsOf, firstStoredMs, wholeAt } from '../../../src/operations/prune-facts.ts';
import { planFor } from '../../../src/retention/index.ts';
import { epochKeyKey, ledgerKey } from '../../../src/vault/format/keys.ts';
import type { LedgerObject } from '../../../src/vault/format/ledger.ts';
import { decodeLedgerEntry } from '../../../src/vault/format/ledger.ts';
import { decodeRecord } from '../../../src/vault/format/record.ts';
import { newSigningKey, type SigningKey } from '../../../src/vault/format/signing.ts';
import { openVault } from '../../../src/vault/open.ts';
import type { Place } from '../../../src/vault/prune/place.ts';
import { planPrune, pruneVault, surveyVault } from '../../../src/vault/prune/prune.ts';
import type { PruneRules } from '../../../src/vault/prune-rules.ts';
import { isOurs, type Keys, type Trust } from '../../../src/vault/trust.ts';
import type { RestorePoint } from '../../../src/vault/vault.ts';
import { type Actor, vaultId, type World } from './world.ts';

/** What a pruner of one system knows besides the destinations. */
export interface ModelPruner {
  readonly config: System;
  readonly key: SigningKey;
  /** Everybody, also the other systems' pruners. */
  readonly writers: Keys;
}

/** Rules of retention that are left out to see that they matter. */
export interface RetentionRules {
  readonly placesAlone: boolean;
  readonly soundFirst: boolean;
  /** Nothing below `keys/` is removed, also where no record needs it yet. */
  readonly keysStay: boolean;
  /** Who writes for one system says nothing of another. */
  readonly systemsAlone: boolean;
  /** Of what is under a checkpoint of the ledger only what nothing rests on goes. */
  readonly entriesStay: boolean;
}

export const allRetentionRules: RetentionRules = {
  placesAlone: true,
  soundFirst: true,
  keysStay: true,
  systemsAlone: true,
  entriesStay: true,
};

const pruneKeys = [newSigningKey(), newSigningKey()];
/** So soon, and for so little, that lives of a week have some. */
const checkpoints = { keepMs: 2 * dayMs, least: 2 };

/** `writers`: the key and the system of each. */
export function newPruner(
  system: string,
  datasets: readonly string[],
  retention: Retention,
  writers: ReadonlyArray<{ readonly publicKey: string; readonly system: string }>,
): ModelPruner {
  const dataset = { type: 'files', retention, rpoMs: 3_600_000, rtoMs: 3_600_000 };
  const config = { name: system, datasets: Object.fromEntries(datasets.map((name) => [name, dataset])) };
  const systems = [...new Set(writers.map((writer) => writer.system))];
  const pruners = systems.map((one, at) => ({ publicKey: pruneKeys[at]!.publicKey, system: one }));
  return {
    config: config as unknown as System,
    key: pruneKeys[systems.indexOf(system)]!,
    writers: new Map([...writers, ...pruners].map((one) => [one.publicKey, new Set([one.system])])),
  };
}

/** One run of `lifeboat prune`, without its terminal. */
export function startPrune(
  world: World,
  { config, key, writers }: ModelPruner,
  rules: PruneRules,
  retention: RetentionRules,
): Actor {
  return world.start('pruner', async (actor) => {
    const run = startRun({ clock: world.clock });
    const all = world.places.map((place) => world.seen(place, actor));
    const destinations = [];
    const outOfReach: string[] = [];
    for (const destination of all) {
      const found = await destination.stat('vault.json').then(
        () => true,
        (error: unknown) => {
          if (actor.dead) throw error;
          return false;
        },
      );
      if (found) destinations.push(destination);
      else outOfReach.push(destination.name);
    }
    if (destinations.length === 0) return;
    try {
      const systems = new Set([...writers.values()].flatMap((some) => [...some]));
      const known = retention.systemsAlone ? writers : new Map([...writers.keys()].map((key) => [key, systems]));
      const vault = await openVault(destinations, { trust: () => ({ writers: known }) });
      const survey = await surveyVault({ vault, destinations, trust: vault.trust }, run);
      const { objects, ledger } = await ledgerOf(world, vault.trust, survey.points);
      const points = retention.soundFirst ? survey.points : survey.points.map((point) => ({ ...point, doubts: [] }));
      const everywhere = (at: readonly string[]) => (retention.placesAlone || at.length === 0 ? at : ['all']);
      const plan = planFor(
        config,
        { points, suspect: [] },
        {
          ledger,
          wholeAt: (point) => {
            const [known] = survey.points.filter(({ key }) => key === point.key);
            return everywhere(retention.soundFirst ? wholeAt(survey.places, known!) : point.destinations);
          },
          firstStoredMs: (point) => firstStoredMs(survey.places, point),
          nowMs: Math.min(...survey.places.map(({ nowMs }) => nowMs)),
        },
      );
      const facts = factsOf({
        ...survey,
        trust: vault.trust,
        outOfReach: [...outOfReach, ...survey.outOfReach],
        plan,
        ledger,
        retire: [],
        sparse: new Set(),
        system: config.name,
      });
      const planned = planPrune(facts, rules);
      await pruneVault(
        {
          vault: vaultId,
          plan: planned,
          suspect: survey.suspect,
          signingKey: key.privateKey,
          async beforeMarking() {
            const { marks, generation } = planned;
            const removed = marks.withdrawn.map(({ hash }) => hash).filter((hash) => !ledger.removed.has(hash));
            if (removed.length > 0) await world.note(key, 'prune', { step: 'mark', generation, removed });
          },
        },
        run,
      );
      if (!retention.keysStay) await removeUnneededKeys(destinations);
      if (outOfReach.length + survey.outOfReach.length === 0 && ledger.suspect.length === 0)
        await checkpoint(world, key, { places: survey.places, objects, trust: vault.trust }, retention, run);
    } catch (error) {
      // A prune that stops and says why is no fault.
      if (!(error instanceof LifeboatError)) throw error;
    }
  });
}

interface LedgerNow {
  readonly objects: readonly LedgerObject[];
  readonly ledger: PruneLedger;
}

async function ledgerOf(world: World, trust: Trust, points: readonly RestorePoint[]): Promise<LedgerNow> {
  const stores = world.places.map(({ store }) => store);
  const { objects } = await readLedger(stores, (writer) => isOurs(trust, writer));
  return { objects, ledger: foldLedger(objects, vaultId, trust, points, world.nowMs) };
}

/** As a prune ends: what may go of the ledger by an earlier checkpoint goes, and the next is made. */
async function checkpoint(
  world: World,
  key: SigningKey,
  { places, objects, trust }: { places: readonly Place[]; objects: readonly LedgerObject[]; trust: Trust },
  { entriesStay }: RetentionRules,
  run: Run,
): Promise<void> {
  const judging = { vault: vaultId, trust, nowMs: Math.min(...places.map(({ nowMs }) => nowMs)) };
  const going = passedEntries(objects, judging);
  await removeEntries(places, entriesStay || going.length === 0 ? going : allUnder(objects), run);
  const chains = nextCheckpoint(objects, judging, checkpoints);
  if (chains.length > 0) await world.note(key, 'checkpoint', { chains });
}

/** Everything that a checkpoint goes over, whatever it says that it keeps. */
function allUnder(objects: readonly LedgerObject[]): Key[] {
  const records = objects.map(({ key, bytes }) => decodeLedgerEntry(bytes, key));
  const through = new Map<string, number>();
  for (const { kind, body } of records) {
    if (kind !== 'checkpoint') continue;
    for (const chain of body.chains as ReadonlyArray<{ writer: string; through: number }>)
      through.set(chain.writer, Math.max(chain.through, through.get(chain.writer) ?? 0));
  }
  return records.flatMap(({ id, writer, sequence }) => (sequence <= (through.get(writer) ?? 0) ? [ledgerKey(id)] : []));
}

/** What a tidy prune would do: keys of epochs go that no record names. */
async function removeUnneededKeys(destinations: readonly Destination[]): Promise<void> {
  for (const destination of destinations) {
    const needed = new Set<Key>();
    for await (const { key } of destination.list('snapshots/')) {
      for (const [epoch, id] of decodeRecord(await destination.get(key)).keys) needed.add(epochKeyKey(epoch, id));
    }
    for await (const { key } of destination.list('keys/')) if (!needed.has(key)) await destination.delete(key);
  }
}
