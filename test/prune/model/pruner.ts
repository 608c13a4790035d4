import type { System } from '../../../src/config/system.ts';
import { LifeboatError } from '../../../src/core/errors.ts';
import type { Retention } from '../../../src/core/retention.ts';
import { startRun } from '../../../src/core/run.ts';
import type { Destination, Key } from '../../../src/destinations/destination.ts';
import { emptyLedger } from '../../../src/ledger/decisions.ts';
import type { Pin } from '../../../src/ledger/pins.ts';
import { factsOf, firstStoredMs, wholeAt } from '../../../src/operations/prune-facts.ts';
import { planFor } from '../../../src/retention/index.ts';
import { epochKeyKey } from '../../../src/vault/format/keys.ts';
import { decodeRecord } from '../../../src/vault/format/record.ts';
import { newSigningKey } from '../../../src/vault/format/signing.ts';
import { openVault } from '../../../src/vault/open.ts';
import { planPrune, pruneVault, surveyVault } from '../../../src/vault/prune/prune.ts';
import type { PruneRules } from '../../../src/vault/prune/rules.ts';
import { knowing } from '../../support/keys.ts';
import { type Actor, vaultId, type World } from './world.ts';

/** What a pruner knows besides the destinations: configuration and ledger. */
export interface ModelPruner {
  readonly config: System;
  readonly writers: ReadonlySet<string>;
  readonly pins: Map<string, Pin>;
  /** What prunes have written into the ledger. */
  readonly removed: Set<string>;
}

/** Rules of retention that are left out to see that they matter. */
export interface RetentionRules {
  readonly placesAlone: boolean;
  readonly soundFirst: boolean;
  /** Nothing below `keys/` is removed, also where no record needs it yet. */
  readonly keysStay: boolean;
}

export const allRetentionRules: RetentionRules = { placesAlone: true, soundFirst: true, keysStay: true };

const pruneKey = newSigningKey();

export function newPruner(datasets: readonly string[], retention: Retention, writers: Iterable<string>): ModelPruner {
  const dataset = { type: 'files', retention, rpoMs: 3_600_000, rtoMs: 3_600_000 };
  const config = { name: 'model', datasets: Object.fromEntries(datasets.map((name) => [name, dataset])) };
  return {
    config: config as unknown as System,
    writers: new Set([...writers, pruneKey.publicKey]),
    pins: new Map(),
    removed: new Set(),
  };
}

/** One run of `lifeboat prune`, without its terminal. */
export function startPrune(
  world: World,
  { config, writers, pins, removed }: ModelPruner,
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
      const vault = await openVault(destinations, { trust: () => ({ writers: knowing(writers, [config.name]) }) });
      const survey = await surveyVault({ vault, destinations, trust: vault.trust }, run);
      const points = retention.soundFirst ? survey.points : survey.points.map((point) => ({ ...point, doubts: [] }));
      const everywhere = (at: readonly string[]) => (retention.placesAlone || at.length === 0 ? at : ['all']);
      const ledger = { ...emptyLedger, pins, removed: new Set(removed) };
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
          signingKey: pruneKey.privateKey,
          async beforeMarking() {
            for (const { hash } of planned.marks.withdrawn) removed.add(hash);
          },
        },
        run,
      );
      if (!retention.keysStay) await removeUnneededKeys(destinations);
    } catch (error) {
      // A prune that stops and says why is no fault.
      if (!(error instanceof LifeboatError)) throw error;
    }
  });
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
