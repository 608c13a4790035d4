import { availableParallelism } from 'node:os';
import { receivedError, type SentError } from '../../core/errors.ts';
import { targetFull } from '../errors.ts';
import { extractWorker, startThread, type Thread } from '../threads.ts';
import type { ExtractWorkerData, FromExtractWorker, ToExtractWorker, Written } from './messages.ts';
import { isFull } from './refused.ts';

type Job = ToExtractWorker extends infer Each ? (Each extends { job: number } ? Omit<Each, 'job'> : never) : never;

export interface ExtractPool extends AsyncDisposable {
  /**
   * Prepares a job and resolves when it was done. Nothing is prepared while as many as `slots` are being done: where packs come faster than
   * they are written, more of them would only hold memory.
   */
  run(prepare: () => Job | Promise<Job>): Promise<Written>;
  readonly slots: number;
}

interface Pending {
  resolve(done: Written): void;
  reject(error: unknown): void;
}

/** Worker threads that decrypt, decompress and write files: one more is started where all are busy, since most datasets are a pack or two. */
export function startExtractPool(data: ExtractWorkerData): ExtractPool {
  const most = Math.max(1, Math.min(availableParallelism(), 8));
  const pending = new Map<number, Pending>();
  const load = new Map<Thread<ToExtractWorker, FromExtractWorker>, number>();
  const slots = most + 1;
  const waiting: (() => void)[] = [];
  let failed: { readonly error: unknown } | undefined;
  let nextJob = 0;

  function fail(error: unknown): void {
    failed ??= { error };
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  }

  function start() {
    const thread = startThread<ToExtractWorker, FromExtractWorker>(extractWorker, data);
    load.set(thread, 0);
    thread.listen((message) => {
      load.set(thread, load.get(thread)! - 1);
      if (message.type === 'failed') return fail(asError(message.error));
      pending.get(message.job)?.resolve(message);
      pending.delete(message.job);
    }, fail);
    return thread;
  }

  function leastBusy() {
    const [least] = [...load].toSorted(([, one], [, other]) => one - other);
    return least === undefined || (least[1] > 0 && load.size < most) ? start() : least[0];
  }

  function refuseFailed(): void {
    if (failed !== undefined) throw failed.error;
  }

  function post(job: Job): Promise<Written> {
    refuseFailed();
    const number = nextJob++;
    const thread = leastBusy();
    load.set(thread, load.get(thread)! + 1);
    return new Promise((resolve, reject) => {
      pending.set(number, { resolve, reject });
      thread.post({ ...job, job: number } as ToExtractWorker, job.type === 'pack' ? [job.object] : []);
    });
  }

  return {
    slots,
    async run(prepare) {
      if (pending.size >= slots) await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        refuseFailed();
        return await post(await prepare());
      } finally {
        waiting.shift()?.();
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...load.keys()].map((thread) => thread.end()));
    },
  };
}

function asError(sent: SentError): Error {
  return isFull({ code: sent.errno }) ? targetFull({ why: sent.message }) : receivedError(sent);
}
