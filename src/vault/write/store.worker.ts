import { parentPort, workerData } from 'node:worker_threads';
import type { StoreWorkerData, ToStoreWorker } from './messages.ts';
import { storeWork } from './store-work.ts';

const port = parentPort;
if (port === null) throw new Error('store.worker runs only as a worker thread');
const work = storeWork(workerData as StoreWorkerData, (message, transfer = []) => port.postMessage(message, transfer));
port.on('message', (message: ToStoreWorker) => work(message));
