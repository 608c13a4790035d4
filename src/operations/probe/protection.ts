import { formatDuration } from '../../core/duration.ts';
import type { Examination, LockExamination } from '../../destinations/destination.ts';
import type { Checked } from './checked.ts';

/** What keeps a copy from whoever holds this host. */
export type Level = 'locked' | 'versions' | 'append-only' | 'none';

export interface Protection {
  readonly level: Level;
  readonly result: Checked['result'];
  readonly message: string;
  readonly hint?: string;
}

export interface Tried {
  /** The credentials that write could remove what they wrote. */
  readonly removes: boolean;
  /** What the provider was seen to do; absent where there is nothing but files. */
  readonly examination?: Examination | undefined;
}

/** The level of protection in words, from what was tried. */
export function protectionOf({ removes, examination }: Tried): Protection {
  // Trials may be removed where nothing else may: an examination knows better.
  const gone = examination?.removes ?? removes;
  if (examination?.lock !== undefined) return lockedOr(examination.lock, gone);
  if (examination?.keepsVersions) return versioned(gone);
  if (gone) {
    return { level: 'none', result: 'warning', message: 'no protection: whoever can write here can delete' };
  }
  if (examination?.refusesOverwriting === false) {
    const message = 'no protection: these credentials cannot delete, but they can overwrite';
    return { level: 'none', result: 'warning', message };
  }
  const message = 'no lock: these credentials can only add, and whoever may delete here can delete for good';
  return { level: 'append-only', result: 'good', message };
}

function versioned(removes: boolean): Protection {
  return removes
    ? {
        level: 'none',
        result: 'warning',
        message: 'versions kept, no lock: whoever has these credentials can delete for good',
        hint: 'Use a bucket with object lock, or credentials that may not delete versions.',
      }
    : {
        level: 'versions',
        result: 'good',
        message: 'versions kept, no lock: these credentials cannot delete for good, a stolen pruner key can',
      };
}

function lockedOr(lock: LockExamination, removes: boolean): Protection {
  const { mode, forMs, by, lifts } = lock;
  const time = formatDuration(forMs);
  const fallback: Level = removes ? 'none' : 'versions';
  const broken = failuresOf(lock);
  if (broken.length > 0) {
    return {
      level: fallback,
      result: by === 'request' ? 'bad' : 'warning',
      message: `${by === 'request' ? 'lifeboat.yaml' : 'the bucket'} asks for locks of ${time} (${mode}), and they do not hold: ${broken.join('; ')}`,
      hint: 'A bucket must be made with object lock enabled; the provider must know versions and retention by version.',
    };
  }
  if (lock.locksAtBirth === undefined) {
    return by === 'request'
      ? {
          level: fallback,
          result: 'bad',
          message: `lifeboat.yaml asks for locks of ${time} (${mode}), and these credentials may not lock what they store`,
          hint: 'Allow s3:PutObjectRetention, or let the bucket lock by itself (default retention) and leave lock out.',
        }
      : {
          level: 'locked',
          result: 'good',
          message: `locked for ${time} by the bucket (${mode}), as it says: these credentials may neither lock nor unlock, so it was not tried`,
        };
  }
  if (mode === 'compliance') {
    const message = `locked: nobody can delete or shorten for ${time} (compliance)`;
    return { level: 'locked', result: 'good', message };
  }
  return lifts
    ? {
        level: 'locked',
        result: 'warning',
        message: `locked for ${time} (governance), but these credentials can lift the locks`,
        hint: 'Write with credentials that lack s3:BypassGovernanceRetention and are not the owner’s, or use compliance.',
      }
    : {
        level: 'locked',
        result: 'good',
        message: `locked: only who may bypass governance can delete or shorten for ${time}`,
      };
}

function failuresOf(lock: LockExamination): string[] {
  return [
    ...(lock.locksAtBirth === false ? ['what is stored is not locked'] : []),
    ...(lock.extends === false ? ['a lock cannot be extended'] : []),
    ...(lock.refusesShorter === false ? ['a lock can be shortened'] : []),
    ...(lock.refusesRemoval === false ? ['a locked version can be deleted'] : []),
  ];
}
