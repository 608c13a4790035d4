import type { Key } from '../../destinations/destination.ts';
import { RESCUE_KEY, VAULT_KEY } from '../format/keys.ts';
import { vaultFileOf } from '../format/vault-file.ts';
import { putConfirmed } from '../hold/put-confirmed.ts';
import type { Sizes } from '../hold/sizes.ts';

/** Makes a filled destination a vault. Last: until then an interrupted filling begins again. */
export async function completeVault(to: Sizes, vault: string, rescue: Uint8Array, signal: AbortSignal): Promise<void> {
  const put = async (key: Key, bytes: Uint8Array) => {
    if (to.sizes.has(key)) return;
    await putConfirmed(to.destination, key, bytes, { signal });
    to.sizes.set(key, bytes.length);
  };
  await put(RESCUE_KEY, rescue);
  await put(VAULT_KEY, vaultFileOf(vault));
}
