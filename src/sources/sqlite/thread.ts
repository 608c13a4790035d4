import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/**
 * Runs a worker that takes `data` and posts one answer: node:sqlite is synchronous, and a large database takes a while. Its
 * error, and an abort, end it and are thrown.
 */
export async function inThread<Answer>(worker: URL, data: object, signal: AbortSignal): Promise<Answer> {
  signal.throwIfAborted();
  const thread = new Worker(worker, { workerData: data });
  try {
    const [answer] = (await once(thread, 'message', { signal })) as [Answer];
    return answer;
  } finally {
    await thread.terminate();
  }
}
