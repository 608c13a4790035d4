import type { Destination } from './destination.ts';
import { createLocal, openLocal } from './local/destination.ts';
import { withLimit } from './wrap/limit.ts';
import { withRetry } from './wrap/retry.ts';

/** What lifeboat.yaml says about one destination. */
export interface DestinationConfig {
  readonly type: 'local';
  readonly path: string;
}

interface Adapter {
  /** Makes the place when it is new, and opens it. */
  readonly create: (name: string, config: DestinationConfig) => Promise<Destination>;
  readonly open: (name: string, config: DestinationConfig) => Promise<Destination>;
}

/** Every adapter there is. */
const adapters: Readonly<Record<DestinationConfig['type'], Adapter>> = {
  local: {
    create: (name, { path }) => createLocal({ name, path }),
    open: (name, { path }) => openLocal({ name, path }),
  },
};

/** Four uploads and a dozen reads are in flight at most; more would only hold memory. */
const mostAtOnce = 16;

/** Opens a destination that exists, or throws `destination-unreachable` and its like. */
export async function openDestination(name: string, config: DestinationConfig): Promise<Destination> {
  return hardened(await adapters[config.type].open(name, config));
}

/** Makes a new destination, or takes an existing one, and opens it. Only `init` does this. */
export async function createDestination(name: string, config: DestinationConfig): Promise<Destination> {
  return hardened(await adapters[config.type].create(name, config));
}

function hardened(destination: Destination): Destination {
  return withRetry(withLimit(destination, mostAtOnce));
}
