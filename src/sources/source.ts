import type { ChunkProfile, Entry, StoredEntry } from '../core/entry.ts';
import type { Expectations, NotCompared } from '../core/expectations.ts';
import type { LeftOut } from '../core/left-out.ts';
import type { BytePath } from '../core/paths.ts';
import type { Problem, Run } from '../core/run.ts';
import type { Owners } from '../metadata/owners.ts';
import type { Unset } from '../metadata/set.ts';
import type { Saboteur } from './sabotage.ts';

/** What a look at the live system found, before anything is captured. */
export interface Inspection {
  /** Engine and tool versions: `{ server: '15.18', pg_dump: '15.18' }`. Goes into the snapshot record: no secrets, no names. */
  readonly versions: Readonly<Record<string, string>>;
  /** Roughly how much will be read; absent when it cannot be told. */
  readonly sizeBytes?: number;
  readonly problems: readonly Problem[];
}

/** What a capture knows once all its entries were consumed. Stored encrypted, in the manifest. */
export interface CaptureFacts {
  /** Engine facts that a restore needs (database name, encoding, snapshot id, roles …), JSON-serialisable. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Recorded inside the same consistent snapshot as the entries. Absent only with a reason in `facts.expectationsAbsent`. */
  readonly expectations?: Expectations;
  /** What could not be captured or changed meanwhile. The restore point is kept, and says so. */
  readonly problems: readonly Problem[];
}

/** One consistent capture in progress. */
export interface Capture extends AsyncDisposable {
  /** In the order of `comparePaths`; consumed once. An error here fails the capture: nothing is committed. */
  readonly entries: AsyncIterable<Entry>;
  /** Call once, after `entries` ended. `leftOut`: files that were among them and could not be read: nobody shall expect them. */
  finish(leftOut?: Iterable<BytePath>): Promise<CaptureFacts>;
}

/** What a restore gets to read: one restore point, every byte checked before or while it is handed out. */
export interface Contents {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly expectations?: Expectations;
  entries(): AsyncIterable<StoredEntry>;
  /** The bytes of one file entry. Throws at the latest at the end if they are not what was recorded. */
  read(path: BytePath): AsyncIterable<Uint8Array>;
  /**
   * Writes the chosen entries (all when `paths` is absent; a folder means all in it) below `folder`, which must exist, with
   * all their metadata, in parallel. Every file's SHA-256 was compared when it resolves.
   */
  extract(folder: BytePath, options?: ExtractOptions): Promise<Extracted>;
}

interface ExtractOptions {
  readonly paths?: readonly BytePath[];
  /** Leave this prefix out of the written paths. */
  readonly stripPrefix?: BytePath;
  readonly run?: Run;
  /** Whose entries are here; by their numbers when absent. */
  readonly owners?: Owners;
  /** Make devices too, which only root can. */
  readonly devices?: boolean;
  /** It must go again, so nothing of it shall be protected from that. */
  readonly rehearsal?: boolean;
}

export interface Extracted {
  readonly files: number;
  readonly bytes: number;
  /** Metadata that could not be set (owner without root, xattrs on a file system without them). */
  readonly problems: readonly Problem[];
  /** The same, entry by entry. */
  readonly unset?: Unset;
  /** Some of it is still to be protected from changes, which comes when it is in its place. */
  readonly held?: boolean;
}

/** Where a restore goes. The source's own kind defines which targets it takes. */
export interface RestoreTarget {
  /** A path, or a connection URL; absent means the place it came from. */
  readonly into?: string;
  /** Replace what is there. Without it a target that exists and is not empty is refused (`target-not-empty`). */
  readonly force: boolean;
  /** Chosen paths (files) or tables (databases); everything when empty. */
  readonly only: readonly string[];
  /** Code that the backup defines may run with all rights of who restores it: it is trusted, or a sandbox holds it. */
  readonly trustCode?: boolean;
  /** For a look, not for use: what is only of use to a running system (devices) is not made. */
  readonly rehearsal?: boolean;
  /** Owners by their recorded numbers, also where their names have others here. */
  readonly numericOwners?: boolean;
  /**
   * Told when a whole restore is written and checked, right before it goes to its place: what `wasPlaced` knows it by. Not told
   * where it could not be known again.
   */
  readonly beforePlacing?: (mark: string) => void;
  /** What a whole restore of the same restore point told `beforePlacing` and was killed then: places that have it already stay. */
  readonly begun?: string;
}

export interface Restored {
  /** For people: where it is now. */
  readonly where: string;
  readonly files: number;
  readonly bytes: number;
  readonly problems: readonly Problem[];
  /** What a comparison need not look for, because it could not be set. */
  readonly unset?: Unset;
  /** Nor these: they are filled from somewhere else than the backup, which did not answer. */
  readonly notCompared?: readonly NotCompared[];
}

/**
 * Knows one engine and nothing of storage. Made from a dataset's configuration by the registry. Errors that a user can mend
 * are LifeboatErrors with a hint: wrong password, missing rights, missing tool (naming the Debian package), version mismatch.
 */
export interface Source {
  /** That of its engine. */
  readonly kind: string;
  readonly profile: ChunkProfile;
  /** For people, without secrets: a path, or `postgres://app@db:5432/harbor`. */
  readonly location: string;
  /** Paths on this host that must not lie inside a destination and must not contain one. */
  readonly hostPaths: readonly string[];

  /** Looks, changes nothing. Throws when a capture could not succeed. */
  inspect(run: Run): Promise<Inspection>;

  /**
   * Begins a consistent capture. Everything it holds (snapshot, connection, child) is let go by its disposal. `leftOutBefore`: what
   * each rule left out of the last restore point, where that is known; what a rule does otherwise now is a problem.
   */
  capture(run: Run, leftOutBefore?: readonly LeftOut[]): Promise<Capture>;

  /**
   * Brings `contents` back. Never half: when it throws, what was at the target before is untouched, and what it had written
   * elsewhere is removed or named in the error.
   */
  restore(contents: Contents, target: RestoreTarget, run: Run): Promise<Restored>;

  /**
   * Whether there is something in the place it came from, and all of it is in `contents` too, byte for byte: replacing it loses
   * nothing. Absent where nobody can tell.
   */
  holdsOnly?(contents: Contents, run: Run): Promise<boolean>;

  /**
   * Whether what a restore to the place it came from told `mark` of is in that place now, also when the restore was killed; what
   * such a one left is put right. False when that is not certain.
   */
  wasPlaced(mark: string, contents: Contents, run: Run): Promise<boolean>;

  /** Whether the place it came from is bare: what a restore put there is gone since. Of several places, any of them. */
  isBare(contents: Contents, run: Run): Promise<boolean>;

  /**
   * Measures a restored copy at `where` (a path or connection URL) with the same algorithm as the expectations, and runs the
   * engine's own integrity checks. Used by drills, on a sandboxed copy only. With the restore point's `contents`, sources
   * whose expectations leave bytes out also compare those, and metadata but for what the restore found `unset`.
   */
  measure(where: string, expected: Expectations, run: Run, contents?: Contents, unset?: Unset): Promise<Measurement>;

  /**
   * Ways to break the restored copy at `where`, to see that `measure` tells. For a sandboxed copy that nobody else uses and that is
   * thrown away. Absent where an engine has none.
   */
  openSaboteur?(where: string, run: Run): Promise<Saboteur>;
}

export interface Measurement {
  readonly actual: Expectations;
  /** Engine integrity: one per kind of check (`integrity_check`, `foreign_key_check`, `amcheck`). */
  readonly integrity: ReadonlyArray<{
    readonly name: string;
    readonly ok: boolean;
    readonly looked: number;
    readonly detail: string;
  }>;
  /** Where links in it lead in production that no dataset brings back, absolute, as byte strings. */
  readonly leadsOut?: readonly BytePath[];
}
