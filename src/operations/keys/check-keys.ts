import { sentenceOf } from '../../core/errors.ts';
import { plainRecipient, printOf } from '../../core/recipient-print.ts';
import type { Run } from '../../core/run.ts';
import { recipientOf } from '../../vault/age/index.ts';
import { believedEpochs, openersOf } from '../../vault/epochs/index.ts';
import type { WithNeeds } from '../../vault/hold/index.ts';
import { isDoubtful, newestOrNone, type RestorePoint, type VaultReader } from '../../vault/index.ts';
import { tryKey } from '../../vault/read/index.ts';
import { endorseWriters } from '../endorse.ts';
import type { OpenSystem } from '../system.ts';

/** What one private key opens. */
export interface KeyCheck {
  readonly recipient: string;
  /** Whether new backups are made for it. */
  readonly inConfiguration: boolean;
  /** The newest restore point of each dataset, and whether this key alone opens all of it. */
  readonly opens: readonly DatasetCheck[];
}

export interface DatasetCheck {
  readonly dataset: string;
  readonly time: string;
  /** At every destination that holds it. */
  readonly opened: boolean;
  readonly why: string | null;
  readonly destinations: ReadonlyArray<{
    readonly destination: string;
    readonly opened: boolean;
    readonly why: string | null;
  }>;
  /** How many of the dataset's restore points it opens; where copies differ, at the destination that opens fewest. */
  readonly opensPoints: number;
  readonly points: number;
  /** The time of the oldest of those that it opens without a gap up to the newest; null when it does not open that. */
  readonly since: string | null;
}

/** Tries each identity, alone, on every restore point's objects at every destination, and lets it vouch for the writers. */
export async function checkKeys(
  system: OpenSystem,
  vault: VaultReader,
  identities: readonly string[],
  run: Run,
): Promise<KeyCheck[]> {
  const recipients = system.config.vault.recipients.map(plainRecipient);
  const byDataset = await pointsByDataset(system, vault);
  const checks: KeyCheck[] = [];
  for (const identity of identities) {
    const recipient = recipientOf(identity);
    const opens: DatasetCheck[] = [];
    const trials = vault.destinations.map(({ name }, at) => ({
      name,
      trial: tryKey(vault.destinations[at]!, identity, run.signal),
    }));
    for (const [dataset, points] of byDataset) {
      opens.push(await run.step(dataset, () => checkDataset(dataset, points, trials)));
    }
    checks.push({ recipient, inConfiguration: recipients.includes(recipient), opens });
  }
  await endorseWriters(system, vault.id, { identities }, run);
  return checks;
}

interface Trial {
  readonly name: string;
  readonly trial: ReturnType<typeof tryKey>;
}

async function checkDataset(
  dataset: string,
  points: ReadonlyArray<WithNeeds<RestorePoint>>,
  trials: readonly Trial[],
): Promise<DatasetCheck> {
  const newest = points[0]!;
  const destinations: DatasetCheck['destinations'][number][] = [];
  let fewest = points.length;
  let since: string | null = newest.record.time;
  for (const { name, trial } of trials) {
    if (!newest.destinations.includes(name)) continue;
    const why = await closedBecause(newest, trial);
    destinations.push({ destination: name, opened: why === null, why });
    let opened = 0;
    let unbroken = why === null;
    let oldest: string | null = null;
    for (const point of points.filter((one) => one.destinations.includes(name))) {
      const isOpen = (await closedBecause(point, trial)) === null;
      if (isOpen) opened++;
      unbroken &&= isOpen;
      if (unbroken) oldest = point.record.time;
    }
    fewest = Math.min(fewest, opened);
    since = since === null || oldest === null ? null : later(since, oldest, destinations.length === 1);
  }
  const closed = destinations.find((one) => !one.opened);
  return {
    dataset,
    time: newest.record.time,
    opened: destinations.length > 0 && closed === undefined,
    why: closed?.why ?? null,
    destinations,
    opensPoints: fewest,
    points: points.length,
    since,
  };
}

function later(since: string, oldest: string, isFirst: boolean): string {
  return isFirst || oldest > since ? oldest : since;
}

/** Null: the key opens all of it. */
async function closedBecause({ needs }: WithNeeds<RestorePoint>, trial: Trial['trial']): Promise<string | null> {
  try {
    const found = await trial.whole(needs);
    if (found.opens) return null;
    if (!found.key.startsWith('keys/')) return `its record names the wrong keys: they do not open ${found.key}`;
    return found.opensSome
      ? "some of its data was stored before this key was added. Who holds another key runs 'lifeboat keys admit'"
      : 'it was not made for this key';
  } catch (error) {
    return sentenceOf(error);
  }
}

/** Which recipients open the newest restore point of each dataset, as those say who stored its keys. Needs no key. */
export interface Coverage {
  readonly recipient: string;
  readonly datasets: ReadonlyArray<{
    readonly dataset: string;
    readonly time: string;
    /** Null where nobody who is known says so. */
    readonly madeFor: boolean | null;
    readonly since: string | null;
  }>;
}

export async function coverage(system: OpenSystem, vault: VaultReader): Promise<Coverage[]> {
  const openers = await openersIn(vault);
  const byDataset = await pointsByDataset(system, vault);
  return system.config.vault.recipients.map((recipient) => {
    const print = printOf(recipient);
    const datasets = [...byDataset].map(([dataset, points]) => {
      const newest = points[0]!;
      const madeFor = opensFor(newest, print, openers);
      const unbroken = points.findIndex((point) => opensFor(point, print, openers) !== true);
      const oldest = unbroken < 0 ? points.at(-1) : points[unbroken - 1];
      return { dataset, time: newest.record.time, madeFor, since: oldest?.record.time ?? null };
    });
    return { recipient, datasets };
  });
}

/** Prints of those who open an epoch; undefined where nobody who is known says so. */
export type Openers = (epoch: string) => ReadonlySet<string> | undefined;

export async function openersIn({ destinations, id, trust }: VaultReader): Promise<Openers> {
  const epochs = await believedEpochs(destinations, id, trust);
  const openers = new Map(epochs.values().map(({ epoch, grants }) => [epoch, openersOf(grants)]));
  return (epoch) => openers.get(epoch);
}

/** Whether the recipient opens every epoch that a restore point needs; null where that is not known of some. */
export function opensFor({ record }: RestorePoint, print: string, openers: Openers): boolean | null {
  let known = record.keys.length > 0;
  for (const [epoch] of record.keys) {
    const prints = openers(epoch);
    if (prints === undefined) known = false;
    else if (!prints.has(print)) return false;
  }
  return known ? true : null;
}

/** Of this system, newest first; those in doubt are not the newest of anything. */
export async function pointsByDataset(
  { config }: OpenSystem,
  vault: VaultReader,
): Promise<ReadonlyMap<string, ReadonlyArray<WithNeeds<RestorePoint>>>> {
  const { points } = await vault.of(config.name).restorePoints();
  const own = await vault.withNeeds(points);
  const byDataset = new Map<string, WithNeeds<RestorePoint>[]>();
  for (const dataset of new Set(own.map(({ record }) => record.dataset))) {
    const newest = newestOrNone(own, dataset);
    if (newest === undefined) continue;
    const others = own.filter((point) => point.record.dataset === dataset && point !== newest && !isDoubtful(point));
    byDataset.set(dataset, [newest, ...others.reverse()]);
  }
  return byDataset;
}
