import type { DestinationConfig } from '../config/system.ts';
import { LifeboatError, sentenceOf } from '../core/errors.ts';
import type { Destination } from '../destinations/destination.ts';
import { openDestination } from '../destinations/registry.ts';
import { vaultMissing } from '../vault/errors.ts';
import { openVault } from '../vault/open.ts';
import type { VaultReader } from '../vault/vault.ts';

/** Something that kept a destination, or one object of it, from being used. */
export interface Trouble {
  readonly destination: string;
  /** The object; absent when the whole destination is meant. */
  readonly key?: string;
  readonly code: string;
  readonly message: string;
}

/** What of a vault can be read right now. */
export interface Reach {
  readonly destinations: readonly Destination[];
  /** Absent when no reachable destination holds one: nothing was backed up yet, or everything is out of reach. */
  readonly vault?: VaultReader;
  /** Grows while the vault is read. */
  readonly troubles: readonly Trouble[];
}

/** Opens what can be opened. One destination that is down never hides what the others hold. @throws `vaults-differ` */
export async function reach(configs: Readonly<Record<string, DestinationConfig>>): Promise<Reach> {
  const troubles: Trouble[] = [];
  const opened = await Promise.all(
    Object.entries(configs).map(async ([name, config]) => {
      try {
        return await openDestination(name, config);
      } catch (error) {
        troubles.push({ destination: name, code: codeOf(error), message: sentenceOf(error) });
        return undefined;
      }
    }),
  );
  const destinations = opened.filter((destination) => destination !== undefined);
  if (destinations.length === 0) return { destinations, troubles };
  try {
    const vault = await openVault(destinations, {
      onDamage({ destination, key, code, why }) {
        troubles.push({ destination, key, code, message: why });
      },
    });
    return { destinations, vault, troubles };
  } catch (error) {
    // Every destination that could not be read is among the troubles already.
    if (vaultMissing.is(error) || troubles.length >= Object.keys(configs).length) return { destinations, troubles };
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof LifeboatError ? error.code : 'unexpected';
}
