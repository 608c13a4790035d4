import { availableParallelism } from 'node:os';
import { receivedError, type SentError } from '../../core/errors.ts';
import { storeFailed } from '../errors.ts';
import type { Toc } from '../format/toc.ts';
import { release } from '../release.ts';
import type { Thread, ThreadShelf } from '../threads.ts';
import { buffersOf } from './buffers.ts';
import type { FromStoreWorker, ToStoreWorker } from './messages.ts';
import {
  appendFrame,
  type Frame,
  isFullPack,
  type OpenPack,
  openPack,
  type PackKind,
  type PackSizes,
  tocOf,
} from './packing.ts';
import { FRAME_BYTES } from './segment.ts';

const MiB = 1024 * 1024;
/** Raw bytes asked of workers and not compressed yet. */
const MAX_RAW_BYTES = 12 * MiB;
/** Sealed packs whose upload has not ended: a distant place takes several at once, and where it is near one or two are under way. */
const MAX_UPLOAD_BYTES = 96 * MiB;
/** Memory that is kept for what comes next: of packs, of frames, of pieces of streams. */
const MAX_ROOMS = 3;
const MAX_FRAME_BUFFERS = 12;
const MAX_PIECES = 18;
/** What a stream is sent in. */
export const PIECE_BYTES = MiB;
const MAX_READS = 2;
const MAX_COMPRESSING = 2;
/** In pieces of work that somebody else has: a thread is worth its start when the others have so much more to do. */
const START_COST = 2;
/** Raw bytes that a store works on without a thread: a thread's start costs more, and this one is held up for a moment only. */
const MAX_HERE_BYTES = MiB;
/** Smaller objects are cheap to make room for. */
const MIN_ROOM_BYTES = 8 * MiB;

export interface SealedPack {
  readonly kind: PackKind;
  readonly id: string;
  readonly object: Uint8Array;
  readonly pack: OpenPack;
  readonly toc: Toc;
  /** The object's memory may be written over from now on. */
  giveBack(): void;
}

/** What the pool asks of its owner. */
export interface PoolOwner {
  /** New chunks: decides which are wanted (in order) and gives their frames' identity. */
  segment(job: number, ids: Uint8Array, lengths: Uint32Array): Wanted;
  contents(message: Extract<FromStoreWorker, { type: 'contents' }>): void;
  /** Stores a finished pack; the pool waits for it before it makes many more. */
  sealed(pack: SealedPack): Promise<void>;
}

export interface Wanted {
  readonly flags: Uint8Array;
  readonly kind: PackKind;
  readonly ids: Uint8Array[];
  readonly places: Frame['places'];
}

export interface Pool {
  /** Sends reading work of about so many bytes; work of one `job` stays on one worker, in order. */
  read(message: Reading, sizeBytes: number): void;
  /** Memory for the next piece of a stream. */
  takePiece(): ArrayBuffer;
  /** Seals what is in the open pack of this kind, full or not. */
  flush(kind: PackKind): void;
  /** Resolves when `condition` holds; looked at again whenever anything happened. Rejects when the pool failed. */
  until(condition: () => boolean): Promise<void>;
  wakeUp(): void;
  /** Reading work that was not begun, and whether frames or packs are under way. */
  readonly load: { queuedReads: number; idle: boolean };
  fail(error: unknown): void;
  /** Threads that have nothing left to do go back on the shelf. */
  close(): Promise<void>;
}

type Reading = Extract<ToStoreWorker, { type: 'read' | 'bytes' }>;

export type StoreThreads = ThreadShelf<ToStoreWorker, FromStoreWorker>;

interface Member {
  /** From its first work on. */
  thread: Thread<ToStoreWorker, FromStoreWorker> | undefined;
  reads: number;
  compressing: number;
  sealing: number;
  /** Answered, and not all of what is wanted of them came. */
  readonly segments: Map<number, { wanted: Wanted; next: number }>;
}

const newMember = (): Member => ({ thread: undefined, reads: 0, compressing: 0, sealing: 0, segments: new Map() });

/**
 * Worker threads and what is between them. A small dataset is stored without any. Frames are compressed by whoever is free, in packs in the order they come back;
 * everything in flight is bounded: by bytes asked for, by packs not yet stored.
 */
export function startPool(threads: StoreThreads, packSizes: PackSizes, owner: PoolOwner): Pool {
  const here = newMember();
  const members = Array.from({ length: Math.max(1, Math.min(availableParallelism(), 8)) }, newMember);
  const reads: { message: Reading; sizeBytes: number }[] = [];
  const homes = new Map<number, Member>();
  const answers: { member: Member; segment: number; wanted: Wanted; rawBytes: number }[] = [];
  const frames: { frame: Frame; raw: ArrayBuffer }[] = [];
  const compressing = new Map<number, Frame>();
  const sealing = new Map<number, { pack: OpenPack; toc: Toc }>();
  const toSeal: { pack: OpenPack; pad: boolean }[] = [];
  // Fresh memory for every pack would cost page faults, and its weight set the collector off again and again.
  const rooms: ArrayBuffer[] = [];
  const frameBuffers = buffersOf(FRAME_BYTES, MAX_FRAME_BUFFERS);
  const pieces = buffersOf(PIECE_BYTES, MAX_PIECES);
  const open: Record<PackKind, OpenPack> = { data: openPack('data'), meta: openPack('meta') };
  let hereBytes = 0;
  let rawBytes = 0;
  let uploadBytes = 0;
  let nextNumber = 0;
  let failure: unknown;
  let waiters: { condition: () => boolean; resolve: () => void; reject: (error: unknown) => void }[] = [];

  function start(member: Member): Thread<ToStoreWorker, FromStoreWorker> {
    const thread = member === here ? threads.here() : threads.take();
    thread.listen((message) => guarded(() => take(member, message)), fail);
    return thread;
  }

  function guarded(work: () => void): void {
    if (failure !== undefined) return;
    try {
      work();
      dispatch();
      wakeUp();
    } catch (error) {
      fail(error);
    }
  }

  function take(member: Member, message: FromStoreWorker): void {
    switch (message.type) {
      case 'segment': {
        const wanted = owner.segment(message.job, message.ids, message.lengths);
        const bytes = wanted.places.reduce((sum, place) => sum + place.length, 0);
        answers.push({ member, segment: message.segment, wanted, rawBytes: bytes });
        return;
      }
      case 'frame':
        frames.push({ frame: frameOf(member, message), raw: message.raw });
        return;
      case 'compressed-frame':
        takeCompressed(frameOf(member, message), message.bytes);
        return;
      case 'segment-empty':
        member.segments.delete(message.segment);
        return;
      case 'contents':
        owner.contents(message);
        return;
      case 'compressed': {
        member.compressing--;
        const frame = compressing.get(message.frame)!;
        compressing.delete(message.frame);
        frameBuffers.give(message.raw);
        takeCompressed(frame, message.bytes);
        return;
      }
      case 'sealed': {
        member.sealing--;
        const { pack, toc } = sealing.get(message.pack)!;
        sealing.delete(message.pack);
        pack.handle.id = message.id;
        const { id, sizeBytes, object: room } = message;
        uploadBytes += sizeBytes;
        const object = new Uint8Array(room, 0, sizeBytes);
        const isWanted = pack.compressedBytes >= MIN_ROOM_BYTES && rooms.length < MAX_ROOMS;
        const giveBack = () => void (isWanted ? rooms.push(room) : release(object));
        owner
          .sealed({ kind: pack.kind, id, object, pack, toc, giveBack })
          .then(() => guarded(() => uploaded(sizeBytes)), fail);
        return;
      }
      case 'read-done':
        member.reads--;
        if (message.piece !== undefined) pieces.give(message.piece);
        return;
      case 'failed':
        throw errorOf(message.error);
    }
  }

  /** The next `count` wanted chunks of a segment. */
  function frameOf(
    member: Member,
    { segment, count, sizeBytes }: { segment: number; count: number; sizeBytes: number },
  ): Frame {
    const answered = member.segments.get(segment)!;
    const { wanted, next } = answered;
    const to = next + count;
    answered.next = to;
    if (to === wanted.places.length) member.segments.delete(segment);
    return {
      kind: wanted.kind,
      ids: wanted.ids.slice(next, to),
      places: wanted.places.slice(next, to),
      rawBytes: sizeBytes,
    };
  }

  function takeCompressed(frame: Frame, bytes: ArrayBuffer): void {
    rawBytes -= frame.rawBytes;
    appendFrame(open[frame.kind], frame, bytes);
    if (isFullPack(open[frame.kind], packSizes)) queueSeal(frame.kind, false);
  }

  function uploaded(sizeBytes: number): void {
    uploadBytes -= sizeBytes;
  }

  function queueSeal(kind: PackKind, pad: boolean): void {
    if (open[kind].frames.length === 0) return;
    toSeal.push({ pack: open[kind], pad });
    open[kind] = openPack(kind);
  }

  function dispatch(): void {
    while (toSeal.length > 0 && sealing.size === 0 && uploadBytes < MAX_UPLOAD_BYTES) {
      const { pack, pad } = toSeal.shift()!;
      const number = nextNumber++;
      const toc = tocOf(pack);
      sealing.set(number, { pack, toc });
      const member = hasThreads() ? leastBusy() : here;
      member.sealing++;
      const packFrames = pack.frames.splice(0);
      const room = pack.compressedBytes < MIN_ROOM_BYTES ? undefined : rooms.pop();
      const given = room === undefined ? packFrames : [...packFrames, room];
      post(member, { type: 'seal', pack: number, frames: packFrames, toc, pad, room }, given);
    }
    while (frames.length > 0 && toSeal.length === 0) {
      const member = leastBusy();
      if (member.compressing >= MAX_COMPRESSING) break;
      const { frame, raw } = frames.shift()!;
      const number = nextNumber++;
      compressing.set(number, frame);
      member.compressing++;
      post(member, { type: 'compress', frame: number, raw, sizeBytes: frame.rawBytes }, [raw]);
    }
    while (
      answers.length > 0 &&
      toSeal.length === 0 &&
      (rawBytes === 0 || rawBytes + answers[0]!.rawBytes <= MAX_RAW_BYTES)
    ) {
      const { member, segment, wanted, rawBytes: bytes } = answers.shift()!;
      rawBytes += bytes;
      member.segments.set(segment, { wanted, next: 0 });
      // While every thread has something to read, each compresses what it read; one that has nothing gets others' frames.
      const atOnce = member === here || members.every(({ reads }) => reads > 0);
      const buffers = atOnce ? [] : frameBuffers.takeHeld(Math.ceil(bytes / FRAME_BYTES));
      post(member, { type: 'answer', segment, wanted: wanted.flags, atOnce, buffers }, buffers);
    }
    for (let index = 0; index < reads.length; ) {
      const { message, sizeBytes } = reads[index]!;
      const member = homes.get(message.job) ?? (isForHere(message, sizeBytes) ? here : least(({ reads }) => reads));
      if (message.type === 'read' && member.reads >= MAX_READS) break;
      homes.set(message.job, member);
      reads.splice(index, 1);
      member.reads++;
      if (member === here) hereBytes += sizeBytes;
      post(member, message, message.type === 'bytes' ? [message.bytes] : []);
      if (message.type === 'read' || message.last) homes.delete(message.job);
    }
  }

  const hasThreads = () => members.some(({ thread }) => thread !== undefined);

  /** A whole job, before any thread was started. */
  function isForHere(message: Reading, sizeBytes: number): boolean {
    const isWhole = message.type === 'read' || message.last;
    return isWhole && !hasThreads() && hereBytes + sizeBytes <= MAX_HERE_BYTES;
  }

  function leastBusy(): Member {
    return least(({ compressing, sealing, reads }) => compressing + 3 * sealing + reads);
  }

  function least(work: (member: Member) => number): Member {
    const cost = (member: Member) => work(member) + (member.thread === undefined ? START_COST : 0);
    return members.reduce((best, member) => (cost(member) < cost(best) ? member : best));
  }

  function post(member: Member, message: ToStoreWorker, transfer: ArrayBuffer[] = []): void {
    member.thread ??= start(member);
    member.thread.post(message, transfer);
  }

  function wakeUp(): void {
    const ready = waiters.filter(({ condition }) => condition());
    if (ready.length === 0) return;
    waiters = waiters.filter((waiter) => !ready.includes(waiter));
    for (const { resolve } of ready) resolve();
  }

  function fail(error: unknown): void {
    failure ??= error ?? new Error('the store failed');
    for (const { reject } of waiters) reject(failure);
    waiters = [];
  }

  function isIdle(): boolean {
    return (
      reads.length + answers.length + frames.length + compressing.size + toSeal.length + sealing.size + uploadBytes ===
        0 && [here, ...members].every((member) => member.reads === 0 && member.segments.size === 0)
    );
  }

  return {
    read(message, sizeBytes) {
      reads.push({ message, sizeBytes });
      guarded(() => {});
    },
    takePiece: pieces.take,
    flush: (kind) => guarded(() => queueSeal(kind, true)),
    until(condition) {
      if (failure !== undefined) return Promise.reject(failure);
      if (condition()) return Promise.resolve();
      return new Promise((resolve, reject) => waiters.push({ condition, resolve, reject }));
    },
    wakeUp,
    load: {
      get queuedReads() {
        return reads.length;
      },
      get idle() {
        return isIdle();
      },
    },
    fail,
    async close() {
      // A thread that still has work would bring it into the next pool.
      const clean = failure === undefined && isIdle();
      await here.thread?.end();
      await Promise.all(members.map(({ thread }) => thread && (clean ? threads.put(thread) : thread.end())));
    },
  };
}

function errorOf(sent: SentError): Error {
  const error = receivedError(sent);
  return sent.ours === undefined ? storeFailed({ why: sent.message }, { cause: error }) : error;
}
