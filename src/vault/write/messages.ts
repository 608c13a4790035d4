import type { ChunkProfile, Entry, Seen } from '../../core/entry.ts';
import type { SentError } from '../../core/errors.ts';
import type { BytePath } from '../../core/paths.ts';
import type { Toc } from '../format/toc.ts';

/**
 * What the coordinator and its worker threads say to each other. Large buffers are transferred, never copied. Workers hold
 * no decisions: the coordinator alone knows which chunks the vault has, and in which order frames go into packs.
 */
export interface StoreWorkerData {
  readonly chunkKey: Uint8Array;
  readonly recipients: readonly string[];
}

export type ToStoreWorker =
  /** Read these files one after the other; they are small enough to share segments. */
  | {
      readonly type: 'read';
      readonly job: number;
      readonly profile: ChunkProfile;
      readonly files: readonly FileToRead[];
    }
  /** The next bytes of a stream; all pieces of one job go to one worker. */
  | {
      readonly type: 'bytes';
      readonly job: number;
      readonly profile: ChunkProfile;
      readonly bytes: ArrayBuffer;
      readonly last: boolean;
    }
  /** For each chunk of the segment, in order: 1 when it must be stored, 0 when the vault has it. */
  | {
      readonly type: 'answer';
      readonly segment: number;
      readonly wanted: Uint8Array;
      /** Compress at once, without a copy for another thread. */
      readonly atOnce: boolean;
      /** Memory of earlier frames, for these. */
      readonly buffers: readonly ArrayBuffer[];
    }
  | { readonly type: 'compress'; readonly frame: number; readonly raw: ArrayBuffer; readonly sizeBytes: number }
  | {
      readonly type: 'seal';
      readonly pack: number;
      readonly frames: readonly ArrayBuffer[];
      readonly toc: Toc;
      /** Hide the exact size: for packs that are not full. */
      readonly pad: boolean;
      /** Memory of an earlier pack, for this one. */
      readonly room: ArrayBuffer | undefined;
    };

export interface FileToRead {
  readonly file: BytePath;
  readonly sparse: boolean;
  readonly seen?: Seen;
}

export type FromStoreWorker =
  /** Chunks of `job`, in order. The worker keeps the bytes until the answer. */
  | {
      readonly type: 'segment';
      readonly job: number;
      readonly segment: number;
      /** 20 bytes a chunk. */
      readonly ids: Uint8Array;
      readonly lengths: Uint32Array;
    }
  /** The files of `job` that one message named, in order, or its stream ended; their chunks were all sent in segments before. */
  | { readonly type: 'contents'; readonly job: number; readonly outcomes: readonly ContentOutcome[] }
  /** The chunks that were wanted, `count` of them, laid one after the other in the first `sizeBytes` of the buffer. */
  | {
      readonly type: 'frame';
      readonly segment: number;
      readonly count: number;
      readonly raw: ArrayBuffer;
      readonly sizeBytes: number;
    }
  /** The same, compressed already: `bytes` decompress to `sizeBytes`. */
  | {
      readonly type: 'compressed-frame';
      readonly segment: number;
      readonly count: number;
      readonly bytes: ArrayBuffer;
      readonly sizeBytes: number;
    }
  | { readonly type: 'segment-empty'; readonly segment: number }
  /** One message of reading work was taken in; with the memory that its bytes came in. */
  | { readonly type: 'read-done'; readonly piece?: ArrayBuffer }
  /** With the memory that the frame came in. */
  | { readonly type: 'compressed'; readonly frame: number; readonly bytes: ArrayBuffer; readonly raw: ArrayBuffer }
  | {
      readonly type: 'sealed';
      readonly pack: number;
      /** Lower-case hex of the SHA-256 of the object. */
      readonly id: string;
      /** The object is its first `sizeBytes`. */
      readonly object: ArrayBuffer;
      readonly sizeBytes: number;
    }
  | {
      readonly type: 'failed';
      readonly error: SentError;
    };

export type ContentOutcome =
  | {
      readonly ok: true;
      readonly sizeBytes: number;
      /** Lower-case hex; absent for a stream, which is hashed where it comes from. */
      readonly sha256?: string;
      /** Alternating: a number of chunks, then a number of zero bytes, then chunks … Holes only in sparse files. */
      readonly layout: readonly number[];
      /** The file was not the same before and after it was read. */
      readonly changed: boolean;
      /** It was another file than the one that was listed. */
      readonly replaced: boolean;
      /** What it was when it was opened, where it had changed since it was listed. */
      readonly now?: Pick<Entry, 'mode' | 'uid' | 'gid' | 'mtimeNs'>;
    }
  | {
      readonly ok: false;
      readonly reason: 'unreadable' | 'vanished';
      readonly message: string;
      /** What had been cut before it failed. */
      readonly layout: readonly number[];
    };
