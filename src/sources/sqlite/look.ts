import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Expectations } from '../../core/expectations.ts';
import type { Measurement } from '../source.ts';

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

/** Reads a whole database in a thread of its own: node:sqlite is synchronous, and this takes a while. */
export async function lookInto(look: Look, signal: AbortSignal): Promise<Looked> {
  const worker = new Worker(new URL('./look.worker.ts', import.meta.url), { workerData: look });
  try {
    const [looked] = (await once(worker, 'message', { signal })) as [Looked];
    return looked;
  } finally {
    await worker.terminate();
  }
}
