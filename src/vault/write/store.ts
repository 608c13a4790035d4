import { createHash, type Hash } from 'node:crypto';
import type { ChunkProfile, Entry, FileEntry, HardlinkEntry, StoredEntry } from '../../core/entry.ts';
import { type BytePath, comparePaths, showPath } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { CHUNK_ID_BYTES } from '../chunking/chunk-id.ts';
import { entriesOutOfOrder } from '../errors.ts';
import { encodeEntry } from '../format/entries.ts';
import type { BodyExtent, Extent } from '../format/manifest.ts';
import { asOpened, startApart } from './apart.ts';
import { bodyText } from './body-text.ts';
import type { ContentOutcome, FileToRead } from './messages.ts';
import type { PackKind, PackSizes } from './packing.ts';
import { piecesOf } from './pieces.ts';
import { type PackHandle, type PendingContent, type Place, pendingContent, resolve } from './places.ts';
import { PIECE_BYTES, type SealedPack, type StoreThreads, startPool, type Wanted } from './pool.ts';
import type { TreeCacheReader, TreeCacheWriter } from './tree-cache.ts';

const MiB = 1024 * 1024;
/** Files up to this size share a reading job. */
const SMALL_FILE_BYTES = 4 * MiB;
const BATCH_FILES = 256;
const BATCH_BYTES = 8 * MiB;
/** Bytes of a stream that may be with a worker without being cut. */
const MAX_STREAM_LEAD_BYTES = 16 * MiB;
/** Entries that wait for the pack of an earlier one; past it that pack is closed early, so that memory stays bounded. */
const MAX_WAITING_ENTRIES = 10_000;

/** What the store needs to know of the vault. */
export interface KnownChunks {
  /** Where a chunk lies in a pack that may be used again. */
  find(id: Uint8Array): { pack: string; offset: number; length: number } | undefined;
  /** Whether a pack may be used again. */
  hasPack(pack: string): boolean;
}

export interface StoreOptions {
  readonly threads: StoreThreads;
  readonly profile: ChunkProfile;
  readonly packSizes: PackSizes;
  readonly known: KnownChunks;
  readonly run: Run;
  readonly lastTree: TreeCacheReader;
  readonly nextTree: TreeCacheWriter;
  /** Stores a pack everywhere and remembers it. Rejects when no destination took it. */
  storePack(pack: SealedPack): Promise<void>;
}

/** What is in the vault once everything was stored. */
export interface StoredBody {
  readonly body: { readonly sizeBytes: number; readonly sha256: string; readonly extents: readonly BodyExtent[] };
  /** Every pack that the entries and the body lie in. */
  readonly packs: ReadonlySet<string>;
  /** Raw bytes of each that they use. */
  readonly used: ReadonlyMap<string, number>;
  readonly problems: readonly Problem[];
  /** Files and hard links that were announced and could not be read. */
  readonly leftOut: readonly BytePath[];
  readonly sizes: {
    readonly logical: number;
    readonly added: number;
    readonly entries: number;
    readonly unchanged: number;
  };
}

interface Waiting {
  entry: Entry;
  readonly content: PendingContent | undefined;
  /** The file could not be read: it is left out. */
  dropped: boolean;
  changed: boolean;
}

interface Job {
  readonly kind: PackKind;
  readonly contents: Waiting[];
  /** The body's own content has no entry. */
  readonly body: PendingContent | undefined;
  next: number;
  places: Place[];
  cutBytes: number;
  /** Of a stream, whose pieces all come through here: whoever cuts it has enough to do. */
  readonly whole: Hash | undefined;
}

/**
 * Takes entries in order and stores their contents: unchanged files by reference, others through the worker pool. The list
 * of entries is itself written as content, the body. Call `add` for each entry and `finish` once; `close` always.
 */
export function startStore(options: StoreOptions) {
  const { known, run, lastTree, nextTree } = options;
  const jobs = new Map<number, Job>();
  const claims = new Map<string, Place>();
  const packHandles = new Map<string, PackHandle>();
  const used = new Map<string, number>();
  const use = (extents: readonly Extent[]) => {
    for (const { pack, length } of extents) if (pack !== null) used.set(pack, (used.get(pack) ?? 0) + length);
  };
  const waiting: Waiting[] = [];
  const problems: Problem[] = [];
  const leftOut = new Set<BytePath>();
  const apart = startApart();
  let batch: { files: FileToRead[]; contents: Waiting[]; bytes: number } = { files: [], contents: [], bytes: 0 };
  let nextJob = 0;
  let lastPath: string | undefined;
  const sizes = { logical: 0, added: 0, entries: 0, unchanged: 0 };
  const text = bodyText();
  let bodyJob = -1;

  const pool = startPool(options.threads, options.packSizes, {
    segment: (job, ids, lengths) => decide(jobs.get(job)!, ids, lengths),
    contents: ({ job, outcomes }) => {
      for (const outcome of outcomes) take(job, outcome);
      drain();
    },
    async sealed(pack) {
      drain();
      await options.storePack(pack);
      for (const id of pack.pack.ids) claims.delete(keyOf(id));
    },
  });
  const onAbort = () => pool.fail(run.signal.reason);
  run.signal.addEventListener('abort', onAbort, { once: true });

  function decide(job: Job, ids: Uint8Array, lengths: Uint32Array): Wanted {
    const flags = new Uint8Array(lengths.length);
    const wanted: Wanted = { flags, kind: job.kind, ids: [], places: [] };
    for (let index = 0; index < lengths.length; index++) {
      const id = ids.subarray(index * CHUNK_ID_BYTES, (index + 1) * CHUNK_ID_BYTES);
      const length = lengths[index]!;
      job.cutBytes += length;
      const key = keyOf(id);
      let place = claims.get(key) ?? placeOf(known.find(id), length);
      if (place === undefined) {
        place = { pack: undefined, offset: 0, length };
        claims.set(key, place);
        flags[index] = 1;
        wanted.ids.push(id);
        wanted.places.push(place);
        if (job.kind === 'data') sizes.added += length;
      }
      job.places.push(place);
      job.body?.firsts?.push(text.firstIn(length));
    }
    hand(job);
    return wanted;
  }

  function placeOf(found: ReturnType<KnownChunks['find']>, length: number): Place | undefined {
    // A known id with another length is a damaged index: the chunk is sent again, never guessed.
    if (found === undefined || found.length !== length) return undefined;
    let handle = packHandles.get(found.pack);
    if (handle === undefined) {
      handle = { id: found.pack };
      packHandles.set(found.pack, handle);
    }
    return { pack: handle, offset: found.offset, length };
  }

  /** A stream's places go to its content while it grows, so that they can be resolved early. */
  function hand(job: Job): void {
    const growing = job.body ?? (job.contents.length === 1 ? job.contents[0]!.content : undefined);
    if (growing === undefined) return;
    for (const place of job.places) growing.places.push(place);
    job.places = [];
    if (growing.places.length > 4096) resolve(growing);
  }

  function take(number: number, outcome: ContentOutcome): void {
    const job = jobs.get(number)!;
    const sha256 = job.whole?.digest('hex') ?? (outcome.ok ? outcome.sha256 : undefined) ?? '';
    if (job.body !== undefined) {
      if (outcome.ok) Object.assign(job.body, { sizeBytes: outcome.sizeBytes, sha256, layout: outcome.layout });
      jobs.delete(number);
      return;
    }
    const item = job.contents[job.next++]!;
    const content = item.content!;
    if (job.contents.length > 1) {
      const count = outcome.layout.reduce((sum, amount, index) => (index % 2 === 0 ? sum + amount : sum), 0);
      content.places = job.places.splice(0, count);
    }
    if (job.next === job.contents.length) jobs.delete(number);
    content.layout = outcome.ok ? outcome.layout : [];
    apart.note(item.entry, outcome);
    if (outcome.ok) {
      const lacks = outcome.replaced && item.entry.xattrs !== undefined ? ', and has lost its attributes' : '';
      item.entry = asOpened(item.entry, outcome);
      content.sizeBytes = outcome.sizeBytes;
      content.sha256 = sha256;
      item.changed = outcome.changed;
      if (outcome.changed || lacks !== '')
        problem('file-changed', `${showPath(item.entry.path)} changed while it was read${lacks}.`);
    } else {
      item.dropped = true;
      leftOut.add(item.entry.path);
      if (outcome.reason === 'unreadable') {
        problem('file-unreadable', `${showPath(item.entry.path)} was not backed up: ${outcome.message}.`);
      }
    }
  }

  function problem(code: string, message: string): void {
    problems.push({ code, message });
    run.problem({ code, message });
  }

  /** Writes the lines of entries whose contents have their places, in order. */
  function drain(): void {
    let done = 0;
    for (; done < waiting.length; done++) {
      const { entry, content, dropped, changed } = waiting[done]!;
      if (dropped) continue;
      if (content === undefined) {
        const own = apart.fileOf(entry);
        if (own !== undefined) waiting[done] = readNow(own);
        if (own !== undefined) break;
        if (entry.type === 'hardlink' && leftOut.has(entry.target)) leaveOutLink(entry);
        else emit(entry as StoredEntry, []);
        continue;
      }
      if (content.layout === undefined || !resolve(content)) break;
      emitFile(entry as FileEntry, content, changed);
    }
    if (done > 0) waiting.splice(0, done);
  }

  /** One that is needed while everything behind it waits. */
  function readNow(entry: FileEntry & { content: { from: 'file' } }): Waiting {
    const item = { entry, content: pendingContent(false), dropped: false, changed: false };
    const { file, seen } = entry.content;
    const files = [{ file, sparse: false, ...(seen && { seen }) }];
    pool.read({ type: 'read', job: newJob('data', [item]), profile: options.profile, files }, entry.sizeBytes ?? 0);
    return item;
  }

  /** Until no more than `most` entries wait. What is read meanwhile lies in a pack that must be closed as well. */
  async function settle(most: number): Promise<void> {
    do {
      // Not a moment earlier: a frame that came after the flush would wait in an open pack for ever.
      await pool.until(() => pool.load.idle);
      pool.flush('data');
      drain();
      const { reads } = apart;
      await pool.until(() => waiting.length <= most || apart.reads > reads);
    } while (waiting.length > most);
  }

  /** A name for a content that is not there would make the whole restore fail. */
  function leaveOutLink(entry: HardlinkEntry): void {
    leftOut.add(entry.path);
    const why = `its other name ${showPath(entry.target)} could not be read`;
    problem('file-unreadable', `${showPath(entry.path)} was not backed up: ${why}.`);
  }

  function emitFile(
    entry: FileEntry,
    { sizeBytes, sha256, extents }: Pick<PendingContent, 'sizeBytes' | 'sha256' | 'extents'>,
    changed: boolean,
  ) {
    const { content, sizeBytes: _announced, ...metadata } = entry;
    emit({ ...metadata, sizeBytes, sha256 }, extents);
    sizes.logical += sizeBytes;
    if (content.from === 'file' && content.fingerprint !== undefined && !changed) {
      nextTree.add({ path: entry.path, fingerprint: content.fingerprint, sizeBytes, sha256, extents });
    }
  }

  function emit(entry: StoredEntry, extents: readonly Extent[]): void {
    use(extents);
    text.add(entry.path, encodeEntry(entry, extents));
    sizes.entries++;
    if (text.waitingBytes >= PIECE_BYTES) sendBody(false);
    if (sizes.entries % 512 === 0)
      run.progress({ label: 'entries', doneItems: sizes.entries, doneBytes: sizes.logical });
  }

  function sendBody(last: boolean): void {
    if (bodyJob < 0) bodyJob = newStream('meta', [], { ...pendingContent(), firsts: [] });
    sendPiece(bodyJob, 'entries', text.take(), last);
  }

  function sendPiece(job: number, profile: ChunkProfile, bytes: ArrayBuffer, last: boolean): void {
    jobs.get(job)!.whole!.update(new Uint8Array(bytes));
    pool.read({ type: 'bytes', job, profile, bytes, last }, bytes.byteLength);
  }

  function newJob(kind: PackKind, contents: Waiting[]): number {
    return begin({ kind, contents, body: undefined, whole: undefined });
  }

  function newStream(kind: PackKind, contents: Waiting[], body?: PendingContent): number {
    return begin({ kind, contents, body, whole: createHash('sha256') });
  }

  function begin(job: Pick<Job, 'kind' | 'contents' | 'body' | 'whole'>): number {
    jobs.set(nextJob, { ...job, next: 0, places: [], cutBytes: 0 });
    return nextJob++;
  }

  function sendBatch(): void {
    if (batch.files.length === 0) return;
    const job = newJob('data', batch.contents);
    pool.read({ type: 'read', job, profile: options.profile, files: batch.files }, batch.bytes);
    batch = { files: [], contents: [], bytes: 0 };
  }

  async function addStream(item: Waiting, stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const job = newStream('data', [item]);
    const state = jobs.get(job)!;
    let sent = 0;
    for await (const { bytes, last } of piecesOf(stream, pool.takePiece)) {
      run.signal.throwIfAborted();
      sent += bytes.byteLength;
      sendPiece(job, options.profile, bytes, last);
      run.progress({ label: showPath(item.entry.path), doneBytes: sent });
      await pool.until(() => last || sent - state.cutBytes <= MAX_STREAM_LEAD_BYTES);
    }
  }

  function addFile(item: Waiting, entry: FileEntry & { content: { from: 'file' } }): void {
    const sizeBytes = entry.sizeBytes ?? 0;
    const { file: path, seen } = entry.content;
    const file: FileToRead = { file: path, sparse: entry.sparse === true, ...(seen && { seen }) };
    if (sizeBytes > SMALL_FILE_BYTES) {
      pool.read({ type: 'read', job: newJob('data', [item]), profile: options.profile, files: [file] }, sizeBytes);
      return;
    }
    batch.files.push(file);
    batch.contents.push(item);
    batch.bytes += sizeBytes;
    if (batch.files.length >= BATCH_FILES || batch.bytes >= BATCH_BYTES) sendBatch();
  }

  function takeOver(entry: FileEntry): boolean {
    if (entry.content.from !== 'file' || entry.content.fingerprint === undefined) return false;
    const last = lastTree.find(entry.path);
    if (last === undefined || last.fingerprint !== entry.content.fingerprint) return false;
    if (!last.extents.every(({ pack }) => pack === null || known.hasPack(pack))) return false;
    const content: PendingContent = { ...last, holes: false, places: [], layout: [], extents: [...last.extents] };
    waiting.push({ entry, content, dropped: false, changed: false });
    sizes.unchanged++;
    return true;
  }

  return {
    /** Resolves when the next entry may come. */
    async add(entry: Entry): Promise<void> {
      if (lastPath !== undefined && comparePaths(lastPath, entry.path) >= 0) {
        throw entriesOutOfOrder({ first: showPath(lastPath), second: showPath(entry.path) });
      }
      lastPath = entry.path;
      if (entry.type !== 'file') {
        waiting.push({ entry, content: undefined, dropped: false, changed: false });
      } else if (!takeOver(entry)) {
        const item: Waiting = { entry, content: pendingContent(entry.sparse), dropped: false, changed: false };
        waiting.push(item);
        const { content } = entry;
        if (content.from === 'file') addFile(item, { ...entry, content });
        else await addStream(item, content.from === 'stream' ? content.stream() : [content.bytes]);
      }
      if (waiting.length === 1 || waiting.length % 256 === 0) drain();
      if (waiting.length > MAX_WAITING_ENTRIES) {
        sendBatch();
        await settle(MAX_WAITING_ENTRIES / 2);
      }
      if (pool.load.queuedReads > 2) await pool.until(() => pool.load.queuedReads <= 2);
    },

    async finish(): Promise<StoredBody> {
      sendBatch();
      await settle(0);
      sendBody(true);
      const body = jobs.get(bodyJob)!.body!;
      await pool.until(() => pool.load.idle);
      pool.flush('meta');
      await pool.until(() => pool.load.idle);
      if (!resolve(body)) throw new Error('the body was not stored whole');
      use(body.extents);
      const { sizeBytes, sha256 } = body;
      // Text has no holes.
      const extents = body.extents as BodyExtent[];
      const packs = new Set(used.keys());
      return { body: { sizeBytes, sha256, extents }, packs, used, problems, leftOut: [...leftOut], sizes };
    },

    async close(): Promise<void> {
      run.signal.removeEventListener('abort', onAbort);
      await pool.close();
    },
  };
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1');
}
