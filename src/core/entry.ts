import type { BytePath } from './paths.ts';

/** The chunking profile of a dataset, fixed when it is first backed up. docs/vault-format.md names the sizes. */
export type ChunkProfile = 'database' | 'files' | 'bulk' | 'pages' | 'entries';

/** What one restore point holds, one by one, in the order of `comparePaths`. */
export type Entry = FileEntry | FolderEntry | SymlinkEntry | HardlinkEntry | SpecialEntry;

interface Metadata {
  readonly path: BytePath;
  /** Permission bits with set-uid, set-gid and sticky: 0–0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970-01-01 UTC; may be negative. */
  readonly mtimeNs: bigint;
  /** Extended attributes (POSIX ACLs are among them): name → value, both as byte strings. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

export interface FileEntry extends Metadata {
  readonly type: 'file';
  /** As the file system said before reading; what was really read is recorded. Absent for streams. */
  readonly sizeBytes?: number;
  /** Set for a file with holes: runs of zeros are recorded as holes and written as such. */
  readonly sparse?: boolean;
  readonly content: Content;
}

export interface FolderEntry extends Metadata {
  readonly type: 'folder';
}

export interface SymlinkEntry extends Metadata {
  readonly type: 'symlink';
  readonly target: BytePath;
}

/** Another name of a file that came earlier in the same restore point. */
export interface HardlinkEntry extends Metadata {
  readonly type: 'hardlink';
  readonly target: BytePath;
}

export interface SpecialEntry extends Metadata {
  readonly type: 'fifo' | 'socket' | 'character-device' | 'block-device';
  /** Devices only. */
  readonly device?: { readonly major: number; readonly minor: number };
}

/** What a file was when it was listed: by the time that it is read, another may have its name, with other rights. */
export interface Seen {
  readonly inode: bigint;
  /** When it was made; 0 where the file system does not say. */
  readonly bornNs: bigint;
  readonly ctimeNs: bigint;
}

/** Where a file's bytes come from. */
type Content =
  /** A file that the vault's workers open and read themselves. `fingerprint` equal to the last run's means unchanged. */
  | { readonly from: 'file'; readonly file: BytePath; readonly fingerprint?: string; readonly seen?: Seen }
  /** A stream, consumed once, to its end. If it throws, the whole capture fails: half a dump is no dump. */
  | { readonly from: 'stream'; readonly stream: () => AsyncIterable<Uint8Array> }
  | { readonly from: 'bytes'; readonly bytes: Uint8Array };

/** An entry as it is stored: the content became a size and a digest. */
export type StoredEntry =
  | (Omit<FileEntry, 'content' | 'sizeBytes'> & {
      readonly sizeBytes: number;
      /** Lower-case hex. */
      readonly sha256: string;
    })
  | FolderEntry
  | SymlinkEntry
  | HardlinkEntry
  | SpecialEntry;
