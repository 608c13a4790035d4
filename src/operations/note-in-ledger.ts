import { hostname, userInfo } from 'node:os';
import { sentenceOf } from '../core/errors.ts';
import { printsOf } from '../core/recipient-print.ts';
import type { Run } from '../core/run.ts';
import { inState } from '../host/state-names.ts';
import { type LedgerCache, openLedgerCache } from '../ledger/cache.ts';
import { appendToLedger, noteBehind } from '../ledger/ledger.ts';
import { recipientOf } from '../vault/age/index.ts';
import { fingerprintOf, type WriterKeys, writerKeys } from '../vault/writer/index.ts';
import { addressed } from './find-vault.ts';
import { trustOfWriter } from './known-writers.ts';
import type { OpenSystem } from './system.ts';
import { usedDestinations } from './used-destinations.ts';

/** What the ledger keeps of: proofs, and everything that changed or read the vault. */
export const ledgerKinds = [
  'drill',
  'backup',
  'restore',
  'prune',
  'pin',
  'erase',
  'accept',
  'wrong-packs',
  'lock',
  'copy',
  'key',
  'configuration',
  'checkpoint',
] as const;

export type LedgerKind = (typeof ledgerKinds)[number];

export interface LedgerNote {
  readonly kind: LedgerKind;
  /** Readable by everyone who can list the vault: no table, no path, no value. Whole numbers. */
  readonly body: object;
  /** Sealed to the vault's recipients. Who did it, and on which host, is added. */
  readonly details?: object;
}

/** Who did something, in the sealed part of every entry. */
export interface Who {
  readonly host: string;
  readonly user: string;
}

/**
 * Signs a note with this host's key and stores it after this host's newest one, on every destination in reach. A configuration
 * that is another than when this host last noted anything is noted before it.
 * @throws `ledger-busy`, `ledger-unwritten` when no destination took it
 */
export async function noteInLedger(
  system: OpenSystem,
  vault: string,
  note: LedgerNote,
  run: Run,
): Promise<{ readonly key: string }> {
  const { config, clock, random } = system;
  const { opened, failed } = await system.destinations({ create: false });
  const [first] = failed;
  if (opened.length === 0 && first !== undefined) throw first.error;
  const keys = await writerKeys(inState(config.stateDir, 'writerKeys'), vault, random);
  const parts = {
    vault,
    destinations: opened,
    expected: expectedOf(config),
    recipients: config.vault.recipients,
    signingKey: keys.signingKey,
    trust: trustOfWriter(config, vault),
    stateDir: config.stateDir,
    clock,
    random,
  };
  const append = async ({ kind, body, details = {} }: LedgerNote) => {
    const { key, behind } = await appendToLedger(parts, kind, body, { ...details, who: who() });
    for (const { destination, why } of behind) {
      run.problem({ code: 'destination-behind', message: `${destination}: ${why}` });
    }
    return key;
  };
  using cache = openLedgerCache(config.stateDir, { create: true });
  noteBehind(
    cache,
    failed.map(({ name }) => name),
  );
  const changed = changedConfiguration(system, keys, cache);
  if (changed !== undefined) {
    await append(changed);
    cache.set(digestFact(vault), config.digest);
  }
  return { key: await append(note) };
}

/** A recovery works with the copy that was addressed: what it notes belongs to the configured destinations too. */
function expectedOf({ destinations, stateDir }: OpenSystem['config']): string[] {
  const names = Object.keys(destinations).filter((name) => name !== addressed);
  return addressed in destinations ? [...new Set([...names, ...usedDestinations(stateDir)])] : names;
}

/** The same for work that is done whether it can be noted or not: why it could not is a problem of the run. */
export async function noteIfPossible(system: OpenSystem, vault: string, note: LedgerNote, run: Run): Promise<void> {
  try {
    await noteInLedger(system, vault, note, run);
  } catch (error) {
    const message = `The audit log does not tell of this ${note.kind}: ${sentenceOf(error)}`;
    run.problem({ code: 'audit-not-written', message });
  }
}

/** Fingerprints of the recipients that `identities` belong to. The keys themselves never leave the process. */
export function keysUsed(identities: readonly string[]): string[] {
  return printsOf(identities.map(recipientOf));
}

/** Fingerprints: lifeboat.yaml may hold what can be guessed, and anyone who can list the vault reads this. */
function changedConfiguration(
  { config, tool }: OpenSystem,
  keys: WriterKeys,
  cache: LedgerCache,
): LedgerNote | undefined {
  const before = cache.get(digestFact(keys.vault));
  if (before === config.digest) return undefined;
  // The first that this host notes has none before it.
  const old = before === undefined ? null : fingerprintOf(keys, before);
  return { kind: 'configuration', body: { system: config.name, tool, old, new: fingerprintOf(keys, config.digest) } };
}

function digestFact(vault: string): string {
  return `configuration ${vault}`;
}

function who(): Who {
  try {
    return { host: hostname(), user: userInfo().username };
  } catch {
    // In a container the user may have no name.
    return { host: hostname(), user: String(process.getuid?.() ?? '') };
  }
}
