/**
 * The snapshot record: the signed, plaintext commit of one restore point, and all that status, lock extension and pruning
 * need. It holds no file or table name. docs/vault-format.md specifies it.
 */
export interface SnapshotRecord {
  readonly format: 1;
  readonly vault: string;
  readonly system: string;
  readonly dataset: string;
  /** `files`, `sqlite`, `postgres` … */
  readonly kind: string;
  /** ULID of this restore point; the last part of its key. */
  readonly id: string;
  /** When the capture's consistent moment was, UTC, ISO 8601 with milliseconds. */
  readonly time: string;
  /** When the record was written. */
  readonly committed: string;
  readonly tool: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly sizes: {
    /** Bytes that a restore writes. */
    readonly logical: number;
    /** Raw bytes that were new to the vault. */
    readonly added: number;
    /** Bytes of new objects, as stored. */
    readonly stored: number;
    readonly entries: number;
  };
  /** Every pack that a restore needs, sorted by id: `[id, size in bytes]`. */
  readonly packs: ReadonlyArray<readonly [string, number]>;
  /** `[id, size in bytes]` of the manifest object. */
  readonly manifest: readonly [string, number];
  /** Engine position (LSN, GTID …), where the engine has one. */
  readonly position?: Readonly<Record<string, string>>;
  /** What was not captured or changed while it was read: counts by code, no names. */
  readonly problems: Readonly<Record<string, number>>;
  readonly retention: { readonly class: string; readonly until?: string };
  /** The prune generation that the writer had seen. */
  readonly generation: number;
  /** SHA-256 (hex) of this writer's previous record as stored, over all datasets; null for its first. */
  readonly previous: string | null;
  /** The writer's Ed25519 public key, base64. */
  readonly writer: string;
  /** Ed25519 over the canonical JSON of everything above, base64. */
  readonly signature: string;
}
