import { LifeboatError, sentenceOf } from '../core/errors.ts';
import type { Destination } from '../destinations/destination.ts';
import { objectMissing } from '../destinations/errors.ts';
import { noDestination, restorePointMissing, vaultMissing, vaultsDiffer } from './errors.ts';
import { formatNewer, vaultFileDamaged } from './format/errors.ts';
import { VAULT_KEY } from './format/keys.ts';
import { decodeRecord, parseRecordKey, recordKey } from './format/record.ts';
import { decodeVaultFile } from './format/vault-file.ts';
import type { Damage } from './read/objects.ts';
import type { RestorePoint, VaultReader } from './vault.ts';

export interface OpenVaultOptions {
  /** Told of every copy that could not be used, also when another one served. */
  readonly onDamage?: (damage: Damage) => void;
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
      if (formatNewer.is(error)) throw error;
      failures.push(error);
      onDamage({ destination: destination.name, key: VAULT_KEY, code: codeOf(error), why: sentenceOf(error) });
    }
  }
  const told = claims.filter(({ vault }) => vault !== undefined);
  if (new Set(told.map(({ vault }) => vault)).size > 1) await askRecords(told, onDamage);
  const [first] = told;
  if (first?.vault === undefined) {
    const [failure] = failures;
    if (failure instanceof LifeboatError && destinations.length === 1) throw failure;
    if (failure !== undefined) throw noDestination({ why: sentenceOf(failure) }, { cause: failure });
    throw vaultMissing({ destinations: destinations.map(({ name }) => name).join(', ') });
  }
  const other = told.find(({ vault }) => vault !== first.vault);
  if (other !== undefined) throw vaultsDiffer({ one: first.destination.name, other: other.destination.name });
  const id = first.vault;
  const holders = told.map(({ destination }) => destination);
  return {
    id,
    destinations: holders,
    restorePoints: (dataset) => readRecords(id, holders, dataset, onDamage),
    async open(point, identities) {
      // With it come age's ciphers, which take longer to load than `status` may take.
      const { openContents } = await import('./read/contents.ts');
      return openContents(point, { destinations: holders, identities, onDamage });
    },
  };
}

/** The vault that a destination says it holds. */
interface Claim {
  readonly destination: Destination;
  vault: string | undefined;
}

/** Where `vault.json` is gone or damaged, the signed records tell: one small object must not put a whole copy out of use. */
async function claimOf(destination: Destination, onDamage: (damage: Damage) => void): Promise<Claim> {
  try {
    return { destination, vault: decodeVaultFile(await destination.get(VAULT_KEY)).vault };
  } catch (error) {
    if (!objectMissing.is(error) && !vaultFileDamaged.is(error)) throw error;
    const vault = await vaultOfRecords(destination);
    if (vault === undefined && vaultFileDamaged.is(error)) throw error;
    onDamage({ destination: destination.name, key: VAULT_KEY, code: codeOf(error), why: sentenceOf(error) });
    return { destination, vault };
  }
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
  for await (const { key } of destination.list('snapshots/')) {
    if (parseRecordKey(key) === undefined) continue;
    try {
      return decodeRecord(await destination.get(key)).vault;
    } catch {
      // Another one may be sound; what is wrong with this one is told when it is needed.
    }
  }
  return undefined;
}

async function readRecords(
  vault: string,
  destinations: readonly Destination[],
  dataset: string | undefined,
  onDamage: (damage: Damage) => void,
): ReturnType<VaultReader['restorePoints']> {
  const holders = new Map<string, Destination[]>();
  for (const destination of destinations) {
    try {
      for await (const { key } of destination.list(dataset === undefined ? 'snapshots/' : `snapshots/${dataset}/`)) {
        if (parseRecordKey(key) !== undefined) holders.set(key, [...(holders.get(key) ?? []), destination]);
      }
    } catch (error) {
      onDamage({ destination: destination.name, key: 'snapshots/', code: codeOf(error), why: sentenceOf(error) });
    }
  }
  const points: RestorePoint[] = [];
  const suspect: { key: string; why: string }[] = [];
  for (const key of [...holders.keys()].sort(byTime)) {
    const outcome = await readRecord(vault, key, holders.get(key)!, onDamage);
    if ('record' in outcome) points.push(outcome);
    else suspect.push(outcome);
  }
  return { points, suspect };
}

async function readRecord(
  vault: string,
  key: string,
  holders: readonly Destination[],
  onDamage: (damage: Damage) => void,
): Promise<RestorePoint | { key: string; why: string }> {
  let why = '';
  const sound: string[] = [];
  let record: RestorePoint['record'] | undefined;
  for (const destination of holders) {
    try {
      const found = decodeRecord(await destination.get(key));
      if (found.vault !== vault || recordKey(found) !== key) throw new Error('it belongs elsewhere');
      record ??= found;
      if (found.signature === record.signature) sound.push(destination.name);
      else why = `${destination.name} holds another record under the same name`;
    } catch (error) {
      why = sentenceOf(error);
      onDamage({ destination: destination.name, key, code: codeOf(error), why });
    }
  }
  return record === undefined ? { key, why } : { record, key, destinations: sound };
}

/** The newest restore point of `dataset` not younger than `beforeMs` allows; `restore-point-missing` when there is none. */
export function newestPoint(
  points: readonly RestorePoint[],
  dataset: string,
  beforeMs = Number.POSITIVE_INFINITY,
): RestorePoint {
  const found = points.findLast(({ record }) => record.dataset === dataset && Date.parse(record.time) <= beforeMs);
  if (found !== undefined) return found;
  const at = Number.isFinite(beforeMs) ? new Date(beforeMs).toISOString() : 'any time';
  throw restorePointMissing({ dataset, at });
}

/** Keys end with `<UTC time>-<ulid>.json`, whose text order is the order of time. */
function byTime(a: string, b: string): number {
  const [x, y] = [a.slice(a.lastIndexOf('/')), b.slice(b.lastIndexOf('/'))];
  return x < y ? -1 : x > y ? 1 : 0;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
