import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { placesOf } from '../config/locations.ts';
import type { System } from '../config/system.ts';
import { sentenceOf } from '../core/errors.ts';
import type { KnownWriter } from '../core/known-writer.ts';
import { writeStateFile } from '../host/state-file.ts';
import { noteState } from '../host/state-folder.ts';
import { inState } from '../host/state-names.ts';
import { keysOf, type Trust, type VaultReader } from '../vault/index.ts';
import { publicKeyIn } from '../vault/writer/index.ts';
import { namedByPeople, wasRestored } from './confirmed.ts';
import { knownWritersDamaged } from './errors.ts';

const shape = z.strictObject({
  format: z.literal(1),
  vault: z.string(),
  writers: z.array(z.strictObject({ key: z.string(), systems: z.array(z.string()) })),
});

/**
 * Whose records this host believes, and for which systems: `vault.writers` of the configuration and its own key; where the
 * configuration names none, those that it met when it first used the vault, for the systems that they had signed for by then. A host
 * that never did believes everyone. What a configuration lists that `bootstrap` brought here counts for nothing by itself: it came out
 * of the vault. @throws `known-writers-damaged`
 */
export function trustOf(config: System, vault: string): Trust {
  const own = ownKey(config, vault);
  const met = readMet(config, vault);
  // Whom a person accepted when the configuration was brought here stays accepted beside whom they add to it.
  const accepted = wasRestored(config.stateDir) ? (met ?? []) : [];
  const counting = (listed: readonly KnownWriter[]) => {
    const keys = listed.map(({ key }) => key);
    const named = namedByPeople(config.stateDir, keys);
    return listed.flatMap((one) => (named.includes(one.key) ? [one] : accepted.filter(({ key }) => key === one.key)));
  };
  const [writers, pruners] = [counting(config.vault.writers), counting(config.vault.pruners)];
  const decide = {
    ...(config.vault.pruners.length > 0 && { pruners: keysOf([...pruners, ...own]) }),
    ...(config.drill.writers.length > 0 && { drillers: keysOf(counting(config.drill.writers)) }),
  };
  const known = writers.length > 0 ? [...writers, ...accepted] : met;
  if (known === undefined) return decide;
  const all = [...known, ...own];
  const said = new Set(all.filter(({ isBare }) => !isBare).map(({ key }) => key));
  const bare = new Set(all.map(({ key }) => key)).difference(said);
  return { writers: keysOf(all), ...(bare.size > 0 && { bare }), ...decide };
}

/**
 * The same for what removes, or lets go: where the configuration does not say who decides, this machine heeds nobody but itself.
 */
export function trustToRemove(config: System, { id, trust }: Pick<VaultReader, 'id' | 'trust'>): Trust {
  return { ...trust, pruners: trust.pruners ?? keysOf(ownKey(config, id)) };
}

/** The same for a backup, which does not fail for a list that it hardly needs: then its own key is the only known one. */
export function trustOfWriter(config: System, vault: string): Trust {
  try {
    return trustOf(config, vault);
  } catch {
    return { writers: keysOf(ownKey(config, vault)) };
  }
}

/**
 * Remembers the writers of a vault that this host uses for the first time, each for the systems that it signed for: one that comes
 * later, or speaks for another system then, is suspect.
 */
export async function meetWriters(
  config: System,
  vault: string,
  open: () => VaultReader | Promise<VaultReader>,
): Promise<void> {
  if (config.vault.writers.length > 0 || readMet(config, vault) !== undefined) return;
  const { points } = await (await open()).pointsOfAll();
  const met = points.map(({ record }) => ({ key: record.writer, systems: [record.system] }));
  const writers = [...met, ...ownKey(config, vault)];
  if (writers.length > 0) rememberWriters(config, vault, writers);
}

/** From now on this host believes these writers of `vault`, and its own key. */
export function rememberWriters(config: System, vault: string, known: readonly KnownWriter[]): void {
  noteState(config.stateDir, vault, placesOf(config.destinations));
  const file = fileOf(config);
  const writers = [...keysOf(known)].map(([key, systems]) => ({ key, systems: [...systems].sort() }));
  writers.sort((a, b) => (a.key < b.key ? -1 : 1));
  writeStateFile(file, { format: 1, vault, writers });
}

/** Whether this host wrote to a vault, or met its writers. */
export function isKnownVault(config: System, vault: string): boolean {
  return ownKey(config, vault).length > 0 || readMet(config, vault) !== undefined;
}

function readMet(config: System, vault: string): readonly KnownWriter[] | undefined {
  const file = fileOf(config);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw knownWritersDamaged({ file, why: sentenceOf(error) });
  }
  try {
    const met = shape.parse(JSON.parse(text));
    return met.vault === vault ? met.writers : undefined;
  } catch (error) {
    throw knownWritersDamaged({ file, why: 'it is not what Lifeboat writes' }, { cause: error });
  }
}

/** None where this host never wrote to the vault. Keys that cannot be read vouch for nothing; writing says what is wrong. */
export function ownKey(config: System, vault: string): readonly KnownWriter[] {
  try {
    const key = publicKeyIn(inState(config.stateDir, 'writerKeys'), vault);
    return key === undefined ? [] : [{ key, systems: [config.name] }];
  } catch {
    return [];
  }
}

/** The key that this host signs with, when it has one for this vault. */
export function publicKeyHere(config: System, vault: string): string | undefined {
  return ownKey(config, vault)[0]?.key;
}

function fileOf(config: System): string {
  return inState(config.stateDir, 'knownWriters');
}
