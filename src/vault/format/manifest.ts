/**
 * The manifest of one restore point: how to find and check its body, and what a restore and a drill must know. The *body* is
 * the list of entries (./entries.ts), itself stored as chunks in packs, so that an unchanged folder costs next to nothing.
 * docs/vault-format.md specifies the text, which awk can read.
 */
export interface Manifest {
  readonly vault: string;
  readonly dataset: string;
  readonly kind: string;
  readonly id: string;
  /** Under which the chunk ids of this writer are made: HMAC-SHA-256 key, 32 bytes. Here, because a reader checks ids. */
  readonly chunkKey: Uint8Array;
  readonly body: { readonly sizeBytes: number; readonly sha256: string; readonly extents: readonly Extent[] };
  readonly facts: Readonly<Record<string, unknown>>;
  readonly expectations?: import('../../core/expectations.ts').Expectations;
  readonly problems: ReadonlyArray<{ readonly code: string; readonly message: string }>;
}

/** `length` raw bytes at `offset` of the decompressed pack. `pack` null: that many zero bytes, a hole. */
export interface Extent {
  /** Lower-case hex of the SHA-256 of the pack object. */
  readonly pack: string | null;
  readonly offset: number;
  readonly length: number;
}
