import type { Run } from '../core/run.ts';
import type { Destination } from '../destinations/destination.ts';
import { openLedgerCache } from '../ledger/cache.ts';
import { newestEntries } from '../ledger/read.ts';
import { mayCallWrong, mostNamed, wrongPacksOf } from '../ledger/wrong-packs.ts';
import type { Trust } from '../vault/index.ts';
import type { WrongPack } from '../vault/verify/index.ts';
import { noteIfPossible } from './note-in-ledger.ts';
import type { OpenSystem } from './system.ts';

/** On a host that knows nothing of the ledger yet; what is read is remembered, so the next look goes further back. */
const mostRead = 5000;
const kinds: ReadonlySet<string> = new Set(['wrong-packs']);

interface Hearer {
  readonly vault: string;
  readonly system: string;
  readonly trust: Trust;
  readonly stateDir: string;
}

/**
 * The packs that a backup of `system` must not use again, because somebody who reads the vault found that they do not hold what they
 * say. A stranger's word counts for nothing.
 */
export async function readWrongPacks(
  destinations: readonly Destination[],
  { vault, system, trust, stateDir }: Hearer,
): Promise<Set<string>> {
  using cache = openLedgerCache(stateDir, { create: false });
  const isOurs = (writer: string) => mayCallWrong(trust, writer, system);
  const found = new Set<string>();
  for await (const { record } of newestEntries(destinations, { kinds, most: mostRead, cache, isOurs })) {
    if (record === undefined || record.vault !== vault || !isOurs(record.writer)) continue;
    const said = wrongPacksOf(record.body);
    if (said?.system === system) for (const pack of said.packs) found.add(pack);
  }
  return found;
}

/** Says in the ledger, once, which packs no backup may use again. */
export async function noteWrongPacks(
  system: OpenSystem,
  vault: string,
  wrong: readonly WrongPack[],
  run: Run,
): Promise<void> {
  if (wrong.length === 0) return;
  const { trust, destinations } = await system.vault(() => {});
  const { stateDir } = system.config;
  for (const name of new Set(wrong.flatMap(({ systems }) => systems))) {
    const said = await readWrongPacks(destinations, { vault, system: name, trust, stateDir });
    const packs = wrong
      .filter(({ systems, pack }) => systems.includes(name) && !said.has(pack))
      .map(({ pack }) => pack);
    for (let at = 0; at < packs.length; at += mostNamed) {
      const body = { system: name, packs: packs.slice(at, at + mostNamed).sort() };
      await noteIfPossible(system, vault, { kind: 'wrong-packs', body }, run);
    }
  }
}
