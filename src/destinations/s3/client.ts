import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { Clock } from '../../core/clock.ts';
import type { S3Options } from '../options.ts';

export interface ClientOptions extends S3Options {
  readonly clock: Clock;
  /** A connection that says nothing for so long is given up. */
  readonly silenceMs: number;
}

export interface Client {
  readonly s3: S3Client;
  /** For large bodies: they are on their way still when all of them were handed over. */
  readonly patient: S3Client;
  /** Requests by operation since it was opened. */
  readonly requests: Readonly<Record<string, number>>;
  /** The store's time of day, from its last answer. */
  storeNow(): number;
}

/** Enough for every verb that the registry lets run at once, on connections that stay open. */
const mostSockets = 32;

/**
 * The system and boxes on the way take in some megabytes of a body at once, and a slow line carries them away afterwards: meanwhile nothing
 * moves here, and all is well. Eight of them take a line of 128 kbit/s so many times the usual silence.
 */
const timesForLarge = 17;

/** Nothing is retried here: that is for whoever knows which verbs may be repeated. */
export function openClient(options: ClientOptions): Client {
  const { endpoint, credentials, clock, silenceMs } = options;
  const agents = { keepAlive: true, maxSockets: mostSockets };
  const configOf = (socketTimeout: number): S3ClientConfig => ({
    maxAttempts: 1,
    // The body's hash is signed, which every store checks; checksums of the SDK's own choice break older stores.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Waiting for leave to send costs a round trip for every object.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: Math.min(silenceMs, 10_000),
      socketTimeout,
      httpAgent: new HttpAgent(agents),
      httpsAgent: new HttpsAgent(agents),
    },
    ...regionOf(options),
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    ...(credentials && ('profile' in credentials ? { profile: credentials.profile } : { credentials })),
  });
  const requests: Record<string, number> = {};
  let aheadMs = 0;
  const open = (socketTimeout: number) => {
    const s3 = new S3Client(configOf(socketTimeout));
    s3.middlewareStack.add(
      (next, { commandName = 'Other' }) =>
        async (args) => {
          const operation = commandName.replace(/Command$/, '');
          requests[operation] = (requests[operation] ?? 0) + 1;
          return next(args);
        },
      { step: 'initialize', name: 'lifeboatTally' },
    );
    s3.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const result = await next(args);
          const { headers = {} } = (result.response ?? {}) as { readonly headers?: Readonly<Record<string, string>> };
          const storeMs = Date.parse(headers.date ?? '');
          if (!Number.isNaN(storeMs)) aheadMs = storeMs - clock.now();
          // A network that asks to sign in first answers everything, and its page would read as an empty list.
          if (headers['content-type']?.startsWith('text/html') && commandName !== 'GetObjectCommand') throw notAStore();
          await takeAnswer(result.response as HttpAnswer, commandName === 'GetObjectCommand', silenceMs);
          return result;
        },
      // Nearest to the wire: it sees every answer, also those that are errors.
      { step: 'deserialize', name: 'lifeboatStoreTime', priority: 'low' },
    );
    return s3;
  };
  const [s3, patient] = [open(silenceMs), open(silenceMs * timesForLarge)];
  return { s3, patient, requests, storeNow: () => clock.now() + aheadMs };
}

interface HttpAnswer {
  readonly statusCode: number;
  body: Readable | Uint8Array | undefined;
}

/** Of everything but objects: a page of a thousand names is some hundred kilobytes. */
const mostAnswerBytes = 8 << 20;

/** Takes in what is no object before anybody looks at it, so that nothing larger and nothing endless reaches a parser. */
async function takeAnswer(answer: HttpAnswer, isObject: boolean, withinMs: number): Promise<void> {
  const { body, statusCode } = answer;
  if (!(body instanceof Readable) || (isObject && statusCode < 300)) return;
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  // A byte now and then is no silence: the whole of it has this time.
  const late = () => body.destroy(Object.assign(new Error('slow'), { code: 'ETIMEDOUT' }));
  const timer = setTimeout(late, withinMs);
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      sizeBytes += piece.length;
      if (sizeBytes > mostAnswerBytes) throw notAStore();
      pieces.push(piece);
    }
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  answer.body = Buffer.concat(pieces);
}

/** For answers that no store gives. */
export function notAStore(): Error {
  return Object.assign(new Error('not a store'), { name: 'NotAStore' });
}

/** Stores that are not Amazon's mostly take any region; Amazon's comes from its own settings. */
function regionOf({ region, endpoint }: S3Options): Pick<S3ClientConfig, 'region'> {
  if (region !== undefined) return { region };
  return endpoint === undefined ? {} : { region: 'us-east-1' };
}
