import { constants } from 'node:os';
import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import { destinationDenied, destinationFull, destinationReadOnly, destinationUnreachable } from '../errors.ts';

/** The place that an error names. */
export interface Place {
  readonly name: string;
  readonly location: string;
}

/** The symbolic name of a system error: also of those that Node has no name for, such as EDQUOT and ESTALE. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return undefined;
  const number = -error.errno;
  return Object.entries(constants.errno).find(([, value]) => value === number)?.[0];
}

/** What a system error means for a destination. Errors of ours and aborts stay as they are. */
export function failureOf(error: unknown, { name, location }: Place): unknown {
  // Closing a file failed after something else had: the first is the cause.
  if (error instanceof SuppressedError) return failureOf(error.suppressed, { name, location });
  const errno = errnoOf(error);
  if (error instanceof LifeboatError || errno === undefined) return error;
  const place = { destination: name, location };
  const why = whyOf(errno) ?? sentenceOf(error);
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return destinationFull(place, { cause: error });
    case 'EROFS':
      return destinationReadOnly(place, { cause: error });
    case 'EACCES':
    case 'EPERM':
    case 'EFBIG':
    case 'EINVAL':
    case 'ELOOP':
    case 'EMLINK':
    case 'ENAMETOOLONG':
    case 'ENOTDIR':
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'EXDEV':
      return destinationDenied({ ...place, why }, { cause: error });
    default:
      return destinationUnreachable({ ...place, why }, { cause: error });
  }
}

function whyOf(errno: string): string | undefined {
  switch (errno) {
    case 'EACCES':
      return 'permission denied';
    case 'EIO':
      return 'the device reports an input/output error';
    case 'ESTALE':
      return 'the network file system was exported anew; mount it again';
    case 'ETIMEDOUT':
      return 'the network file system does not answer';
    case 'EINVAL':
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
      return 'its file system cannot hold such names or hard links; ext4, xfs, btrfs, zfs and NFS can';
    case 'EPERM':
      return 'not permitted; its file system may be immutable or know no hard links';
    case 'EXDEV':
      return 'a folder in it lies on another file system';
    case 'ENOTDIR':
      return 'something in its way is a file and no folder';
    default:
      return undefined;
  }
}
