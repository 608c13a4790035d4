import type { Run } from '../../core/run.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { firstSound, type Trace, traceOf } from '../../destinations/first-version.ts';
import { type ParsedKey, parseKey } from '../format/keys.ts';
import { vaultFileOf } from '../format/vault-file.ts';
import type { Holdings } from '../hold/holdings.ts';
import { putConfirmed } from '../hold/put-confirmed.ts';
import { isOurs } from '../trust.ts';
import type { RestorePoint, VaultReader } from '../vault.ts';
import { checkObject } from './check-object.ts';
import type { NeededObjects } from './needed.ts';
import type { Finding } from './survey.ts';

export interface DamagedObject extends Finding {
  /** What cannot be restored from this destination because of it. */
  readonly restorePoints: readonly RestorePoint[];
  /** Set when a sound copy was put in its place. */
  readonly healed: boolean;
}

/** By the destination's name, the same place with the credentials that storing and deleting take. */
export interface Healers {
  readonly writers: ReadonlyMap<string, Destination>;
  readonly pruners: ReadonlyMap<string, Destination>;
}

interface HealOptions {
  readonly needed: NeededObjects;
  readonly rescue: Uint8Array;
  readonly healers?: () => Promise<Healers>;
  /** Grants that count: no writer signed those of people. */
  readonly grants: ReadonlySet<Key>;
  readonly run: Run;
}

/**
 * Puts a sound copy where one is missing or damaged, from another destination; takes delete markers away, and puts the sound
 * version on top of what was put over it, from the very same place.
 */
export async function heal(
  vault: VaultReader,
  held: ReadonlyMap<Destination, Holdings>,
  findings: readonly Finding[],
  points: readonly RestorePoint[],
  options: HealOptions,
): Promise<DamagedObject[]> {
  const { run, needed } = options;
  const result: DamagedObject[] = [];
  const healers = findings.length > 0 ? await options.healers?.() : undefined;
  const needing = needed.pointsThatNeed(findings.map(({ key }) => key));
  const lost = lostCopies(findings);
  const records = Map.groupBy(points, ({ key }) => key);
  for (const finding of findings) {
    run.signal.throwIfAborted();
    const healed = await healOne(vault, held, lost, finding, { ...options, healers });
    const isReadable = finding.kind === 'hidden' || finding.kind === 'overwritten';
    const touched = needing.get(finding.key) ?? records.get(finding.key) ?? [];
    result.push({ ...finding, restorePoints: isReadable ? [] : touched, healed });
  }
  return result;
}

/** By key, the names of the places whose copy is missing or damaged. */
function lostCopies(findings: readonly Finding[]): ReadonlyMap<Key, ReadonlySet<string>> {
  const lost = new Map<Key, Set<string>>();
  for (const { key, destination, kind } of findings) {
    if (kind !== 'missing' && kind !== 'damaged') continue;
    const known = lost.get(key);
    if (known === undefined) lost.set(key, new Set([destination]));
    else known.add(destination);
  }
  return lost;
}

async function healOne(
  vault: VaultReader,
  held: ReadonlyMap<Destination, Holdings>,
  lost: ReadonlyMap<Key, ReadonlySet<string>>,
  { destination: name, key, kind }: Finding,
  { run, rescue, healers, grants }: Omit<HealOptions, 'healers'> & { readonly healers: Healers | undefined },
): Promise<boolean> {
  const place = vault.destinations.find((destination) => destination.name === name);
  const parsed = parseKey(key);
  if (place === undefined || parsed === undefined || kind === 'unknown' || kind === 'unreachable') return false;
  const target: Target = {
    writer: healers?.writers.get(name) ?? place,
    pruner: healers?.pruners.get(name) ?? place,
  };
  const trace = held.get(place)?.get(key);
  if (kind === 'hidden' && trace !== undefined && (await unhide(target, trace))) return true;
  if (kind === 'hidden' || kind === 'overwritten') {
    const bytes = await soundFrom(vault, place, key, parsed, { grants, run });
    return bytes !== undefined && (await replace(target, key, bytes, { kind, signal: run.signal }));
  }
  if (parsed.type === 'rescue') return replace(target, key, rescue, { kind, signal: run.signal });
  for (const source of vault.destinations) {
    if (source === place || lost.get(key)?.has(source.name)) continue;
    const bytes = await soundFrom(vault, source, key, parsed, { grants, run });
    if (bytes !== undefined) return replace(target, key, bytes, { kind, signal: run.signal });
  }
  return parsed.type === 'vault' && (await replace(target, key, vaultFileOf(vault.id), { kind, signal: run.signal }));
}

/** The bytes of an object that is sound by itself and not a stranger's; undefined where `source` has none. */
async function soundFrom(
  vault: VaultReader,
  source: Destination,
  key: Key,
  parsed: ParsedKey,
  { grants, run }: Pick<HealOptions, 'grants' | 'run'>,
): Promise<Uint8Array | undefined> {
  try {
    const trace = await traceOf(source, key);
    if (trace === undefined) return undefined;
    const check = (bytes: Uint8Array) => checkObject(vault.id, key, parsed, bytes, { identities: [] });
    const { bytes, value } = await firstSound(source, trace, check, run.signal);
    const { writer } = value;
    return writer === undefined || grants.has(key) || isOurs(vault.trust, writer) ? bytes : undefined;
  } catch {
    // Not healed from here: the finding stays, and another copy is tried.
    run.signal.throwIfAborted();
    return undefined;
  }
}

interface Target {
  readonly writer: Destination;
  readonly pruner: Destination;
}

/** Takes the delete markers away. Nothing that has bytes is touched. */
async function unhide({ pruner }: Target, { key, markers }: Trace): Promise<boolean> {
  try {
    for (const { version } of markers) await pruner.delete(key, version);
    return true;
  } catch {
    // Who may not delete puts the sound version on top.
    return false;
  }
}

/**
 * The wrong bytes go first, because an object is never overwritten; where versions are kept, that only hides them, and what lies
 * below stays. Until the copy is in place the other one serves.
 */
async function replace(
  { writer, pruner }: Target,
  key: Key,
  bytes: Uint8Array,
  { kind, signal }: { readonly kind: Finding['kind']; readonly signal: AbortSignal },
): Promise<boolean> {
  const inTheWay = kind === 'damaged' || kind === 'overwritten';
  try {
    if (inTheWay && (writer.history === undefined || writer.capabilities.conditionalCreate)) await pruner.delete(key);
    await putConfirmed(writer, key, bytes, { signal });
    return true;
  } catch {
    signal.throwIfAborted();
    // It stays a finding: whoever reads it sees that this destination takes nothing now.
    return false;
  }
}
