import { LifeboatError, sentenceOf } from '../core/errors.ts';
import type { Destination } from '../destinations/destination.ts';
import { destinationUnreachable } from '../destinations/errors.ts';
import { openVault, type VaultReader, vaultMissing } from '../vault/index.ts';
import { trustOf } from './known-writers.ts';
import { oursAmong, rememberedOf } from './our-vault.ts';
import type { OpenSystem } from './system.ts';
import { wasUsed } from './used-destinations.ts';

/** The code of a destination's trouble that is none: it was not used yet. */
export const destinationNew = 'destination-new';

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

/** Opens what can be opened. One destination that is down never hides what the others hold. @throws `vaults-differ` where nobody knows which is ours */
export async function reach(system: OpenSystem): Promise<Reach> {
  const { opened: destinations, failed } = await system.destinations({ create: false, role: 'reader' });
  const troubles: Trouble[] = failed.map(({ name, error }) => ({
    destination: name,
    code: isNew(system, name, error) ? destinationNew : codeOf(error),
    message: sentenceOf(error),
  }));
  if (destinations.length === 0) return { destinations, troubles };
  try {
    const vault = await openVault(destinations, {
      trust: (id) => trustOf(system.config, id),
      ours: oursAmong(system.config),
      memory: rememberedOf(system.config),
      ...(system.signal && { signal: system.signal }),
      onDamage({ destination, key, code, why }) {
        troubles.push({ destination, key, code, message: why });
      },
    });
    return { destinations, vault, troubles };
  } catch (error) {
    // Every destination that could not be read is among the troubles already.
    if (vaultMissing.is(error) || troubles.length >= Object.keys(system.config.destinations).length)
      return { destinations, troubles };
    throw error;
  }
}

/** Unreachable, and this host never stored anything there: the first backup will make it. */
function isNew({ config }: OpenSystem, name: string, error: unknown): boolean {
  return destinationUnreachable.is(error) && !wasUsed(config.stateDir, name);
}

function codeOf(error: unknown): string {
  return error instanceof LifeboatError ? error.code : 'unexpected';
}
