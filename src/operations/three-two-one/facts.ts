import type { DatasetConfig, DestinationConfig, S3Destination, SftpDestination, System } from '../../config/system.ts';
import { accountOfKey, bucketProvider, hostOf, serverProvider } from '../../core/providers.ts';
import { type CopyFacts, type Immutability, thisMachine } from '../../core/three-two-one.ts';
import type { Destination } from '../../destinations/destination.ts';
import { pathsOf, placeOf } from '../../sources/engines.ts';
import { type Storage, storageOf } from './disks.ts';
import { machineOf } from './machines.ts';

/**
 * Where every copy lies, production first: from paths, addresses and key ids, as far as they tell. What `where:` of a
 * destination says goes before it. `opened`: those that answer, for what they can do.
 */
export async function placementFacts(system: System, opened: readonly Destination[]): Promise<CopyFacts[]> {
  const destinations = Object.entries(system.destinations).map(([name, config]) =>
    destinationFacts(
      name,
      config,
      opened.find((destination) => destination.name === name),
    ),
  );
  return Promise.all([productionFacts(Object.values(system.datasets)), ...destinations]);
}

/** Production counts as one copy: all of its disks, on this machine unless every dataset is elsewhere. */
async function productionFacts(datasets: readonly DatasetConfig[]): Promise<CopyFacts> {
  const storages: Storage[] = [];
  const hosts = new Set<string>();
  for (const dataset of datasets) {
    const place = placeOf(dataset);
    if ('url' in place) hosts.add(await machineOf(databaseHost(place.url.shown)));
    for (const path of pathsOf(dataset)) {
      const storage = storageOf(path);
      if (storage !== undefined) storages.push(storage);
      hosts.add(storage?.host === undefined ? thisMachine : await machineOf(storage.host));
    }
  }
  const machine = hosts.has(thisMachine) ? thisMachine : [...hosts][0];
  return {
    name: 'production',
    isProduction: true,
    medium: 'disk',
    disks: [...new Set(storages.flatMap(({ disks }) => disks))],
    immutable: 'none',
    ...(machine !== undefined && { machine }),
  };
}

/** Of a URL whose secrets are not looked up; a host that itself is a reference is taken for this machine. */
function databaseHost(url: string): string {
  const host = /^[a-z]+:\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/?]+)/i.exec(url)?.[1]?.replace(/^\[|\]$/g, '') ?? 'localhost';
  return host.includes('$') || host === '' ? 'localhost' : host.toLowerCase();
}

async function destinationFacts(
  name: string,
  config: DestinationConfig,
  opened: Destination | undefined,
): Promise<CopyFacts> {
  const immutable = immutabilityOf(config, opened);
  const found = { name, isProduction: false, disks: [], immutable, ...(await factsOf(config)) } satisfies CopyFacts;
  const { provider, region, account, site } = config.where;
  const said = Object.entries({ provider, region, account, site }).filter(([, value]) => value !== undefined);
  return { ...found, ...Object.fromEntries(said) };
}

async function factsOf(config: DestinationConfig): Promise<Pick<CopyFacts, 'medium'> & Partial<CopyFacts>> {
  switch (config.type) {
    case 'local': {
      const { kind, disks, host } = storageOf(config.path) ?? { kind: 'disk', disks: [], host: undefined };
      if (kind === 'network')
        return { medium: 'server', ...(host !== undefined && { machine: await machineOf(host) }) };
      return { medium: kind === 'memory' ? 'memory' : 'disk', disks, machine: thisMachine };
    }
    case 's3':
      return bucketFacts(config);
    case 'sftp':
      return serverFacts(config);
  }
}

async function bucketFacts(config: S3Destination): Promise<Pick<CopyFacts, 'medium'> & Partial<CopyFacts>> {
  const { bucket, endpoint, region } = config;
  const known = bucketProvider(endpoint, region);
  const machine =
    known.provider === undefined && endpoint !== undefined ? await machineOf(hostOf(endpoint)) : undefined;
  const account = known.account ?? (await accountOf(config, known.provider));
  return {
    medium: 'object storage',
    bucket,
    ...known,
    ...(machine !== undefined && { machine }),
    ...(account !== undefined && { account }),
  };
}

/** The id of a key is no secret; where it cannot be looked up here, the account is not known. */
async function accountOf({ credentials }: S3Destination, provider: string | undefined): Promise<string | undefined> {
  if (credentials === undefined) return undefined;
  if ('profile' in credentials) return `profile ${credentials.profile}`;
  try {
    return accountOfKey(provider, await credentials.accessKeyId.expand());
  } catch {
    return undefined;
  }
}

async function serverFacts({ host }: SftpDestination): Promise<Pick<CopyFacts, 'medium'> & Partial<CopyFacts>> {
  const known = serverProvider(host);
  return { medium: 'server', ...known, machine: await machineOf(host.toLowerCase()) };
}

function immutabilityOf(config: DestinationConfig, opened: Destination | undefined): Immutability {
  if (opened === undefined) return config.type === 'local' ? 'none' : 'unknown';
  const { objectLock, versions } = opened.capabilities;
  if (objectLock !== 'none') return objectLock;
  return versions ? 'versions' : 'none';
}
