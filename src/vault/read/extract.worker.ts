import { parentPort, workerData } from 'node:worker_threads';
import { sentError } from '../../core/errors.ts';
import type { BytePath } from '../../core/paths.ts';
import { release } from '../release.ts';
import type { ExtractWorkerData, FromExtractWorker, ToExtractWorker } from './messages.ts';
import { openPackObject } from './pack.ts';
import { refusalOf, removeHalf } from './refused.ts';
import { finishFile, writePart, writeWhole } from './write-file.ts';

const port = parentPort;
if (port === null) throw new Error('extract.worker runs only as a worker thread');
const { identities } = workerData as ExtractWorkerData;

async function work(message: ToExtractWorker): Promise<void> {
  let [files, bytes] = [0, 0];
  const refused: { file: BytePath; code: string }[] = [];
  /** One file that the place does not take keeps no other from being written. */
  const attempt = (file: BytePath, isWhole: boolean, write: () => void): void => {
    try {
      write();
      if (isWhole) files++;
    } catch (error) {
      const code = refusalOf(error);
      if (code === undefined) throw error;
      refused.push({ file, code });
      // What has its name here may be another's.
      if (isWhole && code !== 'EEXIST') removeHalf(file);
    }
  };
  if (message.type === 'finish') {
    for (const { target, isNew } of message.files) attempt(target.file, true, () => finishFile(target, isNew));
  } else {
    const object = new Uint8Array(message.object);
    const pack = await openPackObject(object, identities, { usedAtOnce: true });
    release(object);
    for (const { target, pieces, whole } of message.files) {
      attempt(target.file, whole, () => (whole ? writeWhole(target, pieces, pack) : writePart(target, pieces, pack)));
      for (const piece of pieces) bytes += piece.length;
    }
    pack.close();
  }
  send({ type: 'done', job: message.job, files, bytes, refused });
}

function send(message: FromExtractWorker): void {
  port?.postMessage(message);
}

function fail(error: unknown): void {
  send({ type: 'failed', error: sentError(error) });
}

port.on('message', (message: ToExtractWorker) => {
  work(message).catch(fail);
});
