import type { Expectations } from '../../core/expectations.ts';
import type { Measurement } from '../source.ts';
import { inThread } from './thread.ts';

export interface Look {
  readonly path: string;
  /** Nobody else has it open: no locks are taken, and no files appear beside it. */
  readonly isCopy: boolean;
  /** `quick` skips the comparison of indexes with their tables. */
  readonly integrity: 'quick' | 'full';
  readonly foreignKeys: boolean;
  readonly expectations: boolean;
}

export interface Looked {
  readonly integrity: Measurement['integrity'];
  readonly expectations?: Expectations;
}

/** Reads a whole database. */
export function lookInto(look: Look, signal: AbortSignal): Promise<Looked> {
  return inThread(new URL('./look.worker.ts', import.meta.url), look, signal);
}
