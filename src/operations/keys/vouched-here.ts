import type { System } from '../../config/system.ts';
import { inState } from '../../host/state-names.ts';
import type { Vouched } from '../../keys/vouched.ts';
import { writerIn } from '../../vault/writer/index.ts';
import { namedByPeople } from '../confirmed.ts';

/**
 * What a key file or a sheet that is made here says beside the key: this host's own writer, and those that its configuration
 * names. Nothing where this host has no writer: the vault is not known.
 */
export function vouchedHere({ name, stateDir, vault }: Pick<System, 'name' | 'stateDir' | 'vault'>): Vouched[] {
  const own = writerIn(inState(stateDir, 'writerKeys'));
  if (own === undefined) return [];
  const listed = vault.writers.filter(({ systems }) => systems.includes(name)).map(({ key }) => key);
  const writers = new Set([own.publicKey, ...namedByPeople(stateDir, listed)]);
  return [...writers].map((writer) => ({ vault: own.vault, writer, system: name }));
}
