import type { Destination } from './destination.ts';
import { createLocal, openLocal } from './local/destination.ts';
import type { DestinationOptions } from './options.ts';
import { withDeadline } from './wrap/deadline.ts';
import { withFewerWhenSlow } from './wrap/fewer-when-slow.ts';
import { withGivingUp } from './wrap/give-up.ts';
import { withLimit } from './wrap/limit.ts';
import { withRetry } from './wrap/retry.ts';

/** Four uploads and a dozen reads are in flight at most; more would only hold memory. */
const mostAtOnce = 16;

/** Opens a destination that exists, or throws `destination-unreachable` and its like. */
export async function openDestination(name: string, options: DestinationOptions): Promise<Destination> {
  return hardened(await opened(name, options));
}

/** Makes a new destination, or takes an existing one, and opens it. */
export async function createDestination(name: string, options: DestinationOptions): Promise<Destination> {
  return hardened(await created(name, options));
}

/** Every adapter there is. Those that bring a client along are loaded when one is needed. */
async function opened(name: string, options: DestinationOptions): Promise<Destination> {
  switch (options.type) {
    case 'local':
      return openLocal({ ...options, name });
    case 's3':
      return (await import('./s3/destination.ts')).openS3({ ...options, name });
    case 'sftp':
      return (await import('./sftp/destination.ts')).openSftp({ ...options, name });
  }
}

/** A bucket is never made by us; folders are. */
async function created(name: string, options: DestinationOptions): Promise<Destination> {
  switch (options.type) {
    case 'local':
      return createLocal({ ...options, name });
    case 'sftp':
      return (await import('./sftp/destination.ts')).createSftp({ ...options, name });
    case 's3':
      return opened(name, options);
  }
}

function hardened(destination: Destination): Destination {
  // Outside of the deadline: what waits for its turn is not late.
  return withFewerWhenSlow(withGivingUp(withDeadline(withRetry(withLimit(destination, mostAtOnce)))));
}
