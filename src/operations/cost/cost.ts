import { locationOf } from '../../config/locations.ts';
import type { DestinationConfig } from '../../config/system.ts';
import { breathe } from '../../core/breathe.ts';
import { bucketProvider, serverProvider } from '../../core/providers.ts';
import { foldLedger } from '../../ledger/decisions.ts';
import { readLedger } from '../../ledger/read.ts';
import { planFor } from '../../retention/index.ts';
import { countedTogether, type WithNeeds } from '../../vault/hold/index.ts';
import { isOurs, newestOrNone, type RestorePoint, type VaultReader } from '../../vault/index.ts';
import type { OpenSystem } from '../system.ts';
import { type Monthly, monthlyCost, type PriceList, type RestoreCost, restoreCost } from './estimate.ts';
import { pricesFrom, pricesOf } from './prices.ts';
import { type Amount, amountOf, type DatasetSize, datasetSizes } from './sizes.ts';

export interface CostReport {
  /** From where and when the built-in prices are. */
  readonly pricesFrom: string;
  readonly destinations: readonly DestinationCost[];
  /** Destinations that do not answer: what lies there is not known. */
  readonly unknown: readonly string[];
  /** A month, of all whose prices are known. */
  readonly total: number;
  /** The same after a prune has removed all that retention drops, when locks and grace are over. */
  readonly totalAfterPrune: number;
}

export interface DestinationCost extends Amount {
  readonly destination: string;
  readonly location: string;
  readonly provider: string | null;
  /** Of packs. */
  readonly storageClass: string;
  readonly datasets: readonly DatasetSize[];
  /** Null where no price is known. */
  readonly monthly: Monthly | null;
  readonly afterPrune: Amount & { readonly monthly: Monthly | null };
  /** If packs were stored in the class that was asked about. */
  readonly otherwise: { readonly storageClass: string; readonly monthly: Monthly | null } | null;
  /** Reading back the newest restore point of every dataset. */
  readonly restore: RestoreCost;
}

/** What is stored, by dataset and destination, and about what it costs. From records and lists: no key is needed. */
export async function costOf(
  system: OpenSystem,
  vault: VaultReader,
  { className }: { readonly className?: string },
): Promise<CostReport> {
  const { points: found, suspect } = await vault.pointsOfAll();
  const points = await vault.withNeeds(found);
  const { objects } = await readLedger(vault.destinations, (writer) => isOurs(vault.trust, writer));
  const ledger = foldLedger(objects, vault.id, vault.trust, points);
  const { kept } = planFor(system.config, { points, suspect }, { ledger });
  const nowMs = system.clock.now();
  const answering = new Set(vault.destinations.map(({ name }) => name));
  const destinations: DestinationCost[] = [];
  // Of a million packs each sum takes part of a second: a signal is heard between them.
  const turn = () => breathe(system.signal);
  for (const [name, config] of Object.entries(system.config.destinations)) {
    if (!answering.has(name)) continue;
    const held = points.filter((point) => point.destinations.includes(name));
    destinations.push(await destinationCost(name, config, { held, kept, nowMs, className, turn }));
  }
  const sum = (of: (one: DestinationCost) => Monthly | null) =>
    destinations.reduce((total, one) => total + (of(one)?.total ?? 0), 0);
  return {
    pricesFrom,
    destinations,
    unknown: Object.keys(system.config.destinations).filter((name) => !answering.has(name)),
    total: sum(({ monthly }) => monthly),
    totalAfterPrune: sum(({ afterPrune }) => afterPrune.monthly),
  };
}

interface HeldPoints {
  readonly held: ReadonlyArray<WithNeeds<RestorePoint>>;
  readonly kept: ReadonlySet<string>;
  readonly nowMs: number;
  readonly className: string | undefined;
  readonly turn: () => Promise<void>;
}

async function destinationCost(
  destination: string,
  config: DestinationConfig,
  { held, kept, nowMs, className, turn }: HeldPoints,
): Promise<DestinationCost> {
  const provider = providerOf(config);
  const used = (config.type === 's3' && config.storageClass) || 'STANDARD';
  const prices = priceList(config, provider, used);
  const other = className === undefined ? undefined : priceList(config, provider, className);
  const staying = held.filter(({ key }) => kept.has(key));
  const summed = async <Sum>(sum: () => Sum): Promise<Sum> => {
    await turn();
    return sum();
  };
  const amount = (points: ReadonlyArray<WithNeeds<RestorePoint>>) => summed(() => amountOf(countedTogether(points)));
  const monthly = async (points: ReadonlyArray<WithNeeds<RestorePoint>>, list: PriceList | undefined) =>
    list === undefined ? null : await summed(() => monthlyCost(points, list, nowMs));
  return {
    destination,
    location: locationOf(config),
    provider: provider ?? null,
    storageClass: used,
    ...(await amount(held)),
    datasets: await datasetSizes(held, turn),
    monthly: await monthly(held, prices),
    afterPrune: { ...(await amount(staying)), monthly: await monthly(staying, prices) },
    otherwise: className === undefined ? null : { storageClass: className, monthly: await monthly(held, other) },
    restore: await summed(() => restoreCost(newestOfEach(held), used, prices)),
  };
}

function newestOfEach(points: ReadonlyArray<WithNeeds<RestorePoint>>): WithNeeds<RestorePoint>[] {
  return [...new Set(points.map(({ record }) => record.dataset))].flatMap((name) => newestOrNone(points, name) ?? []);
}

function providerOf(config: DestinationConfig): string | undefined {
  if (config.where.provider !== undefined) return config.where.provider;
  if (config.type === 's3') return bucketProvider(config.endpoint, config.region).provider;
  return config.type === 'sftp' ? serverProvider(config.host).provider : undefined;
}

/** `price:` speaks of what is in use; another class costs what the table says. */
function priceList(config: DestinationConfig, provider: string | undefined, className: string): PriceList | undefined {
  const isUsed = className === ((config.type === 's3' && config.storageClass) || 'STANDARD');
  const packs = pricesOf(provider, className, isUsed ? config.price : {});
  const rest = pricesOf(provider, 'STANDARD', config.price) ?? packs;
  return packs === undefined || rest === undefined ? undefined : { className, packs, rest };
}
