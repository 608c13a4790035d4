import { Worker } from 'node:worker_threads';
import { compileCache } from '../core/compile-cache.ts';

export const storeWorker = new URL('./write/store.worker.ts', import.meta.url);
export const extractWorker = new URL('./read/extract.worker.ts', import.meta.url);

export interface Thread<To, From> {
  post(message: To, transfer?: ArrayBuffer[]): void;
  /** Who hears of messages, and of the thread's end or failure, from now on. */
  listen(onMessage: (message: From) => void, onFailure: (error: unknown) => void): void;
  end(): Promise<void>;
}

/** Says what came of work. What is transferred is the other's from then on. */
export type Send<Message> = (message: Message, transfer?: ArrayBuffer[]) => void;

/** A thread's work without the thread. It begins when the caller has ended, as a thread's would. */
export function workHere<To, From>(workOf: (send: Send<From>) => (message: To) => void): Thread<To, From> {
  let hear: (message: From) => void = () => {};
  const work = workOf((message) => hear(message));
  return {
    post: (message) => queueMicrotask(() => work(message)),
    listen(onMessage) {
      hear = onMessage;
    },
    async end() {
      hear = () => {};
    },
  };
}

/**
 * Starts a worker thread. A small young generation, because what threads work on lies outside their heaps and would pile up
 * until it is collected; and this process's cache of compiled modules, without which each thread compiles everything anew.
 */
export function startThread<To, From>(file: URL, workerData: unknown): Thread<To, From> {
  const worker = new Worker(file, {
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: 6 },
    env: { ...process.env, ...compileCache() },
  });
  // The listeners stay: a worker whose last listener is taken away never speaks again.
  let hear: (message: From) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  let ended = false;
  worker.on('message', (message: From) => hear(message));
  worker.on('error', (error) => fail(error));
  worker.on('exit', (code) => ended || fail(new Error(`a worker thread ended (${code})`)));
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    listen(onMessage, onFailure) {
      hear = onMessage;
      fail = onFailure;
    },
    async end() {
      ended = true;
      await worker.terminate();
    },
  };
}

/** Threads that wait for their next use: starting one costs more than a small dataset's whole backup. */
export interface ThreadShelf<To, From> extends AsyncDisposable {
  take(): Thread<To, From>;
  /** The same work in this thread: for what is done before a thread would have begun. */
  here(): Thread<To, From>;
  /** Only a thread that has nothing left to do. */
  put(thread: Thread<To, From>): void;
}

export function threadShelf<To, From, Data>(
  file: URL,
  workerData: Data,
  work: (data: Data, send: Send<From>) => (message: To) => void,
): ThreadShelf<To, From> {
  const idle: Thread<To, From>[] = [];
  return {
    take: () => idle.pop() ?? startThread(file, workerData),
    here: () => workHere((send) => work(workerData, send)),
    put(thread) {
      thread.listen(
        () => {},
        () => idle.splice(idle.indexOf(thread), 1),
      );
      idle.push(thread);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(idle.splice(0).map((thread) => thread.end()));
    },
  };
}
