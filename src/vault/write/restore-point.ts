import { join } from 'node:path';
import type { ChunkProfile } from '../../core/entry.ts';
import { defineError, sentenceOf } from '../../core/errors.ts';
import type { Expectations } from '../../core/expectations.ts';
import type { Problem, Run } from '../../core/run.ts';
import { newUlid } from '../../core/ulid.ts';
import { inState } from '../../host/state-names.ts';
import type { Capture, CaptureFacts } from '../../sources/source.ts';
import { sealSmall } from '../age/small-objects.ts';
import { decodeIndexDelta, encodeIndexDelta, type IndexedPack } from '../format/index-delta.ts';
import { indexKey, listKey, manifestKey, packKey } from '../format/keys.ts';
import { countByCode, encodeManifest } from '../format/manifest.ts';
import {
  parseRecordKey,
  publicSizes,
  recordBytes,
  recordKey,
  type SnapshotRecord,
  signRecord,
} from '../format/record.ts';
import { type GenerationView, mayReuse, withdrawnOf } from '../generations/index.ts';
import { sha256Hex } from '../hash.ts';
import type { Needs } from '../hold/needs.ts';
import { keepUse } from '../prune/sparse.ts';
import { announceRecord, noteRecord, readLast } from './last-record.ts';
import { cutIntoLists, listSalt, storeLists } from './list-packs.ts';
import type { SealedPack } from './pool.ts';
import type { WriterSession } from './session.ts';
import { type StoredBody, startStore } from './store.ts';
import { readTreeCache, writeTreeCache } from './tree-cache.ts';

export const packWithdrawn = defineError({
  code: 'pack-withdrawn',
  about: 'backup',
  exit: 2,
  say: (fact: { packs: number }) => `A prune marked ${fact.packs} packs while they were being used again.`,
  hint: () => "Nothing was lost. Run 'lifeboat backup' again: it sends what is needed anew.",
});

/** Packs named by one index delta; flushed so that a crash of host and vault together costs little. */
const PACKS_PER_DELTA = 16;

export interface RestorePointRequest {
  readonly dataset: string;
  readonly kind: string;
  readonly profile: ChunkProfile;
  readonly capture: Capture;
  /** When the capture's consistent moment was, milliseconds since 1970 UTC. */
  readonly timeMs: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly retention: SnapshotRecord['retention'];
}

export interface WrittenRestorePoint {
  readonly record: SnapshotRecord;
  readonly key: string;
  readonly needs: Needs;
  /** Exact, as its record does not say them. */
  readonly sizes: SnapshotRecord['sizes'];
  /** Destinations that hold the restore point whole. */
  readonly heldBy: readonly string[];
  /** Destinations that do not, and why. */
  readonly missingAt: ReadonlyArray<{ readonly destination: string; readonly why: string }>;
  readonly problems: readonly Problem[];
  /** As recorded in the capture's own snapshot. */
  readonly expectations?: Expectations;
  /** As in the manifest. */
  readonly facts: CaptureFacts['facts'];
  readonly unchangedFiles: number;
}

/** Stores a capture and commits it: packs, index, manifest, lists, and the signed record last. What has no record does not exist. */
export async function writeRestorePoint(
  session: WriterSession,
  request: RestorePointRequest,
  run: Run,
): Promise<WrittenRestorePoint> {
  const { options, index } = session;
  const view = await session.generation();
  const treeFile = join(inState(options.stateDir, 'trees'), request.dataset);
  const lastTree = readTreeCache(treeFile);
  const nextTree = writeTreeCache(treeFile);
  let storedBytes = 0;
  const delivery = deliverIndex(session, run);
  let trusted = 0;

  /** Only what every destination holds that still takes part is used again. */
  function trustActive(): void {
    const { active } = session.copies;
    if (active.length === trusted) return;
    trusted = active.length;
    index.useOnlyHeldBy(active.map(({ name }) => name));
  }
  trustActive();

  async function storePack({ id, object, kind, toc, giveBack }: SealedPack): Promise<void> {
    const tried = session.copies.active.length;
    const holders = await session.copies.put(packKey(id), object, id);
    const pack: IndexedPack = { id, sizeBytes: object.length, kind, toc };
    index.addPack(pack, holders, session.epochs.current.epoch);
    trustActive();
    storedBytes += pack.sizeBytes;
    // A place that was given up on may still be sending it.
    if (holders.length === tried) giveBack();
    await delivery.add(pack);
  }

  try {
    await delivery.nameLeftovers();
    const { stored, facts } = await run.step('store', async (run) => {
      const store = startStore({
        threads: session.threads,
        profile: request.profile,
        packSizes: options.packSizes,
        known: {
          find: (id) => {
            const place = index.find(id);
            return place !== undefined && mayReuse(view, place.pack) ? place : undefined;
          },
          hasPack: (pack) => index.hasPack(pack) && mayReuse(view, pack),
        },
        run,
        lastTree,
        nextTree,
        storePack,
      });
      try {
        for await (const entry of request.capture.entries) await store.add(entry);
        const stored = await store.finish();
        return { stored, facts: await request.capture.finish(stored.leftOut) };
      } finally {
        await store.close();
      }
    });
    await delivery.flush();
    storedBytes += delivery.storedBytes();
    const written = await run.step('commit', (run) =>
      commit(session, request, { stored, facts, storedBytes, view }, trustActive, run),
    );
    nextTree.keep();
    keepUse(options.stateDir, request.dataset, stored.used);
    return written;
  } catch (error) {
    nextTree.discard();
    throw error;
  } finally {
    lastTree.close();
  }
}

/**
 * Gathers finished packs and writes index deltas, so that the index can be rebuilt from the vault. Packs of a run that was
 * killed before it named them are named by the next one.
 */
function deliverIndex({ vault, keys, options, copies, index, epochs }: WriterSession, run: Run) {
  const { epoch, recipient } = epochs.current;
  let waiting: IndexedPack[] = [];
  let storedBytes = 0;

  const deltaOf = (packs: readonly IndexedPack[]) => encodeIndexDelta({ vault, packs, epoch }, keys.signingKey);

  async function store(packs: readonly IndexedPack[], delta: Uint8Array): Promise<void> {
    const object = sealSmall(delta, [recipient, keys.indexRecipient]);
    await copies.put(indexKey(keys.writer, newUlid(run.clock.now(), options.random)), object);
    index.named(packs.map(({ id }) => id));
    storedBytes += object.length;
  }

  async function flush(): Promise<void> {
    const packs = waiting;
    waiting = [];
    if (packs.length > 0) await store(packs, deltaOf(packs));
  }
  return {
    async nameLeftovers(): Promise<void> {
      for (const delta of index.unnamed()) await store(decodeIndexDelta(delta).packs, delta);
    },
    async add(pack: IndexedPack): Promise<void> {
      index.keepDelta(pack.id, deltaOf([pack]));
      waiting.push(pack);
      if (waiting.length >= PACKS_PER_DELTA) await flush();
    },
    flush,
    storedBytes: () => storedBytes,
  };
}

interface Stored {
  readonly stored: StoredBody;
  readonly facts: CaptureFacts;
  readonly storedBytes: number;
  /** By which packs were used again. */
  readonly view: GenerationView;
}

async function commit(
  session: WriterSession,
  request: RestorePointRequest,
  { stored, facts: captured, storedBytes, view }: Stored,
  trustActive: () => void,
  run: Run,
): Promise<WrittenRestorePoint> {
  const { options, keys, index, copies, vault, epochs } = session;
  const id = newUlid(run.clock.now(), options.random);
  const clock = clockProblems(session, request.timeMs);
  for (const problem of clock) run.problem(problem);
  const problems = [...captured.problems, ...stored.problems, ...clock];
  const last = readLast(index);
  const of = {
    vault,
    system: options.system,
    dataset: request.dataset,
    kind: request.kind,
    id,
    time: new Date(request.timeMs).toISOString(),
    previous: last?.sha256 ?? null,
  };
  const manifest = sealSmall(
    encodeManifest({
      ...of,
      writer: keys.publicKey,
      chunkKey: keys.chunkKey,
      sizes: stored.sizes,
      body: stored.body,
      facts: captured.facts,
      ...(captured.expectations && { expectations: captured.expectations }),
      problems,
    }),
    [epochs.current.recipient],
  );
  const manifestId = sha256Hex(manifest);
  await copies.put(manifestKey(manifestId), manifest, manifestId);
  const {
    lists,
    packs,
    storedBytes: listBytes,
  } = await storeLists(cutIntoLists(index.inOrder(stored.packs)), {
    isHeld: index.hasPack,
    isKnown: (list) => index.packSize(list) !== undefined,
    mayUse: (list) => mayReuse(view, list),
    put: async (list, bytes) => index.addList(list, bytes.length, await copies.put(listKey(list), bytes, list)),
    saltOf: (part, attempt) => listSalt(keys.chunkKey, part, attempt),
  });

  const now = await session.generation();
  trustActive();
  const used = [...stored.packs, ...lists.map(([list]) => list)];
  const withdrawn = withdrawnOf(now, used, index.hasPack);
  if (withdrawn.length > 0) throw packWithdrawn({ packs: withdrawn.length });

  const { unchanged: unchangedFiles, ...counted } = stored.sizes;
  const sizes = { ...counted, stored: storedBytes + manifest.length + listBytes };
  const record = signRecord(
    {
      format: 1,
      ...of,
      committed: new Date(run.clock.now()).toISOString(),
      tool: options.tool,
      versions: request.versions,
      sizes: publicSizes(sizes),
      lists,
      manifest: [manifestId, manifest.length],
      keys: epochs.keysOf([epochs.current.epoch, ...[...stored.packs].map((pack) => index.epochOf(pack)!)]),
      problems: countByCode(problems),
      retention: request.retention,
      generation: now.number,
      sequence: (last?.sequence ?? 0) + 1,
    },
    keys.signingKey,
  );
  const bytes = recordBytes(record);
  const key = recordKey(record);
  const sha256 = sha256Hex(bytes);
  announceRecord(index, { key, sha256, sequence: record.sequence });
  const heldBy = await copies.put(key, bytes, sha256);
  noteRecord(index, { key, sha256, sequence: record.sequence });
  const missingAt = [...copies.dropped].map(([destination, error]) => ({ destination, why: sentenceOf(error) }));
  const { expectations, facts } = captured;
  return {
    record,
    key,
    needs: { manifest: record.manifest, lists, packs, keys: record.keys },
    heldBy,
    missingAt,
    problems,
    facts,
    sizes,
    unchangedFiles,
    ...(expectations && { expectations }),
  };
}

/** The order of restore points is that of their times: a clock that goes back puts the newest behind older ones. */
function clockProblems({ index }: WriterSession, timeMs: number): Problem[] {
  const last = parseRecordKey(readLast(index)?.key ?? '');
  if (last === undefined || timeMs >= Date.parse(last.time)) return [];
  const message = `This host's clock was set back: it wrote a restore point of ${last.time} before this one.`;
  return [{ code: 'clock-set-back', message }];
}
