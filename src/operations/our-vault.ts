import type { System } from '../config/system.ts';
import type { OpenVaultOptions } from '../vault/index.ts';
import { addressed } from './find-vault.ts';
import { isKnownVault } from './known-writers.ts';

/**
 * Where destinations hold different vaults, the one that this host wrote to or met; a host that remembers none takes that of the
 * copy that a person named by its address.
 */
export function oursAmong(config: System): NonNullable<OpenVaultOptions['ours']> {
  return (claims) => {
    const known = claims.find(({ vault }) => isKnownVault(config, vault));
    return (known ?? claims.find(({ name }) => name === addressed))?.vault;
  };
}
