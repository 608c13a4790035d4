import { parentPort, workerData } from 'node:worker_threads';
import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import { release } from '../release.ts';
import type { ExtractWorkerData, FromExtractWorker, ToExtractWorker } from './messages.ts';
import { openPackObject } from './pack.ts';
import { finishFile, writePart, writeWhole } from './write-file.ts';

const port = parentPort;
if (port === null) throw new Error('extract.worker runs only as a worker thread');
const { identities } = workerData as ExtractWorkerData;

async function work(message: ToExtractWorker): Promise<void> {
  let bytes = 0;
  if (message.type === 'finish') {
    for (const file of message.files) finishFile(file);
  } else {
    const object = new Uint8Array(message.object);
    const pack = await openPackObject(object, identities, { usedAtOnce: true });
    release(object);
    for (const { target, pieces, whole } of message.files) {
      if (whole) writeWhole(target, pieces, pack);
      else writePart(target, pieces, pack);
      for (const piece of pieces) bytes += piece.length;
    }
    pack.close();
  }
  const files = message.type === 'finish' ? message.files.length : message.files.filter(({ whole }) => whole).length;
  send({ type: 'done', job: message.job, files, bytes });
}

function send(message: FromExtractWorker): void {
  port?.postMessage(message);
}

function fail(error: unknown): void {
  const known = error instanceof LifeboatError ? { code: error.code, hint: error.hint, about: error.about } : {};
  const errno = (error as NodeJS.ErrnoException).code;
  send({ type: 'failed', error: { message: sentenceOf(error), ...known, ...(errno !== undefined && { errno }) } });
}

port.on('message', (message: ToExtractWorker) => {
  work(message).catch(fail);
});
