import { inState } from '../../host/state-names.ts';
import { openLedgerCache } from '../../ledger/cache.ts';
import { rememberedNewest } from '../../ledger/ledger.ts';
import { type VerifiedLedger, verifyEvidence } from '../../ledger/verify.ts';
import type { Damage } from '../../vault/hold/index.ts';
import { isOurs, isPruner } from '../../vault/index.ts';
import { publicKeyIn } from '../../vault/writer/index.ts';
import type { OpenSystem } from '../system.ts';

/** The ledger of a system's vault, over all destinations, held against what this host knows of its own chain's end. */
export async function verifyStoredLedger(
  system: OpenSystem,
  writers: readonly string[],
  onDamage: (damage: Damage) => void,
): Promise<VerifiedLedger> {
  const { stateDir } = system.config;
  const vault = await system.vault(onDamage);
  const here = publicKeyIn(inState(stateDir, 'writerKeys'), vault.id);
  using cache = openLedgerCache(stateDir, { create: false });
  const newest = here === undefined ? undefined : rememberedNewest(cache, vault.id, here);
  return verifyEvidence(vault.destinations, {
    vault: vault.id,
    ...(writers.length > 0 ? { writers } : { isOurs: (writer: string) => isOurs(vault.trust, writer) }),
    decides: (writer: string) => isPruner(vault.trust, writer),
    ...(newest !== undefined && { known: [newest] }),
  });
}
