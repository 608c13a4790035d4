import { LifeboatError } from '../../core/errors.ts';
import { destinationDenied, destinationFull, destinationReadOnly, destinationUnreachable } from '../errors.ts';
import type { Session } from './session.ts';

/** The place that an error names. */
export interface Place {
  readonly name: string;
  readonly location: string;
}

/** Codes of the SFTP protocol, version 3; those above 8 come from servers that speak later versions as well. */
export const status = {
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  unsupported: 8,
  writeProtected: 12,
  noSpace: 14,
  quotaExceeded: 15,
} as const;

/** The server's answer to a request is no. */
export class Refusal extends Error {
  readonly status: number;
  /** What was asked, for people: `write`, `make a folder`. */
  readonly request: string;

  constructor(request: string, code: number, said: string) {
    super(said);
    this.name = 'Refusal';
    this.status = code;
    this.request = request;
  }
}

/** There is no answer, and none will come: what was asked may be done or not. */
export class ConnectionLost extends Error {}

export function isAbsence(error: unknown): boolean {
  return error instanceof Refusal && error.status === status.noSuchFile;
}

/**
 * What a failure means for a destination. Version 3 of the protocol has one code for everything that is no missing file and no
 * missing permission, so a full or read-only disk is found out by asking for its state. `sizeBytes` is what was to be written.
 */
export async function failureOf(
  error: unknown,
  { name, location }: Place,
  { session, root, sizeBytes = 0 }: { readonly session?: Session; readonly root: string; readonly sizeBytes?: number },
): Promise<unknown> {
  if (error instanceof LifeboatError) return error;
  const place = { destination: name, location };
  const cause = { cause: error };
  if (error instanceof ConnectionLost) return destinationUnreachable({ ...place, why: error.message }, cause);
  if (!(error instanceof Refusal)) return error;
  const said = error.message;
  switch (error.status) {
    case status.permissionDenied:
      return destinationDenied({ ...place, why: `this account may not ${error.request}` }, cause);
    case status.unsupported:
      return destinationDenied({ ...place, why: `this server cannot ${error.request}` }, cause);
    case status.writeProtected:
      return destinationReadOnly(place, cause);
    case status.noSpace:
    case status.quotaExceeded:
      return destinationFull(place, cause);
    case status.noSuchFile:
      return destinationUnreachable({ ...place, why: 'a folder vanished while it was used' }, cause);
  }
  if (/quota|no space|disk (is )?full/i.test(said)) return destinationFull(place, cause);
  if (/read-?only/i.test(said)) return destinationReadOnly(place, cause);
  const disk = await session?.statvfs?.(root).catch(() => undefined);
  if (disk?.readOnly) return destinationReadOnly(place, cause);
  if (disk !== undefined && (disk.freeBytes < sizeBytes + reserveBytes || disk.freeFiles === 0)) {
    return destinationFull(place, cause);
  }
  const why = `the server could not ${error.request} and does not say why (${said}); an account over its quota answers like that`;
  return destinationUnreachable({ ...place, why }, cause);
}

/** What a file system needs besides the bytes of an object. */
const reserveBytes = 64 << 10;
