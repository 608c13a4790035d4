import type { Expectations, NotCompared } from '../../core/expectations.ts';
import type { Measurement } from '../source.ts';
import type { Definition } from './definitions.ts';
import type { SqliteFacts } from './facts.ts';
import type { ForeignKeys } from './integrity.ts';
import { inThread } from './thread.ts';

export interface Look {
  readonly path: string;
  /** Nobody else has it open: no locks are taken, and no files appear beside it. */
  readonly isCopy: boolean;
  /** `quick` skips the comparison of indexes with their tables. */
  readonly integrity: 'quick' | 'full';
  /** References between tables, rows and definitions. */
  readonly data: boolean;
}

export interface Looked {
  readonly integrity: Measurement['integrity'];
  readonly data?: {
    readonly facts: SqliteFacts;
    readonly foreignKeys: ForeignKeys;
    readonly definitions: readonly Definition[];
    readonly expectations: Expectations;
    readonly notCompared: readonly NotCompared[];
  };
}

/** Reads a whole database. */
export function lookInto(look: Look, signal: AbortSignal): Promise<Looked> {
  return inThread(new URL('./look.worker.ts', import.meta.url), look, signal);
}
