import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { locationOf } from '../../config/locations.ts';
import type { DatasetConfig, DestinationConfig, System } from '../../config/system.ts';
import { sentenceOf } from '../../core/errors.ts';
import { openDestination } from '../../destinations/registry.ts';
import { pathsOf, placeOf } from '../../sources/engines.ts';
import { decodeVaultFile, VAULT_KEY } from '../../vault/format/index.ts';
import { destinationOptions } from '../destination-options.ts';
import type { PlacePlan } from './bring-back.ts';

/** How this machine differs from the one that the configuration was written for. Nothing is changed because of it. */
export interface Differences {
  /** One sentence each, for people. */
  readonly notes: readonly string[];
  readonly destinations: ReadonlyArray<{
    readonly name: string;
    readonly location: string;
    /** Absent: it holds the vault, and can be reached from here. */
    readonly why?: string;
  }>;
  /** Whether the configuration itself leads to the copy of the vault that was addressed. */
  readonly leadsThere: boolean;
}

/** Looks up what the configuration refers to, and connects to its destinations: for one that somebody said yes to. */
export async function findDifferences(
  system: System,
  places: PlacePlan,
  addressed: DestinationConfig,
  vault: string,
): Promise<Differences> {
  const destinations: Differences['destinations'][number][] = [];
  let leadsThere = false;
  for (const [name, config] of Object.entries(system.destinations)) {
    const why = await whyNot(name, config, vault);
    destinations.push({ name, location: locationOf(config), ...(why !== undefined && { why }) });
    leadsThere ||= why === undefined && isSamePlace(config, addressed);
  }
  const addresses = await Promise.all(Object.values(system.datasets).map(addressNote));
  const notes = [
    ...lookHere(system, places).notes,
    ...addresses.flat(),
    ...destinations.flatMap(({ why }) => (why === undefined ? [] : [why])),
  ];
  return { notes, destinations, leadsThere };
}

/** Only what the file system of this machine tells. */
export function lookHere(system: System, { files, left }: PlacePlan): Differences {
  const notes = [
    ...left.map(({ file, why }) => `${file} was not in the backups (${why}); the configuration refers to it.`),
    ...files
      .filter(({ path, expected }) => path !== expected && !existsSync(expected))
      .map(({ path, expected }) => `The configuration looks for ${expected}, which is not there; its copy is ${path}.`),
    ...Object.values(system.datasets).flatMap(placeNote),
  ];
  return { notes, destinations: [], leadsThere: false };
}

async function whyNot(name: string, config: DestinationConfig, vault: string): Promise<string | undefined> {
  try {
    const destination = await openDestination(name, await destinationOptions(config, 'reader'));
    const held = decodeVaultFile(await destination.get(VAULT_KEY)).vault;
    return held === vault ? undefined : `Destination ${name} (${locationOf(config)}) holds another vault, ${held}.`;
  } catch (error) {
    return sentenceOf(error);
  }
}

/** Two ways to write one place may look different; then it is named twice, which does no harm. */
function isSamePlace(one: DestinationConfig, other: DestinationConfig): boolean {
  if (locationOf(one) !== locationOf(other)) return false;
  const endpointOf = (config: DestinationConfig) => (config.type === 's3' ? config.endpoint?.replace(/\/$/, '') : '');
  return endpointOf(one) === endpointOf(other);
}

async function addressNote(dataset: DatasetConfig): Promise<string[]> {
  const place = placeOf(dataset);
  if (!('url' in place)) return [];
  const why = await place.url.expand().then(
    () => undefined,
    (error: unknown) => sentenceOf(error),
  );
  return why === undefined ? [] : [`${dataset.name}: the server's address is not known here: ${why}`];
}

function placeNote(dataset: DatasetConfig): string[] {
  return pathsOf(dataset).flatMap((path) => {
    if (existsSync(path)) return [`${dataset.name}: ${path} is there already; only --force would replace it.`];
    return existsSync(dirname(path)) ? [] : [`${dataset.name}: ${dirname(path)} does not exist; it is made.`];
  });
}
