import type { System } from '../../config/system.ts';
import { inState } from '../../host/state-names.ts';
import type { Vouched } from '../../keys/vouched.ts';
import { publicKeyOf } from '../../vault/format/signing.ts';
import { readWriterKeys } from '../../vault/writer-key-file.ts';
import { namedByPeople } from '../confirmed.ts';

/**
 * What a key file or a sheet that is made here says beside the key: this host's own writer, and those that its configuration
 * names. Nothing where this host has no writer: the vault is not known.
 */
export function vouchedHere({ name, stateDir, vault }: Pick<System, 'name' | 'stateDir' | 'vault'>): Vouched[] {
  const stored = readWriterKeys(inState(stateDir, 'writerKeys'));
  if (stored === undefined) return [];
  const listed = vault.writers.filter(({ systems }) => systems.includes(name)).map(({ key }) => key);
  const writers = new Set([publicKeyOf(stored.signingKey), ...namedByPeople(stateDir, listed)]);
  return [...writers].map((writer) => ({ vault: stored.vault, writer, system: name }));
}
