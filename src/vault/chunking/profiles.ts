import type { ChunkProfile } from '../../core/entry.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Chunk sizes in bytes. `fixed` profiles cut at multiples of `averageBytes`, so that pages stay aligned. */
export interface ChunkSizes {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
  readonly fixed: boolean;
}

/** The sizes of every profile, part of the format: docs/vault-format.md. */
export const chunkSizes: Readonly<Record<ChunkProfile, ChunkSizes>> = {
  database: { minBytes: 16 * KiB, averageBytes: 64 * KiB, maxBytes: 256 * KiB, fixed: false },
  files: { minBytes: 64 * KiB, averageBytes: 256 * KiB, maxBytes: MiB, fixed: false },
  bulk: { minBytes: 256 * KiB, averageBytes: MiB, maxBytes: 4 * MiB, fixed: false },
  // Of the list of entries: where a file here and there changed, its neighbours' lines are what is stored for nothing.
  entries: { minBytes: KiB, averageBytes: 2 * KiB, maxBytes: 8 * KiB, fixed: false },
  pages: { minBytes: 64 * KiB, averageBytes: 64 * KiB, maxBytes: 64 * KiB, fixed: true },
};
