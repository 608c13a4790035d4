import { setImmediate as nextTurn } from 'node:timers/promises';
import { sentError } from '../../core/errors.ts';
import { chunkKeyObject } from '../chunking/chunk-id.ts';
import { memoryUnsound } from '../errors.ts';
import { release } from '../release.ts';
import type { Send } from '../threads.ts';
import { compress, decompress } from '../zstd.ts';
import { buffersOf } from './buffers.ts';
import type { FromStoreWorker, StoreWorkerData, ToStoreWorker } from './messages.ts';
import { type Filler, filler, readFile, type SegmentFlow } from './read-files.ts';
import { sealPack } from './seal.ts';
import { ARENA_BYTES, chunkers, copyFrame, FRAME_BYTES, frameInPlace, framesOf, type Segment } from './segment.ts';

/** Segments that a worker may have out for an answer: one is filled while others are asked about. */
const MAX_WAITING = 2;
const MAX_FRAME_BUFFERS = 8;

type Message<Type extends ToStoreWorker['type']> = Extract<ToStoreWorker, { type: Type }>;

/** Reads, cuts, compresses and seals what it is told to, and says what came of it. In a thread of its own, or in its owner's. */
export function storeWork(data: StoreWorkerData, send: Send<FromStoreWorker>): (message: ToStoreWorker) => void {
  const segments = segmentsOut(data, send);
  const read = reader(data, segments, send);
  const fail = (error: unknown) => send({ type: 'failed', error: sentError(error) });
  let reading: Promise<void> = Promise.resolve();
  return (message) => {
    try {
      if (message.type === 'answer') segments.answer(message);
      else if (message.type === 'compress') compressFrame(message, send);
      else if (message.type === 'seal') seal(message, data, send);
      // One content after the other: a filler's order is the content's order.
      else reading = reading.then(() => read(message)).catch(fail);
    } catch (error) {
      fail(error);
    }
  };
}

/** What was cut and waits for an answer, and the memory that goes round. */
function segmentsOut(data: StoreWorkerData, send: Send<FromStoreWorker>) {
  const chunkKey = chunkKeyObject(data.chunkKey);
  const waiting = new Map<number, Segment>();
  const arenas: Buffer[] = [];
  const frameBuffers = buffersOf(FRAME_BYTES, MAX_FRAME_BUFFERS);
  let nextSegment = 0;
  let wake: (() => void) | undefined;

  function takeFrameBuffer(sizeBytes: number): ArrayBuffer {
    return sizeBytes > FRAME_BYTES ? new ArrayBuffer(sizeBytes) : frameBuffers.take();
  }

  function giveArena(arena: Buffer): void {
    if (arenas.length <= MAX_WAITING) arenas.push(arena);
  }

  return {
    flowOf: (job: number): SegmentFlow => ({
      chunkKey,
      takeArena: () => arenas.pop() ?? Buffer.allocUnsafeSlow(ARENA_BYTES),
      giveArena,
      async submit(segment) {
        const number = nextSegment++;
        waiting.set(number, segment);
        const ids = new Uint8Array(Buffer.concat(segment.ids));
        const lengths = Uint32Array.from(segment.lengths);
        send({ type: 'segment', job, segment: number, ids, lengths }, [ids.buffer, lengths.buffer]);
        // Frames to compress come in between, also when nothing holds the reading up.
        await nextTurn();
        while (waiting.size >= MAX_WAITING) await new Promise<void>((resolve) => (wake = resolve));
      },
    }),
    answer({ segment: number, wanted, atOnce, buffers }: Message<'answer'>): void {
      const segment = waiting.get(number);
      if (segment === undefined) throw new Error(`no segment ${number}`);
      for (const buffer of buffers) frameBuffers.give(buffer);
      let any = false;
      for (const frame of framesOf(segment, wanted)) {
        any = true;
        const { count, sizeBytes } = frame;
        const inPlace = atOnce ? frameInPlace(segment, frame, wanted) : undefined;
        const raw = inPlace === undefined ? takeFrameBuffer(sizeBytes) : undefined;
        if (raw !== undefined) copyFrame(segment, frame, wanted, new Uint8Array(raw));
        if (atOnce) {
          const bytes = compressed(inPlace ?? new Uint8Array(raw!, 0, sizeBytes));
          if (raw !== undefined) frameBuffers.give(raw);
          send({ type: 'compressed-frame', segment: number, count, bytes, sizeBytes }, [bytes]);
        } else {
          send({ type: 'frame', segment: number, count, raw: raw!, sizeBytes }, [raw!]);
        }
      }
      if (!any) send({ type: 'segment-empty', segment: number });
      waiting.delete(number);
      giveArena(segment.arena);
      wake?.();
    },
  };
}

type SegmentsOut = ReturnType<typeof segmentsOut>;

function reader(data: StoreWorkerData, { flowOf }: SegmentsOut, send: Send<FromStoreWorker>) {
  const chunkerOf = chunkers(data.chunkKey);
  const streams = new Map<number, Filler>();

  async function takeBytes(message: Message<'bytes'>): Promise<void> {
    let stream = streams.get(message.job);
    if (stream === undefined) {
      stream = filler(flowOf(message.job), chunkerOf(message.profile));
      stream.begin('stream');
      streams.set(message.job, stream);
    }
    const bytes = Buffer.from(message.bytes);
    for (let taken = 0; taken < bytes.length; ) {
      await stream.settle();
      const count = bytes.copy(stream.room(), 0, taken);
      stream.commit(count);
      taken += count;
    }
    if (!message.last) return;
    streams.delete(message.job);
    const content = stream.end();
    await stream.flush();
    const outcome = { ok: true as const, ...content, changed: false, replaced: false };
    send({ type: 'contents', job: message.job, outcomes: [outcome] });
  }

  async function readAll(message: Message<'read'>): Promise<void> {
    const into = filler(flowOf(message.job), chunkerOf(message.profile));
    const outcomes = [];
    for (const file of message.files) outcomes.push(await readFile(into, file));
    await into.flush();
    send({ type: 'contents', job: message.job, outcomes });
  }

  return async (message: Message<'read' | 'bytes'>): Promise<void> => {
    if (message.type === 'read') {
      await readAll(message);
      return send({ type: 'read-done' });
    }
    await takeBytes(message);
    send({ type: 'read-done', piece: message.bytes }, [message.bytes]);
  };
}

function compressFrame(message: Message<'compress'>, send: Send<FromStoreWorker>): void {
  const { frame, raw, sizeBytes } = message;
  const bytes = compressed(new Uint8Array(raw, 0, sizeBytes));
  send({ type: 'compressed', frame, bytes, raw }, [bytes, raw]);
}

/** A zstd frame that was seen to give `raw` back. */
function compressed(raw: Uint8Array): ArrayBuffer {
  const frame = compress(raw);
  const back = decompress(frame, raw.length);
  if (Buffer.compare(back, raw) !== 0) throw memoryUnsound({ stage: 'compressed' });
  release(back);
  const bytes = exactly(frame);
  release(frame);
  return bytes;
}

function seal(message: Message<'seal'>, { recipients }: StoreWorkerData, send: Send<FromStoreWorker>) {
  const frames = message.frames.map((frame) => new Uint8Array(frame));
  const { id, object } = sealPack(frames, message.toc, message.pad, recipients, message.room);
  const { buffer, length: sizeBytes } = object;
  send({ type: 'sealed', pack: message.pack, id, object: buffer, sizeBytes }, [buffer]);
}

/** The bytes in a buffer of their own size, which can be transferred. */
function exactly(bytes: Buffer): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
}
