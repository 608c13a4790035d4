import { parentPort, workerData } from 'node:worker_threads';
import { copyTables, type TableCopy } from './copy-tables.ts';

parentPort?.postMessage(copyTables(workerData as TableCopy));
