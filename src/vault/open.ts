import { sentenceOf } from '../core/errors.ts';
import type { Destination } from '../destinations/destination.ts';
import { objectMissing } from '../destinations/errors.ts';
import { noDestination, restorePointMissing, vaultMissing, vaultsDiffer } from './errors.ts';
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
  const holders: Destination[] = [];
  let first: { id: string; name: string } | undefined;
  let failure: unknown;
  for (const destination of destinations) {
    try {
      const { vault } = decodeVaultFile(await destination.get(VAULT_KEY));
      first ??= { id: vault, name: destination.name };
      if (vault !== first.id) throw vaultsDiffer({ one: first.name, other: destination.name });
      holders.push(destination);
    } catch (error) {
      if (vaultsDiffer.is(error)) throw error;
      if (!objectMissing.is(error)) failure = error;
      onDamage({ destination: destination.name, key: VAULT_KEY, code: codeOf(error), why: sentenceOf(error) });
    }
  }
  if (first === undefined) {
    if (failure !== undefined) throw noDestination({ why: sentenceOf(failure) }, { cause: failure });
    throw vaultMissing({ destinations: destinations.map(({ name }) => name).join(', ') });
  }
  const { id } = first;
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
