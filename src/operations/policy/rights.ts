import type { Role } from '../../core/roles.ts';

/** What a role must be able to do with the objects of a vault, by the folders (or names) that it concerns. */
export interface Rights {
  /** Keys and their versions are listed: every role compares what is there with what should be. */
  readonly read: readonly string[];
  readonly create: readonly string[];
  /** Removes versions for good. */
  readonly remove: readonly string[];
  /** Reads and extends locks, never shortens one. */
  readonly extendLocks: boolean;
  /** Sees until when an object is locked. */
  readonly seeLocks: boolean;
}

/** All that a vault consists of, and what `check` tries out. */
export const everyName: readonly string[] = [
  'vault.json',
  'rescue.sh',
  'packs/*',
  'lists/*',
  'logs/*',
  'covers/*',
  'keys/*',
  'manifests/*',
  'index/*',
  'snapshots/*',
  'gc/*',
  'ledger/*',
  'endorsements/*',
  'format/*',
  'probe/*',
];
/** Signed notes of what was done: everyone who does something leaves one. */
const ledger = 'ledger/*';
/** Whom an identity vouches for: written by whatever a key is given to. */
const endorsements = 'endorsements/*';
/** What only later programs understand: whoever writes or deletes asks first. */
const announced = 'format/*';

/**
 * The least that each role needs; tests run each with exactly this. Data (`packs/`) and lists of files (`manifests/`) are read
 * by the reader alone: the host that writes cannot read what it wrote earlier, not even as ciphertext.
 */
export const rightsOf: Readonly<Record<Role, Rights>> = {
  writer: {
    // Its own index, lists of packs, covers of logs and the newest records, to go on where it was; whom others let in to its epochs; what a prune
    // decided; what it noted last.
    read: [
      ...['vault.json', 'rescue.sh', 'lists/*', 'covers/*', 'keys/*', 'index/*', 'snapshots/*', 'gc/*'],
      ...[ledger, endorsements, announced, 'probe/*'],
    ],
    create: [
      ...['vault.json', 'rescue.sh', 'packs/*', 'lists/*', 'logs/*', 'covers/*', 'keys/*', 'manifests/*', 'index/*'],
      ...['snapshots/*', ledger, endorsements, announced, 'probe/*'],
    ],
    // What `check` tries out, and nothing else.
    remove: ['probe/*'],
    extendLocks: false,
    seeLocks: false,
  },
  keeper: {
    read: ['vault.json', 'lists/*', 'snapshots/*', 'gc/*', ledger],
    create: [ledger],
    remove: [],
    extendLocks: true,
    seeLocks: true,
  },
  pruner: {
    read: ['vault.json', 'lists/*', 'covers/*', 'snapshots/*', 'gc/*', ledger, announced],
    create: ['gc/*', ledger],
    // Of the ledger what is under a checkpoint.
    remove: ['packs/*', 'lists/*', 'logs/*', 'covers/*', 'manifests/*', 'snapshots/*', ledger],
    extendLocks: false,
    seeLocks: true,
  },
  reader: {
    read: everyName,
    // The evidence of drills, and whom the key that they used vouches for.
    create: [ledger, endorsements],
    remove: [],
    extendLocks: false,
    seeLocks: true,
  },
};
