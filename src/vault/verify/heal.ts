import type { Run } from '../../core/run.ts';
import { ulidTime } from '../../core/ulid.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { parseKey } from '../format/keys.ts';
import { encodeVaultFile } from '../format/vault-file.ts';
import { sha256Hex } from '../hash.ts';
import type { RestorePoint, VaultReader } from '../vault.ts';
import { type Finding, neededObjects } from './survey.ts';

export interface DamagedObject extends Finding {
  /** What cannot be restored from this destination because of it. */
  readonly restorePoints: readonly RestorePoint[];
  /** Set when a sound copy was put in its place. */
  readonly healed: boolean;
}

interface HealOptions {
  readonly rescue: Uint8Array;
  readonly run: Run;
}

/** Puts a sound copy from another destination where one is missing or damaged. */
export async function heal(
  vault: VaultReader,
  findings: readonly Finding[],
  points: readonly RestorePoint[],
  options: HealOptions,
): Promise<DamagedObject[]> {
  const needed = neededObjects(points);
  const result: DamagedObject[] = [];
  for (const finding of findings) {
    const isOurs = finding.kind === 'missing' || finding.kind === 'damaged';
    const healed = isOurs && (await healOne(vault, findings, finding, options));
    const restorePoints = needed.get(finding.key)?.points ?? points.filter(({ key }) => key === finding.key);
    result.push({ ...finding, restorePoints, healed });
  }
  return result;
}

async function healOne(
  vault: VaultReader,
  findings: readonly Finding[],
  { destination: name, key }: Finding,
  { run, rescue }: HealOptions,
): Promise<boolean> {
  const target = vault.destinations.find((destination) => destination.name === name);
  const parsed = parseKey(key);
  if (target === undefined || parsed === undefined) return false;
  if (parsed.type === 'rescue') return replace(target, key, rescue);
  for (const source of vault.destinations) {
    const suspected = findings.some((finding) => finding.key === key && finding.destination === source.name);
    if (source === target || suspected) continue;
    try {
      const bytes = await source.get(key, undefined, { signal: run.signal });
      const named = parsed.type === 'pack' || parsed.type === 'manifest' ? parsed.id : undefined;
      if (named !== undefined && sha256Hex(bytes) !== named) continue;
      return await replace(target, key, bytes);
    } catch {
      // Not healed from here: the finding stays, and another copy is tried.
      run.signal.throwIfAborted();
    }
  }
  return parsed.type === 'vault' && (await replace(target, key, vaultFileOf(vault.id)));
}

/** All that is in it follows from the id, which every record repeats. */
function vaultFileOf(vault: string): Uint8Array {
  return encodeVaultFile({ format: 1, vault, created: new Date(ulidTime(vault)).toISOString() });
}

/** The damaged bytes go first, because an object is never overwritten. Until the copy is in place the other one serves. */
async function replace(target: Destination, key: Key, bytes: Uint8Array): Promise<boolean> {
  try {
    await target.delete(key);
    await target.put(key, bytes);
    return true;
  } catch {
    // It stays a finding: whoever reads it sees that this destination takes nothing now.
    return false;
  }
}
