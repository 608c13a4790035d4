import { systemClock } from '../core/clock.ts';
import { LifeboatError, sentenceOf } from '../core/errors.ts';
import type { Destination } from '../destinations/destination.ts';
import { objectDamaged, objectMissing } from '../destinations/errors.ts';
import { firstSound, traceOf } from '../destinations/first-version.ts';
import { noDestination, vaultMissing, vaultsDiffer } from './errors.ts';
import { formatNewer, vaultFileDamaged } from './format/errors.ts';
import { createIds } from './format/ids.ts';
import { VAULT_KEY } from './format/keys.ts';
import { decodeRecord, parseRecordKey } from './format/record.ts';
import { decodeVaultFile } from './format/vault-file.ts';
import { type Damage, damageOf, spoiledDamage } from './hold/fetch-sound.ts';
import { listHeld } from './hold/listing.ts';
import { needsReader } from './hold/needs.ts';
import { foundOf } from './of-system.ts';
import type { RecordMemory } from './read/record-memory.ts';
import { recordReader } from './read/records.ts';
import { judge, settled, type Trust } from './trust.ts';
import type { RestorePoints, VaultReader } from './vault.ts';

export interface OpenVaultOptions {
  /** Told of every copy that could not be used, also when another one served. */
  readonly onDamage?: (damage: Damage) => void;
  /** Whose records count, asked once the vault is known. Absent: everyone's. */
  readonly trust?: (vault: string) => Trust | Promise<Trust>;
  /** Where destinations hold different vaults: the one that is meant, or undefined when nobody knows. */
  readonly ours?: (claims: ReadonlyArray<{ readonly name: string; readonly vault: string }>) => string | undefined;
  /** What this host remembers of the records. Absent: each is read, as who restores or proves must. */
  readonly memory?: (vault: string) => RecordMemory | undefined;
  /** Ends the reading of records and of what they need: of a long history that takes minutes. */
  readonly signal?: AbortSignal;
  /** By this machine's clock, milliseconds since 1970 UTC: what is dated later is doubtful. */
  readonly nowMs?: number;
}

/** Opens a vault for reading over all destinations that hold it. One that fails is told to `onDamage` and left out. */
export async function openVault(
  destinations: readonly Destination[],
  options: OpenVaultOptions = {},
): Promise<VaultReader> {
  const onDamage = options.onDamage ?? (() => {});
  const claims: Claim[] = [];
  const failures: unknown[] = [];
  for (const destination of destinations) {
    try {
      claims.push(await claimOf(destination, onDamage));
    } catch (error) {
      failures.push(error);
      onDamage(damageOf(destination.name, VAULT_KEY, error));
    }
  }
  const told = claims.filter(({ vault }) => vault !== undefined);
  if (new Set(told.map(({ vault }) => vault)).size > 1) await askRecords(told, onDamage);
  const id = await chosen(told, options, onDamage);
  if (id === undefined) {
    const failure = failures.find((error) => formatNewer.is(error)) ?? failures[0];
    if (failure instanceof LifeboatError && (destinations.length === 1 || formatNewer.is(failure))) throw failure;
    if (failure !== undefined) throw noDestination({ why: sentenceOf(failure) }, { cause: failure });
    throw vaultMissing({ destinations: destinations.map(({ name }) => name).join(', ') });
  }
  const holders = told.filter(({ vault }) => vault === id).map(({ destination }) => destination);
  const ids = createIds();
  const memory = options.memory?.(id);
  const readRecords = recordReader(id, holders, onDamage, {
    ...(options.signal && { signal: options.signal }),
    ...(memory && { memory }),
  });
  const withNeeds = needsReader(holders, ids, onDamage, options.signal);
  const pointsOfAll = async (trust: Trust): Promise<RestorePoints> => {
    // All of them, always: a record is judged by its writer's whole chain, which runs through every dataset.
    const { found, suspect, strange } = await readRecords(trust);
    return { points: judge(id, found, trust, options.nowMs ?? systemClock.now()), suspect, strange };
  };
  const judgedBy = (trust: Trust): VaultReader => ({
    id,
    destinations: holders,
    trust,
    ids,
    withNeeds,
    judgedBy,
    pointsOfAll: () => pointsOfAll(trust),
    of: (system) => ({
      async restorePoints(dataset) {
        const own = foundOf(system, await pointsOfAll(trust));
        if (dataset === undefined) return own;
        return {
          points: own.points.filter(({ record }) => record.dataset === dataset),
          suspect: own.suspect.filter(({ key }) => parseRecordKey(key)?.dataset === dataset),
        };
      },
    }),
    async open(point, identities) {
      // With it come age's ciphers, which take longer to load than `status` may take.
      const { openContents } = await import('./read/contents.ts');
      const { believedEpochs } = await import('./epochs/grants.ts');
      const [known] = await withNeeds([point]);
      const granted = () => believedEpochs(holders, id, trust);
      return openContents(known!, { destinations: holders, identities, onDamage, granted });
    },
  });
  const trust = (await options.trust?.(id)) ?? {};
  // What is wrong with a record is told when it is read to be judged.
  return judgedBy(trust.bare === undefined ? trust : settled(id, trust, (await readRecords(trust, () => {})).found));
}

/**
 * Which vault is meant, where destinations hold several: the one that this host knows, or that a person named. Those that hold
 * another are left out, and that is told. @throws `vaults-differ` where nothing says which is ours
 */
async function chosen(
  told: readonly Claim[],
  { ours }: OpenVaultOptions,
  onDamage: (damage: Damage) => void,
): Promise<string | undefined> {
  const [first] = told;
  const other = told.find(({ vault }) => vault !== first?.vault);
  if (first === undefined || other === undefined) return first?.vault;
  const error = (one: Claim, another: Claim) =>
    vaultsDiffer({ one: one.destination.name, other: another.destination.name });
  const names = told.flatMap(({ destination, vault }) =>
    vault === undefined ? [] : [{ name: destination.name, vault }],
  );
  const known = await ours?.(names);
  const right = told.find(({ vault }) => vault === known);
  if (right === undefined) throw error(first, other);
  for (const claim of told) {
    if (claim.vault !== known) onDamage(damageOf(claim.destination.name, VAULT_KEY, error(right, claim)));
  }
  return known;
}

/** The vault that a destination says it holds. */
interface Claim {
  readonly destination: Destination;
  vault: string | undefined;
}

/** Where `vault.json` is gone or damaged, the signed records tell: one small object must not put a whole copy out of use. */
async function claimOf(destination: Destination, onDamage: (damage: Damage) => void): Promise<Claim> {
  try {
    return { destination, vault: await vaultIn(destination, onDamage) };
  } catch (error) {
    if (!objectMissing.is(error) && !objectDamaged.is(error) && !vaultFileDamaged.is(error)) throw error;
    const vault = await vaultOfRecords(destination);
    if (vault === undefined && !objectMissing.is(error)) throw error;
    onDamage(damageOf(destination.name, VAULT_KEY, error));
    return { destination, vault };
  }
}

/**
 * The vault that the first version of `vault.json` names: whoever hides it or puts another over it must not have it taken for
 * another vault. Errors: `object-missing`, `vault-file-damaged`, `format-newer`, and those of the destination.
 */
export async function vaultIn(destination: Destination, onDamage: (damage: Damage) => void): Promise<string> {
  if (destination.history === undefined) return decodeVaultFile(await destination.get(VAULT_KEY)).vault;
  const trace = await traceOf(destination, VAULT_KEY);
  if (trace === undefined) throw objectMissing({ destination: destination.name, key: VAULT_KEY });
  const { value, spoiled } = await firstSound(destination, trace, decodeVaultFile);
  if (spoiled !== undefined) onDamage(spoiledDamage(destination.name, VAULT_KEY, spoiled));
  return value.vault;
}

/** Destinations that disagree: a changed digit in one `vault.json` shows when its own records name another vault. */
async function askRecords(claims: readonly Claim[], onDamage: (damage: Damage) => void): Promise<void> {
  for (const claim of claims) {
    const { name } = claim.destination;
    const vault = await vaultOfRecords(claim.destination).catch(() => undefined);
    if (vault === undefined || vault === claim.vault) continue;
    const error = vaultFileDamaged({ field: 'vault' });
    onDamage({ destination: name, key: VAULT_KEY, code: error.code, why: error.message });
    claim.vault = vault;
  }
}

/** The vault of the first record that can be read. */
async function vaultOfRecords(destination: Destination): Promise<string | undefined> {
  for await (const [, trace] of listHeld(destination, ['snapshot'])) {
    try {
      return (await firstSound(destination, trace, decodeRecord)).value.vault;
    } catch {
      // Another one may be sound; what is wrong with this one is told when it is needed.
    }
  }
  return undefined;
}
