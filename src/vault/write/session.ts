import type { RandomBytes } from '../../core/clock.ts';
import type { Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import type { Destination } from '../../destinations/destination.ts';
import { objectMissing } from '../../destinations/errors.ts';
import { refuseFullState } from '../../host/state-folder.ts';
import { inState } from '../../host/state-names.ts';
import { openSmall } from '../age/small-objects.ts';
import { type AnnouncedWhat, announcedAt } from '../announced.ts';
import { noDestination, vaultReplaced, vaultsDiffer } from '../errors.ts';
import { formatNewer } from '../format/errors.ts';
import { decodeIndexDelta } from '../format/index-delta.ts';
import { folders, RESCUE_KEY, VAULT_KEY } from '../format/keys.ts';
import { decodeRecord, parseRecordKey } from '../format/record.ts';
import { vaultFileOf } from '../format/vault-file.ts';
import type { GenerationView } from '../generations/index.ts';
import { sha256Hex } from '../hash.ts';
import { listHeld } from '../hold/listing.ts';
import { putConfirmed } from '../hold/put-confirmed.ts';
import { type IndexCache, openIndexCache } from '../index/cache.ts';
import { distrust } from '../index/forget.ts';
import { lockWriter } from '../lock.ts';
import { pointsOf } from '../of-system.ts';
import { openVault, vaultIn } from '../open.ts';
import { storeWorker, threadShelf } from '../threads.ts';
import type { Trust } from '../trust.ts';
import { writerIn } from '../writer/key-file.ts';
import { type WriterKeys, writerKeys } from '../writer/keys.ts';
import { catchUp } from './catch-up.ts';
import { countBuffersApart } from './collector.ts';
import { type Copies, copiesTo } from './copies.ts';
import { openOwnEpochs, type SealingEpochs } from './epochs.ts';
import { newestOf, noteRecord, readLast, readPending } from './last-record.ts';
import type { StoreWorkerData } from './messages.ts';
import { idOfNewVault } from './new-vault.ts';
import type { PackSizes } from './packing.ts';
import type { StoreThreads } from './pool.ts';
import { generationReader } from './seen-generation.ts';
import { storeWork } from './store-work.ts';

export interface WriterOptions {
  readonly system: string;
  readonly stateDir: string;
  readonly recipients: readonly string[];
  readonly destinations: readonly Destination[];
  readonly random: RandomBytes;
  readonly tool: string;
  /** The rescue script, stored in every vault. */
  readonly rescue: Uint8Array;
  /** Fill a destination anew whose vault is gone. */
  readonly refill: boolean;
  /** Use no pack again that somebody opens who is not a recipient any more. */
  readonly fresh?: boolean;
  readonly packSizes: PackSizes;
  /** Packs that do not hold what they say, as far as is said now. What was said once is remembered. */
  readonly wrongPacks?: (vault: string) => Promise<ReadonlySet<string>>;
  /** Whose prune generations count; everyone's when absent. */
  readonly trust?: (vault: string) => Trust | Promise<Trust>;
}

/** One writer at work: its keys, what it knows of the vault, and the destinations that take part. */
export interface WriterSession extends AsyncDisposable {
  readonly options: WriterOptions;
  readonly vault: string;
  readonly keys: WriterKeys;
  readonly index: IndexCache;
  readonly copies: Copies;
  readonly epochs: SealingEpochs;
  readonly threads: StoreThreads;
  /** Packs that must not be used again, whatever a prune says. */
  readonly wrongPacks: ReadonlySet<string>;
  /** The newest prune generation, read anew, the wrong packs among its sparse ones; the index knows afterwards what it left. */
  generation(): Promise<GenerationView>;
}

/** Opens the vault for writing, makes it when it does not exist, and brings destinations that lag up to date. */
export async function openWriter(options: WriterOptions, run: Run): Promise<WriterSession> {
  countBuffersApart();
  await using held = new AsyncDisposableStack();
  refuseFullState(options.stateDir);
  held.use(lockWriter(options.stateDir));
  const copies = copiesTo(options.destinations, run);
  const found = await findVaults(copies, run);
  const keyFile = inState(options.stateDir, 'writerKeys');
  // A first backup that was interrupted left keys and no vault; a destination that was lost is filled with the same vault.
  const planned = writerIn(keyFile)?.vault;
  const vault = found.vault ?? (await idOfNewVault(keyFile, options, copies, run));
  const keys = await writerKeys(keyFile, vault, options.random);
  if (planned !== undefined && planned !== vault) {
    const message = `This is vault ${vault}, and key files that were made before name ${planned}. 'lifeboat keys list' prints the line that belongs there.`;
    run.problem({ code: 'vault-joined', message, urgent: true });
  }
  const index = openIndexCache(inState(options.stateDir, 'index'), `${vault} ${keys.writer}`);
  held.defer(() => index.close());
  const { stateDir, recipients, random, fresh = false } = options;
  const epochs = await openOwnEpochs({ stateDir, keys, recipients, fresh, copies, random }, run);
  // Deduplication would make restore points of packs that a recipient added since cannot open.
  index.useOnlyOf(epochs.reusable);
  const workerData: StoreWorkerData = { chunkKey: keys.chunkKey, recipients: [epochs.current.recipient] };
  const threads = held.adopt<StoreThreads>(threadShelf(storeWorker, workerData, storeWork), (shelf) =>
    shelf[Symbol.asyncDispose](),
  );
  const trust = (await options.trust?.(vault)) ?? {};
  const wrongPacks = distrust(index, (await options.wrongPacks?.(vault)) ?? []);
  const readGeneration = generationReader({
    vault,
    trust,
    system: options.system,
    stateDir: options.stateDir,
    index,
    copies,
    lookAt: (destination) => noteHeld(index, copies, destination),
    run,
  });
  const generation = async () => {
    const view = await readGeneration();
    return { ...view, sparse: view.sparse.union(wrongPacks) };
  };
  const session = { options, vault, keys, index, copies, epochs, threads, wrongPacks, generation };
  await begin(session, found, trust, run);
  const whole = held.move();
  return { ...session, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

interface FoundVaults {
  readonly vault: string | undefined;
  /** Destinations that hold none. */
  readonly without: readonly Destination[];
}

async function findVaults(copies: Copies, run: Run): Promise<FoundVaults> {
  let first: { vault: string; name: string } | undefined;
  const without: Destination[] = [];
  if (copies.active.length === 0) throw noDestination({ why: 'none could be opened.' });
  for (const destination of [...copies.active]) {
    try {
      const vault = await vaultIn(destination, ({ code, why }) =>
        run.problem({ code, message: `${destination.name} ${VAULT_KEY}: ${why}` }),
      );
      first ??= { vault, name: destination.name };
      if (vault !== first.vault) throw vaultsDiffer({ one: first.name, other: destination.name });
    } catch (error) {
      if (vaultsDiffer.is(error)) throw error;
      if (objectMissing.is(error)) without.push(destination);
      else copies.drop(destination, error);
    }
  }
  return { vault: first?.vault, without: without.filter((destination) => copies.active.includes(destination)) };
}

type Session = Omit<WriterSession, keyof AsyncDisposable>;

async function begin(session: Session, found: FoundVaults, trust: Trust, run: Run): Promise<void> {
  const { index, options, copies } = session;
  for (const destination of found.without) {
    if (index.get(`known ${destination.name}`) !== undefined && !options.refill) {
      copies.drop(destination, vaultReplaced({ destination: destination.name }));
      continue;
    }
    index.forgetHolder(destination.name);
    index.set(`lagging ${destination.name}`, 'yes');
  }
  await settlePending(session);
  const isSetBack = found.vault !== undefined && (await wasSetBack(session, run));
  if (index.get('loaded') === undefined || isSetBack) {
    await run.step('rebuild index', (run) => rebuildIndex(session, found.vault !== undefined, run));
    index.set('loaded', 'yes');
  }
  await refuseNewerFormat(session, trust, run);
  await lookAtAll(session, isSetBack, run);
  await session.generation();
  await run.step('catch up', (run) => catchUp({ ...session, trust }, run));
  // Before the first pack that is sealed to them.
  await session.epochs.store(copies, run.signal);
  const vaultFile = vaultFileOf(session.vault);
  for (const destination of found.without) {
    if (!copies.active.includes(destination)) continue;
    try {
      // Last: until then the destination is no vault, and an interrupted filling begins again.
      await putConfirmed(destination, RESCUE_KEY, options.rescue, { signal: run.signal });
      await putConfirmed(destination, VAULT_KEY, vaultFile, { signal: run.signal });
    } catch (error) {
      copies.drop(destination, error);
    }
  }
  for (const { name, location } of copies.active) index.set(`known ${name}`, location);
}

/** @throws `format-newer` where the vault has gone over to a format that this program does not write */
async function refuseNewerFormat({ vault, copies }: Session, trust: Trust, run: Run): Promise<void> {
  for (const destination of [...copies.active]) {
    let announced: AnnouncedWhat = { found: [], cut: [] };
    try {
      announced = await announcedAt(destination, vault, trust, { deletes: false });
    } catch (error) {
      copies.drop(destination, error);
    }
    for (const folder of announced.cut) {
      const message = `${folder} in ${destination.name} is full of what nobody needs, and not all of it was looked at.`;
      run.problem({ code: 'announcements-many', message });
    }
    const newer = announced.found.find(({ isFormat }) => isFormat);
    if (newer !== undefined) throw formatNewer({ what: 'The vault', needs: newer.needs });
  }
}

/** Who writes needs no right to list versions. */
const plainly = { plain: true } as const;

/** The index of this writer from its deltas, and the end of its chain of records. */
async function rebuildIndex(
  { options, vault, index, keys, copies }: Session,
  isVault: boolean,
  run: Run,
): Promise<void> {
  const deltas = new Map<string, Destination[]>();
  for (const destination of [...copies.active]) {
    try {
      const under = `${folders.index}${keys.writer}/`;
      for await (const [, { key }] of listHeld(destination, ['index'], { ...plainly, under })) {
        deltas.set(key, [...(deltas.get(key) ?? []), destination]);
      }
    } catch (error) {
      copies.drop(destination, error);
    }
  }
  // Oldest first: what was sent again later is where a chunk is found.
  for (const [key, holders] of [...deltas].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const destination of holders) {
      try {
        const delta = decodeIndexDelta(await openSmall(await destination.get(key), [keys.indexIdentity]));
        if (delta.vault !== vault || delta.writer !== keys.publicKey) throw new Error('another writer signed it');
        for (const pack of delta.packs) index.addPack(pack, [], delta.epoch);
        break;
      } catch (error) {
        // What it names is sent again.
        run.problem({ code: 'index-unreadable', message: `${key} in ${destination.name}: ${String(error)}` });
      }
    }
  }
  if (!isVault) return;
  const { points } = await (await openVault(copies.active, { signal: run.signal })).pointsOfAll();
  const last = newestOf(
    points.map(({ record }) => record),
    keys.publicKey,
  );
  if (last !== undefined && last.sequence > (readLast(index)?.sequence ?? 0)) noteRecord(index, last);
  const others = pointsOf(options.system, points).filter(({ record }) => record.writer !== keys.publicKey);
  if (last !== undefined || others.length === 0) return;
  const message = `This host writes to vault ${vault} for the first time: ${countOf(others.length, 'restore point', 'restore points')} of ${options.system} are another writer's, the last of ${others.at(-1)?.record.time}. All data is sent once more. If that was this host, as another user or with another LIFEBOAT_STATE_DIR, run it as before.`;
  run.problem({ code: 'new-writer', message, urgent: true });
}

/** So many records that are newer than what this host remembers are looked at: any number could have been put there. */
const mostNewer = 1000;
/** More than any host has written in between: whoever stole its key must not use the numbers up. */
const mostSteps = 1_000_000;

/**
 * Whether a destination shows records of this very writer that are newer than the last that it remembers: its state was set back,
 * with the machine or by itself. Going on from what is remembered would fork the chain.
 */
async function wasSetBack({ options, vault, keys, index, copies }: Session, run: Run): Promise<boolean> {
  const last = readLast(index);
  if (last === undefined) return false;
  const since = parseRecordKey(last.key)?.time ?? '';
  const newer = new Map<string, Destination>();
  const isAfter = (sequence: number) => sequence > last.sequence && sequence <= last.sequence + mostSteps;
  for (const destination of [...copies.active]) {
    try {
      const under = `${folders.snapshot}${options.system}/`;
      for await (const [{ time }, { key }] of listHeld(destination, ['snapshot'], { ...plainly, under })) {
        if (time >= since && key !== last.key && newer.size < mostNewer) newer.set(key, destination);
      }
    } catch (error) {
      copies.drop(destination, error);
    }
  }
  for (const [key, destination] of newer) {
    run.signal.throwIfAborted();
    try {
      const record = decodeRecord(await destination.get(key));
      if (record.writer !== keys.publicKey || record.vault !== vault || !isAfter(record.sequence)) continue;
    } catch {
      // Whatever it is, this host did not sign it.
      continue;
    }
    const message = `This host's state is older than what it stored last (${key}): it was set back, or another machine runs with a copy of it. It goes on from the newest that is stored.`;
    run.problem({ code: 'state-set-back', message, urgent: true });
    return true;
  }
  return false;
}

async function noteHeld(index: IndexCache, copies: Copies, destination: Destination): Promise<void> {
  index.forgetHolder(destination.name);
  try {
    for await (const [{ id }, { sizeBytes }] of listHeld(destination, ['pack', 'list'], plainly)) {
      if (index.packSize(id) === sizeBytes) index.addHolder(id, destination.name);
    }
  } catch (error) {
    copies.drop(destination, error);
  }
}

/** A record may have been stored by a run that was killed before it could note so: then the next one must name it. */
async function settlePending({ index, copies }: Session): Promise<void> {
  const pending = readPending(index);
  if (pending === undefined) return;
  for (const destination of [...copies.active]) {
    try {
      if (sha256Hex(await destination.get(pending.key)) !== pending.sha256) continue;
      noteRecord(index, pending);
      return;
    } catch (error) {
      if (!objectMissing.is(error)) copies.drop(destination, error);
    }
  }
}

/**
 * What a destination holds is looked at anew when it is new to this host, or elsewhere than it was, or lacks the newest record: then it was left
 * behind, or set back to an older copy of itself. Of all of them, where this host was.
 */
async function lookAtAll({ index, copies }: Session, isSetBack: boolean, run: Run): Promise<void> {
  const last = readLast(index)?.key;
  let isThere = last === undefined;
  for (const destination of [...copies.active]) {
    try {
      if (last !== undefined) await destination.stat(last);
      isThere = true;
      if (!isSetBack && index.get(`known ${destination.name}`) === destination.location) continue;
    } catch (error) {
      if (!objectMissing.is(error)) {
        copies.drop(destination, error);
        continue;
      }
      index.set(`lagging ${destination.name}`, 'yes');
    }
    await noteHeld(index, copies, destination);
  }
  if (isThere) return;
  const message = `No destination in reach holds ${last}, which this host stored last. Was one set back to an older copy?`;
  run.problem({ code: 'restore-point-lost', message });
}
