import type { TableSample } from './sample.ts';

/** What a dataset consists of, and what is counted of it: files, or the rows of tables. */
export type Holds = 'files' | 'tables';

/**
 * What a restore must bring back, recorded inside the backup's own snapshot, so that a drill can demand equality.
 * Checksums do not depend on the order of rows: a sum over rows of a hash of the row's text.
 */
export interface Expectations {
  /** Names how the checksums were made, with a version: `postgres-rowtext-1`, `sqlite-rowtext-1`, `files-1`. */
  readonly algorithm: string;
  readonly tables: readonly TableExpectation[];
}

export interface TableExpectation {
  /** Unambiguous: as the engine quotes it (`public.orders`, `"odd ""name"""`); for `files-1` a path. */
  readonly table: string;
  /** Exact. */
  readonly rows: number;
  /** Opaque text; equal means equal contents. Absent where the engine cannot give one, and then `reason` says why. */
  readonly checksum?: string;
  readonly reason?: string;
  /** A few of its rows, or of its files. Absent where there is nothing to tell rows by, or no room. */
  readonly sample?: TableSample;
}

/** A table or file that came back, or its definition, and that nothing is compared of. */
export interface NotCompared {
  readonly table: string;
  /** Why, for people. */
  readonly reason: string;
}

/** What a capture's facts name under `notCompared`: nobody looked at it, and a drill does not either. */
export function notComparedIn({ notCompared }: Readonly<Record<string, unknown>>): readonly NotCompared[] {
  if (!Array.isArray(notCompared)) return [];
  return notCompared.filter((one) => typeof one?.table === 'string' && typeof one.reason === 'string');
}
