import { z } from 'zod';
import { configurationDataset } from '../core/configuration-dataset.ts';
import { type LeftOut, leftOutIn } from '../core/left-out.ts';
import { readAcceptances } from '../ledger/acceptances.ts';
import { readCounts } from '../operations/anomalies/known-counts.ts';
import { noSuchDataset } from '../operations/errors.ts';
import { hearingOf } from '../operations/hearing.ts';
import { readPruneLedger } from '../operations/pins.ts';
import type { OpenSystem } from '../operations/system.ts';
import { type DatasetPlan, missingFor, planFor, reasonText } from '../retention/index.ts';
import { choiceOrNone, foundOf, tellPassedOver, type VaultReader } from '../vault/index.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count, time } = shapes;

const request = object({
  datasets: names.describe('all when empty'),
  atMs: shapes.momentMs.exactOptional().describe('only restore points at or before it'),
});

const restorePoint = object({
  id: z.string(),
  time,
  sizeBytes: count,
  addedBytes: count,
  entries: count,
  destinations: names,
  missingAt: names.describe('required destinations that answer and do not hold it yet, though a rule keeps it'),
  problems: z.record(z.string(), count).readonly(),
  leftOut: list(shapes.leftOut)
    .nullable()
    .describe('which rule kept what out of it; null where this machine did not take it. A key opens the newest'),
  accepted: z.string().nullable().describe('why a person said that what is missing from it is right'),
  doubts: names.describe('why it is not believed; empty when it is. Such a one is restored by its id only'),
  keptBy: names.describe('the retention rules that keep it'),
  goes: time.nullable().describe('about when, if backups go on; null when nobody knows'),
});

const document = object({
  datasets: list(
    object({
      dataset: z.string(),
      passedOver: list(shapes.passedOver).describe(
        'newer than the newest that is believed: a restore passes them over',
      ),
      restorePoints: list(restorePoint).describe('newest first'),
    }),
  ),
  suspect: list(shapes.suspect),
});

export type ListDocument = z.infer<typeof document>;
export type ListedPoint = z.infer<typeof restorePoint>;

/** The restore points of a system. */
export const listJob = defineJob({
  name: 'list',
  request,
  document,
  keys: () => 'given',
  async run({ system, identities, run }, { datasets: asked, atMs }) {
    refuseUnknown(system, asked);
    const vault = await shapes.readableVault(system, run);
    const found = await vault.pointsOfAll();
    const plan = planFor(system.config, found, { ledger: await readPruneLedger(vault) });
    const own = foundOf(system.config.name, found);
    const known = await knownBesides(system, vault);
    const datasets: ListDocument['datasets'][number][] = [];
    for (const one of plan.datasets.filter(({ dataset }) => asked.length === 0 || asked.includes(dataset))) {
      const passedOver = choiceOrNone(own, one.dataset, atMs)?.passedOver ?? [];
      tellPassedOver(passedOver, run);
      const leftOut = await leftOutOf({ system, vault, identities }, one);
      const points = one.points.filter(({ point }) => atMs === undefined || Date.parse(point.record.time) <= atMs);
      const restorePoints = points.map((point) => listed(point, { ...known, leftOut }));
      datasets.push({ dataset: one.dataset, passedOver, restorePoints });
    }
    const suspect = plan.suspect.map(({ key, why }) => ({ key, why }));
    return { document: { datasets, suspect }, answer: okOrNo(suspect.length === 0) };
  },
});

/** @throws `dataset-unknown` */
export function refuseUnknown({ config }: OpenSystem, datasets: readonly string[]): void {
  const known = [...Object.keys(config.datasets), configurationDataset];
  for (const dataset of datasets) if (!known.includes(dataset)) throw noSuchDataset({ dataset, known });
}

interface KnownBesides {
  readonly missingAt: (held: readonly string[]) => readonly string[];
  /** By restore point. */
  readonly accepted: ReadonlyMap<string, string>;
}

async function knownBesides(system: OpenSystem, vault: VaultReader): Promise<KnownBesides> {
  const { stateDir, destinations } = system.config;
  const acceptances = await readAcceptances(vault.destinations, await hearingOf(system, vault), stateDir);
  const answering = vault.destinations.map(({ name }) => name);
  return {
    missingAt: (held) => missingFor(destinations, held).filter((name) => answering.includes(name)),
    accepted: new Map(acceptances.map(({ point, reason }) => [point, reason])),
  };
}

interface Around {
  readonly system: OpenSystem;
  readonly vault: VaultReader;
  readonly identities: readonly string[];
}

/** By restore point: of those that this machine took, and with a key of the newest. */
async function leftOutOf(
  { system, vault, identities }: Around,
  { dataset, points }: DatasetPlan,
): Promise<ReadonlyMap<string, readonly LeftOut[]>> {
  const counts = readCounts(system.config.stateDir, vault.id, dataset).points;
  const known = new Map(counts.flatMap(({ id, leftOut }) => (leftOut === undefined ? [] : [[id, leftOut] as const])));
  const newest = points[0]?.point;
  if (newest !== undefined && identities.length > 0) {
    known.set(newest.record.id, leftOutIn((await vault.open(newest, identities)).facts));
  }
  return known;
}

function listed(
  { point: { record, destinations, doubts }, reasons, goesMs }: DatasetPlan['points'][number],
  { missingAt, accepted, leftOut }: KnownBesides & { readonly leftOut: ReadonlyMap<string, readonly LeftOut[]> },
): ListedPoint {
  return {
    id: record.id,
    time: record.time,
    sizeBytes: record.sizes.logical,
    addedBytes: record.sizes.added,
    entries: record.sizes.entries,
    destinations,
    missingAt: reasons.length > 0 ? missingAt(destinations) : [],
    problems: record.problems,
    leftOut: leftOut.get(record.id) ?? null,
    accepted: accepted.get(record.id) ?? null,
    doubts: doubts.map(({ why }) => why),
    keptBy: reasons.map(reasonText),
    goes: goesMs === undefined ? null : new Date(goesMs).toISOString(),
  };
}
