import { createHash, type Hash, type KeyObject } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Seen } from '../../core/entry.ts';
import { toBytes } from '../../core/paths.ts';
import { chunkId, digest } from '../chunking/chunk-id.ts';
import type { Chunker } from '../chunking/chunker.ts';
import type { ContentOutcome, FileToRead } from './messages.ts';
import { ARENA_BYTES, addChunk, emptySegment, isFull, type Segment } from './segment.ts';

/** Runs of zeros are looked for in blocks of this size, aligned in the file. */
const HOLE_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(HOLE_BYTES);
const NO_BYTES_SHA256 = digest(ZEROS.subarray(0, 0)).toString('hex');

/** Where segments come from and go to. `submit` resolves with a fresh arena when the coordinator keeps up. */
export interface SegmentFlow {
  readonly chunkKey: KeyObject;
  takeArena(): Buffer;
  giveArena(arena: Buffer): void;
  submit(segment: Segment): Promise<void>;
}

/**
 * Cuts one job's bytes into chunks and fills segments with them. Several contents follow each other; each ends with `end`.
 * `room` and `commit` let a file be read straight into the arena.
 */
export interface Filler {
  /** Where the next bytes may be put, never empty. Await `settle` first. */
  room(): Buffer;
  /** `count` bytes were put there. */
  commit(count: number): void;
  /** Cuts what can be cut and hands over a full segment. */
  settle(): Promise<void>;
  /** The content goes on behind `count` zero bytes. */
  hole(count: number): void;
  /** Ends one content; its size, digest (of a stream none) and layout. Call `begin` before the next. */
  end(): { sizeBytes: number; sha256?: string; layout: number[] };
  begin(hintBytes: number | 'stream'): void;
  /** Hands over what is left after the last content. The filler is used up. */
  flush(): Promise<void>;
}

export function filler(flow: SegmentFlow, cutter: Chunker): Filler {
  let segment = emptySegment(flow.takeArena());
  let start = 0;
  let used = 0;
  /** Of the content so far; undefined while one chunk is or will be all of it. */
  let whole: Hash | undefined;
  let single = true;
  let isStream = false;
  let onlyDigest: Buffer | undefined;
  let sizeBytes = 0;
  let layout: number[] = [];

  /** The chunk's SHA-256, which the content's own shares as far as it can: for the first chunk they are one. */
  function hashChunk(bytes: Buffer): Buffer {
    if (isStream) return digest(bytes);
    if (single) {
      onlyDigest = digest(bytes);
      return onlyDigest;
    }
    if (whole === undefined) {
      whole = createHash('sha256').update(bytes);
      return whole.copy().digest();
    }
    whole.update(bytes);
    return digest(bytes);
  }

  function cut(end: number): void {
    addChunk(segment, chunkId(flow.chunkKey, hashChunk(segment.arena.subarray(start, end))), start, end);
    if (layout.length % 2 === 0) layout.push(0);
    layout[layout.length - 1]! += 1;
    start = end;
  }

  function cutAll(): void {
    while (start < used) cut(cutter.cut(segment.arena, start, used));
  }

  async function handOver(): Promise<void> {
    const full = segment;
    const [from, to] = [start, used];
    segment = emptySegment(flow.takeArena());
    full.arena.copy(segment.arena, 0, from, to);
    start = 0;
    used = to - from;
    await flow.submit(full);
  }

  return {
    begin(hintBytes) {
      isStream = hintBytes === 'stream';
      single = hintBytes !== 'stream' && hintBytes <= cutter.sizes.minBytes;
      whole = undefined;
      onlyDigest = undefined;
      sizeBytes = 0;
      layout = [];
    },
    room: () => segment.arena.subarray(used),
    commit(count) {
      used += count;
      sizeBytes += count;
    },
    async settle() {
      while (used - start >= cutter.sizes.maxBytes) cut(cutter.cut(segment.arena, start, used));
      if (isFull(segment, used) || ARENA_BYTES - used < HOLE_BYTES) await handOver();
    },
    hole(count) {
      cutAll();
      if (layout.length === 0) layout.push(0);
      if (layout.length % 2 === 1) layout.push(0);
      layout[layout.length - 1]! += count;
      if (single) throw new Error('a file with holes needs its own hash');
      whole ??= createHash('sha256');
      for (let left = count; left > 0; left -= HOLE_BYTES)
        whole.update(left >= HOLE_BYTES ? ZEROS : ZEROS.subarray(0, left));
      sizeBytes += count;
    },
    end() {
      cutAll();
      if (isStream) return { sizeBytes, layout };
      const sha256 = whole?.digest('hex') ?? onlyDigest?.toString('hex') ?? NO_BYTES_SHA256;
      return { sizeBytes, sha256, layout };
    },
    async flush() {
      if (segment.ids.length > 0) await handOver();
      flow.giveArena(segment.arena);
    },
  };
}

/** Reads one file to the size it had when opened. What changes meanwhile is reported, never half hidden. */
export async function readFile(into: Filler, wanted: FileToRead): Promise<ContentOutcome> {
  let file: number;
  try {
    // No access time is changed where we may ask for that; a fifo put in the file's place cannot block us.
    file = openQuietly(toBytes(wanted.file));
  } catch (error) {
    return refused(error);
  }
  try {
    const before = fstatSync(file, { bigint: true });
    if (!before.isFile())
      return { ok: false, reason: 'vanished', message: 'it is not a regular file any more', layout: [] };
    const expected = Number(before.size);
    into.begin(wanted.sparse ? Number.MAX_SAFE_INTEGER : expected);
    await (wanted.sparse ? readSparse(into, file, expected) : readDense(into, file, expected));
    const content = into.end();
    const after = fstatSync(file, { bigint: true });
    const changed =
      content.sizeBytes !== expected ||
      after.size !== before.size ||
      after.mtimeNs !== before.mtimeNs ||
      after.ctimeNs !== before.ctimeNs;
    await into.settle();
    return { ok: true, ...content, changed, ...sinceListed(before, wanted.seen) };
  } catch (error) {
    // Chunks of a file that failed in the middle are left in the segment: they are true bytes, only unused.
    return refused(error, into.end().layout);
  } finally {
    closeSync(file);
  }
}

/** A name can lead to another file than a moment ago, and a file can have been closed to others before a secret came into it. */
function sinceListed(found: BigIntStats, seen: Seen | undefined) {
  if (seen === undefined || found.ctimeNs === seen.ctimeNs) return { replaced: false };
  // Some file systems number a file anew at each look: then its time tells.
  const replaced = found.birthtimeNs !== seen.bornNs || found.ino !== seen.inode;
  const { mtimeNs, uid, gid } = found;
  return { replaced, now: { mode: Number(found.mode & 0o7777n), uid: Number(uid), gid: Number(gid), mtimeNs } };
}

async function readDense(into: Filler, file: number, expected: number): Promise<void> {
  for (let left = expected; left > 0; ) {
    await into.settle();
    const room = into.room();
    const count = readSync(file, room, 0, Math.min(room.length, left), null);
    if (count === 0) return;
    into.commit(count);
    left -= count;
  }
}

async function readSparse(into: Filler, file: number, expected: number): Promise<void> {
  for (let left = expected; left > 0; ) {
    await into.settle();
    const room = into.room();
    const want = Math.min(HOLE_BYTES, left);
    let count = 0;
    while (count < want) {
      const got = readSync(file, room, count, want - count, null);
      if (got === 0) break;
      count += got;
    }
    if (count === 0) return;
    if (room.compare(ZEROS, 0, count, 0, count) === 0) into.hole(count);
    else into.commit(count);
    left -= count;
  }
}

const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW;
let quiet = constants.O_NOATIME ?? 0;

function openQuietly(path: Buffer): number {
  try {
    return openSync(path, READ | quiet);
  } catch (error) {
    if (quiet === 0 || (error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    // Only a file's owner and root may leave its access time alone.
    const file = openSync(path, READ);
    quiet = 0;
    return file;
  }
}

function refused(error: unknown, layout: readonly number[] = []): ContentOutcome {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  const vanished = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP';
  const why = message.split(',')[0]?.replace(/^.*?: /, '');
  return { ok: false, reason: vanished ? 'vanished' : 'unreadable', message: `${why} (${code})`, layout };
}
