import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { locationOf } from '../config/locations.ts';
import type { DestinationConfig } from '../config/system.ts';
import { sentenceOf, whyOf } from '../core/errors.ts';
import type { Destination } from '../destinations/destination.ts';
import { destinationUnreachable } from '../destinations/errors.ts';
import { openDestination } from '../destinations/registry.ts';
import { VAULT_KEY } from '../vault/format/index.ts';
import type { Damage } from '../vault/hold/index.ts';
import { openVault, type Trust, type VaultReader, vaultMissing } from '../vault/index.ts';
import { destinationOptions } from './destination-options.ts';
import { noVaultThere } from './errors.ts';

/** The name of the destination that was given as an address, in messages. */
export const addressed = 'bootstrap';

/** So many keys are looked at for vaults further down; a bucket of something else may hold millions. */
const mostKeys = 20_000;
/** Vaults that an error names. */
const mostNamed = 10;

export interface FoundVault {
  readonly destination: Destination;
  readonly vault: VaultReader;
}

/**
 * Opens the vault that lies at `config`. Where there is none, the error names those that lie further down.
 * @throws `no-vault-there`, and what destinations throw that cannot be opened
 */
export async function findVault(
  config: DestinationConfig,
  trust: Trust,
  onDamage: (damage: Damage) => void,
): Promise<FoundVault> {
  const location = locationOf(config);
  let destination: Destination;
  try {
    destination = await openDestination(addressed, await destinationOptions(config, 'reader'));
  } catch (error) {
    if (config.type !== 'local' || !destinationUnreachable.is(error)) throw error;
    const names = await readdir(config.path).catch((cause: unknown) => {
      const isGone = cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
      throw isGone ? noVaultThere({ location, why: whyOf(cause), found: [] }, { cause }) : error;
    });
    const found = await foldersWithVault(config.path, names);
    const why =
      names.length === 0 ? 'the folder is empty (is its disk mounted?)' : 'what is in the folder is something else';
    throw noVaultThere({ location, why, found }, { cause: error });
  }
  try {
    return { destination, vault: await openVault([destination], { onDamage, trust: () => trust }) };
  } catch (error) {
    if (!vaultMissing.is(error)) throw error;
    const { found, keys } = await vaultsBelow(destination, location);
    const why = keys === 0 ? 'it is empty' : 'what is in it is something else';
    throw noVaultThere({ location, why, found }, { cause: error });
  }
}

async function foldersWithVault(folder: string, names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names.slice(0, mostKeys)) {
    const isVault = await stat(join(folder, name, VAULT_KEY)).then(
      (one) => one.isFile(),
      () => false,
    );
    if (isVault) found.push(join(folder, name));
  }
  return found.sort().slice(0, mostNamed);
}

async function vaultsBelow(destination: Destination, location: string): Promise<{ found: string[]; keys: number }> {
  const found: string[] = [];
  let keys = 0;
  try {
    for await (const { key } of destination.list('')) {
      if (key.endsWith(`/${VAULT_KEY}`))
        found.push(`${location.replace(/\/$/, '')}/${key.slice(0, -VAULT_KEY.length - 1)}`);
      if (++keys >= mostKeys || found.length >= mostNamed) break;
    }
  } catch (error) {
    // Whoever may only read single objects cannot look around: that there is no vault here stays true.
    throw noVaultThere(
      { location, why: `nothing else could be listed there (${sentenceOf(error)})`, found },
      { cause: error },
    );
  }
  return { found: found.sort(), keys };
}
