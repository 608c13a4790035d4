import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { ulidTime } from '../../core/ulid.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { objectMissing } from '../../destinations/errors.ts';
import { decodeGeneration } from '../format/generation.ts';
import { decodeIndexDelta } from '../format/index-delta.ts';
import { type ParsedKey, parseKey, RESCUE_KEY, VAULT_KEY } from '../format/keys.ts';
import { verifyLedger } from '../format/ledger.ts';
import { decodeManifest } from '../format/manifest.ts';
import { decodeRecord, recordKey } from '../format/record.ts';
import { isSoundRescue } from '../format/rescue-script.ts';
import { decodeVaultFile } from '../format/vault-file.ts';
import { sha256Hex } from '../hash.ts';
import { openSmall } from '../small-objects.ts';
import type { RestorePoint, VaultReader } from '../vault.ts';
import { checkPack } from './check-pack.ts';
import { type DamagedObject, heal } from './heal.ts';
import { compareHoldings, type Finding, type Holdings, holdingsOf, missingLinks, neededObjects } from './survey.ts';

/** Which packs are read: none but what structure needs, those of part `part` of `parts`, or all. */
export type Depth = 'structure' | 'all' | { readonly part: number; readonly parts: number };

export interface VerifyOptions {
  readonly depth: Depth;
  /** Also decrypts and decompresses what is read. */
  readonly identities: readonly string[];
  /** Opens this host's own index deltas. */
  readonly indexIdentity?: string;
  /** The newest record that this host stored: nothing else in a vault tells that the last link of a chain is gone. */
  readonly lastRecord?: Key;
  /** The rescue script, to be put where a stored one is damaged. */
  readonly rescue: Uint8Array;
  readonly run: Run;
}

export interface Verified {
  readonly findings: readonly DamagedObject[];
  /** Records that cannot be trusted, or whose predecessor was taken away. */
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
  readonly points: readonly RestorePoint[];
  readonly objects: number;
  readonly objectsRead: number;
  readonly bytesRead: number;
}

/** Reading several objects side by side keeps disk and processor busy; each is at most a pack. */
const READERS = 3;

/** Compares every destination with what the signed records say, bypassing every cache. Heals from sound copies. */
export async function verifyVault(vault: VaultReader, options: VerifyOptions): Promise<Verified> {
  const { run } = options;
  const findings: Finding[] = [];
  const { points, suspect } = await run.step('records', () => vault.restorePoints());
  const needed = neededObjects(points);
  const tally = { objects: 0, objectsRead: 0, bytesRead: 0 };
  const held = new Map<Destination, Holdings>();

  for (const destination of vault.destinations) {
    const holdings = await run.step(`list ${destination.name}`, () => holdingsOf(destination, findings));
    if (holdings === undefined) continue;
    held.set(destination, holdings);
    tally.objects += holdings.size;
    compareHoldings(destination.name, holdings, needed, findings);
  }
  compareSmallObjects(held, options.lastRecord, findings);
  for (const [destination, holdings] of held) {
    await run.step(`read ${destination.name}`, () =>
      readObjects(vault, destination, holdings, options, findings, tally),
    );
  }
  const links = missingLinks(points).map(({ after }) => ({
    key: after.key,
    why: 'the record that its writer wrote before it is missing',
  }));
  const damaged = await run.step('heal', () => heal(vault, findings, points, options));
  return { findings: damaged, suspect: [...suspect, ...links], points, ...tally };
}

/** Packs and manifests are needed by records; everything else that one destination holds belongs on all of them. */
function compareSmallObjects(
  held: ReadonlyMap<Destination, Holdings>,
  lastRecord: Key | undefined,
  findings: Finding[],
): void {
  const everywhere = new Set<Key>([VAULT_KEY, RESCUE_KEY, ...(lastRecord === undefined ? [] : [lastRecord])]);
  for (const holdings of held.values()) {
    for (const key of holdings.keys()) if (isSmall(parseKey(key))) everywhere.add(key);
  }
  for (const [{ name }, holdings] of held) {
    for (const key of everywhere) {
      if (!holdings.has(key)) findings.push({ destination: name, key, kind: 'missing', why: 'it belongs there' });
    }
  }
}

function isSmall(parsed: ParsedKey | undefined): boolean {
  return parsed !== undefined && parsed.type !== 'pack' && parsed.type !== 'manifest';
}

async function readObjects(
  vault: VaultReader,
  destination: Destination,
  holdings: Holdings,
  options: VerifyOptions,
  findings: Finding[],
  tally: { objectsRead: number; bytesRead: number },
): Promise<void> {
  const known = new Set(findings.filter((finding) => finding.destination === destination.name).map(({ key }) => key));
  const ledger: { key: Key; bytes: Uint8Array }[] = [];
  const keys = [...holdings.keys()].filter((key) => !known.has(key) && isWanted(parseKey(key), options.depth));
  const totalBytes = keys.reduce((sum, key) => sum + holdings.get(key)!.sizeBytes, 0);
  let doneBytes = 0;

  async function readOne(key: Key): Promise<void> {
    options.run.signal.throwIfAborted();
    const parsed = parseKey(key)!;
    try {
      const bytes = await destination.get(key, undefined, { signal: options.run.signal });
      tally.objectsRead++;
      tally.bytesRead += bytes.length;
      doneBytes += bytes.length;
      options.run.progress({ label: destination.name, doneBytes, totalBytes });
      if (parsed.type === 'ledger') ledger.push({ key, bytes });
      else await checkObject(vault, key, parsed, bytes, options);
    } catch (error) {
      options.run.signal.throwIfAborted();
      const kind = objectMissing.is(error) ? 'missing' : isUnreachable(error) ? 'unreachable' : 'damaged';
      findings.push({ destination: destination.name, key, kind, why: sentenceOf(error) });
    }
  }

  const queue = keys[Symbol.iterator]();
  const line = async () => {
    for (const key of queue) await readOne(key);
  };
  await Promise.all(Array.from({ length: READERS }, line));
  for (const { key, message } of verifyLedger(ledger, { vault: vault.id }).problems) {
    findings.push({ destination: destination.name, key, kind: 'damaged', why: message });
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('destination-');
}

/** Small objects are always read; packs and manifests by their id, so that parts together cover all. */
function isWanted(parsed: ParsedKey | undefined, depth: Depth): boolean {
  if (parsed === undefined || isSmall(parsed)) return parsed !== undefined;
  if (parsed.type !== 'pack' && parsed.type !== 'manifest') return false;
  if (typeof depth === 'string') return depth === 'all';
  return Number.parseInt(parsed.id.slice(0, 8), 16) % depth.parts === depth.part - 1;
}

/** Throws what is wrong with the object. */
async function checkObject(
  vault: VaultReader,
  key: Key,
  parsed: ParsedKey,
  bytes: Uint8Array,
  { identities, indexIdentity }: VerifyOptions,
): Promise<void> {
  // Only its sentence is used, in a finding that names the object.
  const wrong = (why: string) => new Error(why);
  switch (parsed.type) {
    case 'pack':
    case 'manifest':
      if (sha256Hex(bytes) !== parsed.id) throw wrong('its bytes are not the ones that its name promises');
      if (identities.length === 0) return;
      if (parsed.type === 'pack') await checkPack(bytes, identities);
      else decodeManifest(await openSmall(bytes, identities));
      return;
    case 'snapshot': {
      const record = decodeRecord(bytes);
      if (recordKey(record) !== key || record.vault !== vault.id) throw wrong('it belongs elsewhere');
      return;
    }
    case 'index': {
      const opens = [...identities, ...(indexIdentity === undefined ? [] : [indexIdentity])];
      if (opens.length > 0) decodeIndexDelta(await openSmall(bytes, opens));
      return;
    }
    case 'generation':
      decodeGeneration(bytes);
      return;
    case 'vault': {
      const file = decodeVaultFile(bytes);
      if (file.vault !== vault.id || Date.parse(file.created) !== ulidTime(file.vault))
        throw wrong('it is not the file that this vault was made with');
      return;
    }
    case 'rescue':
      if (!isSoundRescue(bytes)) throw wrong('it is not a rescue script as it was stored');
      return;
    case 'ledger':
      return;
  }
}
