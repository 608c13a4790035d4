/**
 * Object key: components of `[A-Za-z0-9._:+-]`, at most 255 characters each, joined by `/`, none starting with a dot. At most
 * 512 characters. No key is a folder of another: where `a` is an object there is no `a/b`. Anything else is
 * `object-key-invalid`.
 */
export type Key = string;

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What a destination was found to be able to do. Absence is a typed answer, never an exception. */
export interface Capabilities {
  /** Creating a key that exists is refused by the store itself, also against a concurrent writer. */
  readonly conditionalCreate: boolean;
  /** The store checks a SHA-256 of what it receives and keeps nothing that fails: reading back is not needed to confirm. */
  readonly checksums: boolean;
  readonly objectLock: 'none' | 'governance' | 'compliance';
  readonly versions: boolean;
}

export interface PutOptions {
  /** Lower-case hex of the SHA-256 of the body; computed when absent. */
  readonly sha256?: string;
  readonly signal?: AbortSignal;
}

export interface GetOptions {
  readonly signal?: AbortSignal;
  /** What the object has at most, where that is known. A whole object that has more is `object-damaged`, and is not taken. */
  readonly mostBytes?: number;
}

export interface Stored {
  readonly sizeBytes: number;
  /** True when the same bytes were there already. */
  readonly existed: boolean;
  readonly version?: string;
}

export interface Listed {
  readonly key: Key;
  readonly sizeBytes: number;
  /** By the store's clock, milliseconds since 1970 UTC. */
  readonly modifiedMs: number;
  /** What stands there in the place of an object, for people: `a link`. It cannot be read; only places that are folders have such. */
  readonly instead?: string;
}

/** One version of an object, in a place that keeps what was overwritten or removed. */
export interface Version extends Listed {
  readonly version: string;
  /** The one that a plain `get` gives; when it is a delete marker, `get` says `object-missing`. */
  readonly isLatest: boolean;
  /** Without bytes: it hides the versions before it. */
  readonly isDeleteMarker: boolean;
}

export interface Lock {
  readonly mode: 'governance' | 'compliance';
  /** By the store's clock, milliseconds since 1970 UTC. */
  readonly untilMs: number;
}

/** What a provider was seen to do, by trying; undefined where these credentials may not try. */
export interface Examination {
  /** A second creation of a key was refused by the store. */
  readonly refusesOverwriting: boolean | undefined;
  /** A body that is not the announced one was refused. */
  readonly refusesWrongBytes: boolean | undefined;
  /** What was overwritten or hidden could still be read. */
  readonly keepsVersions: boolean | undefined;
  /** These credentials may remove for good what is not locked, also a pack. */
  readonly removes: boolean;
  /** Absent where nothing is locked. */
  readonly lock?: LockExamination;
}

/** Each of these is what a lock must do. */
export interface LockExamination {
  readonly mode: Lock['mode'];
  /** What new objects are locked for, by the request or by the bucket itself. */
  readonly forMs: number;
  readonly by: 'request' | 'bucket';
  readonly locksAtBirth: boolean | undefined;
  readonly extends: boolean | undefined;
  readonly refusesShorter: boolean | undefined;
  readonly refusesRemoval: boolean | undefined;
  /** These credentials could lift a governance lock. */
  readonly lifts: boolean;
}

/**
 * What a place that keeps versions can do besides. Objects of a vault never change, so the first version of a key is the true
 * one; whoever writes a second one or hides it is broken or hostile, and takes nothing away.
 */
export interface History {
  /** All versions and delete markers whose key starts with `prefix`, as for `list`; those of one key together, newest first. */
  listVersions(prefix: string): AsyncIterable<Version>;
  /** All versions of this very key, newest first; none when it was never there. */
  versionsOf(key: Key): Promise<Version[]>;
  /** As `get`, of one version. */
  getVersion(key: Key, version: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array>;
  /** Undefined when the version is not locked, or the place has no locks. */
  lockOf(key: Key, version: string): Promise<Lock | undefined>;
  /** Locks a version up to `untilMs`; one that is locked longer keeps its end. Gives the lock that holds now. */
  extendLock(key: Key, version: string, untilMs: number): Promise<Lock>;
}

/**
 * A place that holds a copy of the vault: immutable objects under string keys.
 *
 * Errors, for every verb: `object-missing` (proved absent), `object-exists`, `object-damaged`, `object-locked`, `object-frozen`,
 * `destination-full`, `destination-read-only`, `destination-denied` — these are final; `destination-unreachable` — may pass, so retry.
 */
export interface Destination {
  readonly name: string;
  /** The adapter: `local`, `s3`, `sftp`, `memory`. */
  readonly type: string;
  /** For people and reports: the path or URL, without credentials. */
  readonly location: string;
  readonly capabilities: Capabilities;

  /**
   * Stores `body` under `key`. When it resolves, the object is durable and whole: after a crash a reader finds all of it or
   * nothing. The same key with the same bytes succeeds again; with other bytes it fails with `object-exists` and the first
   * object stays. Safe to retry after any error. Does not keep or change `body`.
   */
  put(key: Key, body: Uint8Array, options?: PutOptions): Promise<Stored>;

  /**
   * The bytes of `key`, or exactly the `range` of them. Never a short read: a range that reaches past the end is
   * `object-damaged`. Absent is `object-missing`, and only when proved: doubt is `destination-unreachable`. No more memory is
   * taken than `mostBytesOf` the key, whatever the place says or sends; links are not followed.
   */
  get(key: Key, range?: ByteRange, options?: GetOptions): Promise<Uint8Array>;

  /** Size and time of `key` without its bytes, or `object-missing`. */
  stat(key: Key): Promise<Listed>;

  /**
   * Keys that start with `prefix` (which ends with `/` or is empty), in no order, each once, also while others write. What
   * was stored before the call is listed; half-written objects never are. What is no object is listed with what it is
   * `instead`, and is not followed. Opening and listing change nothing.
   */
  list(prefix: string): AsyncIterable<Listed>;

  /** Present where versions are kept (`capabilities.versions`). */
  readonly history?: History;

  /**
   * Removes `key`; removing what is absent succeeds. Where versions are kept this only hides it, and `version` removes one for
   * good: `object-locked` while it is locked.
   */
  delete(key: Key, version?: string): Promise<void>;

  /**
   * Tries what the provider really does, with small objects whose keys begin with `key`, which lies below `probe/`. They are
   * removed again, but for one that may stay locked for about a minute; a later call removes what earlier ones left.
   */
  examine?(key: Key, signal?: AbortSignal): Promise<Examination>;

  /** Requests that were sent since it was opened, by operation, where a provider counts them: `{ PutObject: 12 }`. */
  requests?(): Readonly<Record<string, number>>;

  /** Bytes that can still be written, or undefined where the place cannot tell. */
  freeBytes(): Promise<number | undefined>;
}
