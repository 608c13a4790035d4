import type { SentError } from '../../core/errors.ts';
import type { BytePath } from '../../core/paths.ts';

/** What the extracting coordinator and its worker threads say to each other. */
export interface ExtractWorkerData {
  readonly identities: readonly string[];
}

export interface FileToWrite {
  /** Absolute. */
  readonly file: BytePath;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Raw bytes `[offset, offset + length)` of a pack belong at `at` in the file. */
export interface Piece {
  readonly at: number;
  readonly offset: number;
  readonly length: number;
}

export type ToExtractWorker =
  /** Write what this pack holds. `whole` files get all their bytes here and are finished; others only their pieces. */
  | {
      readonly type: 'pack';
      readonly job: number;
      readonly object: ArrayBuffer;
      readonly files: ReadonlyArray<{
        readonly target: FileToWrite;
        readonly pieces: readonly Piece[];
        readonly whole: boolean;
      }>;
    }
  /** All pieces are written, or there were none and the file is `isNew`: compare the hash. */
  | {
      readonly type: 'finish';
      readonly job: number;
      readonly files: ReadonlyArray<{ readonly target: FileToWrite; readonly isNew: boolean }>;
    };

/** What a job wrote, and which files the place did not take. Nothing of those is left, but of one in parts. */
export interface Written {
  readonly files: number;
  readonly bytes: number;
  readonly refused: ReadonlyArray<{ readonly file: BytePath; readonly code: string }>;
}

export type FromExtractWorker =
  | ({ readonly type: 'done'; readonly job: number } & Written)
  | {
      readonly type: 'failed';
      readonly error: SentError;
    };
