import type { System } from '../config/system.ts';
import { inState } from '../host/state-names.ts';
import { type OpenVaultOptions, openRecordMemory } from '../vault/index.ts';
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

/** What this host remembers of a vault's records: for who shows or adds something, and not for who restores or proves. */
export function rememberedOf({ stateDir }: System): NonNullable<OpenVaultOptions['memory']> {
  return (vault) => openRecordMemory(inState(stateDir, 'records'), inState(stateDir, 'writerKeys'), vault);
}
