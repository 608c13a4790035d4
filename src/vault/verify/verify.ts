import { unhurried } from '../../core/breathe.ts';
import type { Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { clockDisputes } from '../clocks.ts';
import { believedEpochs } from '../epochs/grants.ts';
import { openEpochs } from '../epochs/open.ts';
import type { Grant } from '../format/grant.ts';
import { epochKeyKey, grantKey, parseKey, RESCUE_KEY, VAULT_KEY } from '../format/keys.ts';
import { baseOf, recordHash } from '../format/record.ts';
import { writerId } from '../format/signing.ts';
import { type GenerationView, withdraws } from '../generations/index.ts';
import { chainGaps } from '../hold/chain.ts';
import type { Holdings } from '../hold/holdings.ts';
import { countedTogether, type WithNeeds } from '../hold/needs.ts';
import { believedCovers } from '../logs/covers.ts';
import { keptFor } from '../logs/floors.ts';
import { isKnownWriter, isOurs, isPruner, maySign } from '../trust.ts';
import type { RestorePoint, VaultReader } from '../vault.ts';
import { checkFiles, type SpoiledPoint } from './check-files.ts';
import { type DamagedObject, type Healers, heal } from './heal.ts';
import { judgeLogs, type LogsFound } from './logs.ts';
import { type OpenedManifests, openManifests } from './manifests.ts';
import { type NeededObjects, neededObjects } from './needed.ts';
import { type Depth, isSmall, type ObjectsRead, type ReadRequest, readObjects } from './read-objects.ts';
import { compareHoldings, type Finding, holdingsOf } from './survey.ts';
import { usersOf, type WrongPack, wrongPacks } from './wrong-packs.ts';

export interface VerifyOptions {
  readonly depth: Depth;
  /** With identities: also reads every file and compares its SHA-256. */
  readonly files: boolean;
  /** Also decrypts and decompresses what is read. */
  readonly identities: readonly string[];
  /** This host as a writer: its id, and what opens its own index deltas. */
  readonly ownIndex?: { readonly writer: string; readonly identity: string };
  /** The newest record that this host stored: nothing else in a vault tells that the last link of a chain is gone. */
  readonly lastRecord?: Key;
  /** SHA-256 (hex) of records that were pruned: that a chain names them is no gap. */
  readonly removed?: ReadonlySet<string>;
  /** The newest prune: what it withdrew, and the ledger says so too, is on its way out, at one place before the other, and belongs nowhere. */
  readonly pruned?: GenerationView;
  /** The rescue script, to be put where a stored one is damaged. */
  readonly rescue: Uint8Array;
  /** Where healing is done with other credentials than reading. */
  readonly healers?: () => Promise<Healers>;
  readonly run: Run;
}

interface Suspect {
  readonly key: string;
  readonly why: string;
}

export interface Verified {
  readonly findings: readonly DamagedObject[];
  /** Restore points that a prune has withdrawn: what they alone need may be missing already. */
  readonly leaving: number;
  /** Records that cannot be trusted, or whose predecessor was taken away. */
  readonly suspect: readonly Suspect[];
  /** Restore points that are kept and not believed, and objects that strangers signed. They take nothing away. */
  readonly doubtful: readonly Suspect[];
  /** Packs that were made wrong, which no copy heals. */
  readonly wrong: readonly WrongPack[];
  /** Restore points that were made wrong. */
  readonly spoiled: readonly SpoiledPoint[];
  readonly points: readonly RestorePoint[];
  readonly objects: number;
  readonly objectsRead: number;
  /** Of them, those that none of the given identities opens: only their bytes were compared. */
  readonly objectsClosed: number;
  readonly bytesRead: number;
}

/** Compares every destination with what the signed records say, bypassing every cache. Heals from sound copies. */
export async function verifyVault(vault: VaultReader, options: VerifyOptions): Promise<Verified> {
  const { run, identities, ownIndex, depth, pruned, removed = new Set() } = options;
  const findings: Finding[] = [];
  const { points, suspect } = await run.step('records', () => vault.pointsOfAll());
  const known = points.filter(({ record }) => isKnownWriter(vault.trust, record.writer, record.system));
  const isLeaving = ({ record }: RestorePoint) =>
    pruned !== undefined && withdraws(pruned, record, vault.trust, removed);
  const leaving = new Set(known.filter(isLeaving));
  const staying = known.filter((point) => !leaving.has(point));
  const ours = await run.step('lists of packs', (run) => vault.withNeeds(staying, run.signal));
  const logs = await run.step('logs', () => logsOf(vault, ours, pruned));
  const needed = neededObjects(ours, vault.ids, logs.pieces);
  const held = await listAll(vault, needed, findings, run);
  const epochs = await run.step('epochs', () => believedEpochs(vault.destinations, vault.id, vault.trust));
  const granted = epochs
    .values()
    .flatMap(({ grants }) => grants)
    .toArray();
  const opened = await openedBy(vault, { known, all: points }, granted, options);
  const isOpen = ({ record }: RestorePoint) => record.keys.every(([epoch]) => !opened.closed.has(epoch));
  const manifests = await run.step('manifests', (run) =>
    openManifests(identities.length === 0 ? [] : ours.filter(isOpen), vault.destinations, opened.identities, run),
  );
  const keys = { ...opened, chunkKeys: manifests.chunkKeys, ...(ownIndex && { ownIndex }) };
  const reads = await readAll(vault, held, { ...keys, depth, run }, findings);
  const signed = new Map([...reads.values()].flatMap((read) => [...read.signed]));
  const grantKeys = new Set(granted.map(({ epoch, id }) => grantKey(epoch, id)));
  const neededKeys = new Set(ours.flatMap(({ record }) => record.keys.map(([epoch, id]) => epochKeyKey(epoch, id))));
  const grantedKeys = new Set(granted.map(({ epoch, key: [id] }) => epochKeyKey(epoch, id)));
  const strangeRecords = new Set(points.map(({ key }) => key)).difference(new Set(known.map(({ key }) => key)));
  const isStrange = (key: Key, writer: string) => {
    const parsed = parseKey(key)!;
    if (parsed.type === 'snapshot') return strangeRecords.has(key);
    return parsed.type === 'grant' ? !grantKeys.has(key) : !maySign(vault.trust, parsed, writer);
  };
  const strange = new Map([...signed].filter(([key, writer]) => isStrange(key, writer)));
  const leavingKeys = new Set([...leaving].map(({ key }) => key));
  // Keys of epochs that no grant names are somebody's rubbish, unless a record needs them.
  const isNamed = (key: Key) => {
    const type = parseKey(key)?.type;
    return type === 'cover' ? logs.covers.has(key) : type !== 'epoch-key' || grantedKeys.has(key);
  };
  const belongs = (key: Key) =>
    !strange.has(key) && isNamed(key) && !neededKeys.has(key) && !isOver(key, leavingKeys, pruned);
  compareSmallObjects(held, options.lastRecord, belongs, findings);
  const readable = new Set(
    identities.length > 0 ? ours.map(({ record }) => writerId(record.writer)) : [ownIndex?.writer],
  );
  for (const [destination, read] of reads)
    await compareIndex(vault, destination, ours, readable, read, findings, run.signal);
  const made = await run.step('files', (run) =>
    judgeMade(vault, ours, needed, manifests, [...reads.values()], { ...options, run }),
  );
  const chain = points.map(({ key, record }) => ({
    ...{ key, record, hash: recordHash(record) },
    strange: strangeRecords.has(key),
  }));
  const why = 'the record that its writer wrote before it is missing';
  const links = chainGaps(chain, removed).map(({ key }) => ({ key, why }));
  const damaged = await run.step('heal', (run) =>
    heal(vault, held, findings, points, { ...options, run, needed, grants: grantKeys }),
  );
  return {
    findings: damaged,
    leaving: leaving.size,
    suspect: [...suspect, ...links, ...logs.suspect],
    doubtful: [...doubtsOf(points), ...disputesOf(points), ...strangersOf(strange), ...logs.doubtful],
    ...made,
    points,
    ...tallyOf(held, reads),
  };
}

async function listAll(
  { destinations, ids }: VaultReader,
  needed: NeededObjects,
  findings: Finding[],
  run: Run,
): Promise<ReadonlyMap<Destination, Holdings>> {
  const held = new Map<Destination, Holdings>();
  for (const destination of destinations) {
    const holdings = await run.step(`list ${destination.name}`, ({ signal }) =>
      holdingsOf(destination, ids, findings, signal),
    );
    if (holdings === undefined) continue;
    held.set(destination, holdings);
    await compareHoldings(destination.name, holdings, needed, findings, run.signal);
  }
  return held;
}

/** By the destination's name. */
async function readAll(
  { id, trust }: VaultReader,
  held: ReadonlyMap<Destination, Holdings>,
  how: Omit<ReadRequest, 'vault' | 'isHeard' | 'decides'>,
  findings: Finding[],
): Promise<ReadonlyMap<string, ObjectsRead>> {
  const reads = new Map<string, ObjectsRead>();
  const isHeard = (writer: string) => isOurs(trust, writer);
  const decides = (writer: string) => isPruner(trust, writer);
  for (const [destination, holdings] of held) {
    const read = await how.run.step(`read ${destination.name}`, (run) =>
      readObjects(destination, holdings, { ...how, vault: id, isHeard, decides, run }, findings),
    );
    reads.set(destination.name, read);
  }
  return reads;
}

function tallyOf(held: ReadonlyMap<Destination, Holdings>, reads: ReadonlyMap<string, ObjectsRead>) {
  const tally = { objects: 0, objectsRead: 0, objectsClosed: 0, bytesRead: 0 };
  for (const { size } of held.values()) tally.objects += size;
  for (const { objects, closed, bytes } of reads.values()) {
    tally.objectsRead += objects;
    tally.objectsClosed += closed;
    tally.bytesRead += bytes;
  }
  return tally;
}

/** What a place lacks because it cannot be asked is told where it is listed. */
async function logsOf(
  { id, trust, destinations }: VaultReader,
  staying: readonly RestorePoint[],
  pruned: GenerationView | undefined,
): Promise<LogsFound> {
  const covers = await believedCovers(destinations, { vault: id, trust, onFailure: () => {} });
  const bases = staying.flatMap(({ record }) => baseOf(record) ?? []);
  return judgeLogs(covers, keptFor(bases, pruned?.floors ?? new Map()));
}

/** What is as it was made, and was made wrong. */
async function judgeMade(
  { destinations, trust }: VaultReader,
  points: readonly RestorePoint[],
  needed: NeededObjects,
  manifests: OpenedManifests,
  reads: readonly ObjectsRead[],
  { files, identities, run }: VerifyOptions,
): Promise<Pick<Verified, 'wrong' | 'spoiled'>> {
  const odd = [...manifests.wrong].map(([point, why]) => ({ point, files: [], count: 1, why }));
  const wrong = wrongPacks({ reads, points, needed, manifests, trust });
  if (!files) return { wrong, spoiled: odd };
  const known = new Set(wrong.map(({ pack }) => pack));
  const right = [...manifests.opened].filter((point) => !manifests.wrong.has(point));
  const found = await checkFiles({ points: right, destinations, identities, wrong: known, run });
  const users = usersOf(found.packs.keys(), needed);
  for (const [pack, why] of found.packs) {
    const restorePoints = users.get(pack) ?? [];
    const systems = [...new Set(restorePoints.map(({ record }) => record.system))].sort();
    wrong.push({ pack, why: `it holds parts of something that does not come back: ${why}`, restorePoints, systems });
  }
  return { wrong, spoiled: [...odd, ...found.spoiled] };
}

/** Of epochs that only strangers name so many are opened: they may name any number. */
const mostStrange = 100;

/**
 * The given identities and what they open: of the epochs that restore points need, other systems' too, and of those that a backup has
 * only begun.
 */
async function openedBy(
  { destinations }: VaultReader,
  { known, all }: { readonly known: readonly RestorePoint[]; readonly all: readonly RestorePoint[] },
  granted: readonly Grant[],
  { identities, run: { signal } }: VerifyOptions,
): Promise<{ readonly identities: readonly string[]; readonly closed: ReadonlySet<string> }> {
  if (identities.length === 0) return { identities, closed: new Set() };
  const named = known.flatMap(({ record }) => record.keys);
  const ours = new Set(named.map(([epoch]) => epoch));
  const strange = all.flatMap(({ record }) => record.keys).filter(([epoch]) => !ours.has(epoch));
  const keys = [
    ...named,
    ...strange.slice(0, mostStrange),
    ...granted.map(({ epoch, key: [id, sizeBytes] }) => [epoch, id, sizeBytes] as const),
  ];
  // What is wrong with one of them is found when all of them are read.
  const opened = await openEpochs(keys, { destinations, identities, onDamage: () => {}, signal });
  const closed = new Set(opened.closed.map(({ epoch }) => epoch));
  return { identities: [...identities, ...opened.identities], closed };
}

/** Records of withdrawn restore points, and all prune generations but the newest: a prune removes them in its own time. */
function isOver(key: Key, leaving: ReadonlySet<Key>, pruned: GenerationView | undefined): boolean {
  const parsed = parseKey(key);
  if (parsed?.type === 'generation') return parsed.generation < (pruned?.number ?? 0);
  return leaving.has(key);
}

function doubtsOf(points: readonly RestorePoint[]): Suspect[] {
  return points.flatMap(({ key, doubts }) => doubts.map(({ why }) => ({ key, why })));
}

function disputesOf(points: readonly RestorePoint[]): Suspect[] {
  return clockDisputes(points).map(({ early, other, count }) => ({
    key: early,
    why: `the clocks of ${early} and ${other} disagree about ${countOf(count, 'record')}`,
  }));
}

/** Records are among the doubtful restore points already. */
function strangersOf(strange: ReadonlyMap<Key, string>): Suspect[] {
  return [...strange]
    .filter(([key]) => parseKey(key)?.type !== 'snapshot')
    .map(([key, writer]) => ({ key, why: `it is signed by ${writer}, which is no known writer` }));
}

/**
 * Packs, manifests and lists are needed by records; everything else that one destination holds belongs on all of them, but for what
 * strangers put there and what a prune removes from one place after the other.
 */
function compareSmallObjects(
  held: ReadonlyMap<Destination, Holdings>,
  lastRecord: Key | undefined,
  belongs: (key: Key) => boolean,
  findings: Finding[],
): void {
  const everywhere = new Set<Key>([VAULT_KEY, RESCUE_KEY, ...(lastRecord === undefined ? [] : [lastRecord])]);
  for (const holdings of held.values()) {
    for (const key of holdings.smallKeys()) if (isSmall(parseKey(key)) && belongs(key)) everywhere.add(key);
  }
  for (const [{ name }, holdings] of held) {
    for (const key of everywhere) {
      if (!holdings.has(key)) findings.push({ destination: name, key, kind: 'missing', why: 'it belongs there' });
    }
  }
}

/** A writer's index names every pack that its records need: what is not named was taken away, with the delta that named it. */
async function compareIndex(
  vault: VaultReader,
  destination: string,
  points: ReadonlyArray<WithNeeds<RestorePoint>>,
  readable: ReadonlySet<string | undefined>,
  { indexed }: ObjectsRead,
  findings: Finding[],
  signal: AbortSignal,
): Promise<void> {
  for (const writer of readable) {
    if (writer === undefined) continue;
    const packs = indexed.get(writer) ?? new Map<string, Set<string>>();
    if (packs === 'unknown') continue;
    const key = `index/${writer}/`;
    if (findings.some((finding) => finding.destination === destination && finding.key.startsWith(key))) continue;
    const own = points.filter(({ record }) => writerId(record.writer) === writer);
    let missing = 0;
    for await (const { number, named } of unhurried(countedTogether(own), signal)) {
      if (named === undefined && !packs.has(vault.ids.idOf(number))) missing++;
    }
    if (missing === 0) continue;
    const why = `${missing} of the packs that its writer uses are named nowhere in it; they would be sent again`;
    findings.push({ destination, key, kind: 'missing', why });
  }
}
