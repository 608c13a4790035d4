import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { LifeboatError } from '../../core/errors.ts';
import { targetFull } from '../errors.ts';
import type { ExtractWorkerData, FromExtractWorker, ToExtractWorker } from './messages.ts';

type Job = ToExtractWorker extends infer Each ? (Each extends { job: number } ? Omit<Each, 'job'> : never) : never;

export interface ExtractPool extends AsyncDisposable {
  /** Resolves when the job was done. At most one more job than workers should be under way: `slots`. */
  run(job: Job): Promise<{ files: number; bytes: number }>;
  readonly slots: number;
}

interface Pending {
  resolve(done: { files: number; bytes: number }): void;
  reject(error: unknown): void;
}

/** Worker threads that decrypt, decompress and write files. */
export function startExtractPool(data: ExtractWorkerData): ExtractPool {
  const size = Math.max(1, Math.min(availableParallelism(), 8));
  const pending = new Map<number, Pending>();
  const load = new Map<Worker, number>();
  let nextJob = 0;
  let closed = false;

  function fail(error: unknown): void {
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  }

  for (let index = 0; index < size; index++) {
    const worker = new Worker(new URL('./extract.worker.ts', import.meta.url), {
      workerData: data,
      resourceLimits: { maxYoungGenerationSizeMb: 6 },
    });
    load.set(worker, 0);
    worker.on('message', (message: FromExtractWorker) => {
      load.set(worker, load.get(worker)! - 1);
      if (message.type === 'failed') return fail(asError(message.error));
      pending.get(message.job)?.resolve(message);
      pending.delete(message.job);
    });
    worker.on('error', fail);
    worker.on('exit', (code) => closed || fail(new Error(`a worker thread ended (${code})`)));
  }

  return {
    slots: size + 1,
    run(job) {
      const number = nextJob++;
      const [worker] = [...load].reduce((least, other) => (other[1] < least[1] ? other : least));
      load.set(worker, load.get(worker)! + 1);
      return new Promise((resolve, reject) => {
        pending.set(number, { resolve, reject });
        worker.postMessage({ ...job, job: number } as ToExtractWorker, job.type === 'pack' ? [job.object] : []);
      });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await Promise.all([...load.keys()].map((worker) => worker.terminate()));
    },
  };
}

function asError(error: Extract<FromExtractWorker, { type: 'failed' }>['error']): Error {
  if (error.errno === 'ENOSPC' || error.errno === 'EDQUOT') return targetFull({ why: error.message });
  if (error.code === undefined) return new Error(error.message);
  return new LifeboatError(error.code, 2, error.message, error.hint ?? '');
}
