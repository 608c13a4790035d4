import { HeadBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import type { ListingBounds } from '../listing-bounds.ts';
import type { S3Options } from '../options.ts';
import { tryAgain } from '../wrap/retry.ts';
import { type Client, type ClientOptions, openClient } from './client.ts';
import { failureOf, type Place, saysAbsent, saysDenied } from './failure.ts';
import { type Features, findFeatures } from './features.ts';

/** A bucket that was reached, with all that its verbs share. */
export interface Bucket extends Place {
  readonly options: S3Options;
  readonly features: Features;
  readonly client: Client;
  readonly silenceMs: number;
  readonly listing: ListingBounds;
  /** The object's name in the bucket. */
  objectKey(key: string): string;
  /** What `key` a name in the bucket stands for; undefined when it is none of ours. */
  keyOf(objectKey: string): string | undefined;
  /** Sends it; failures are the port's errors, and an abort throws its reason. */
  call<T>(
    work: (s3: S3Client, abort: { readonly abortSignal?: AbortSignal }) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>;
  /** The same, and `refused` looks at what a server says first: what it gives is the answer, undefined passes it on. */
  ask<T>(
    work: (s3: S3Client, abort: { readonly abortSignal?: AbortSignal }) => Promise<T>,
    refused: (error: unknown) => T | undefined | Promise<T | undefined>,
    signal?: AbortSignal,
  ): Promise<T>;
  /** Throws unless the bucket is there: a 404 without words may mean either. */
  requireBucket(): Promise<void>;
}

/** Reaches a bucket and asks what it keeps; what these credentials may not know is taken as not there. */
export async function openBucket(
  options: ClientOptions & { readonly name: string; readonly listing: ListingBounds },
): Promise<Bucket> {
  const { name, bucket, prefix, silenceMs, listing } = options;
  const start = prefix === undefined ? '' : `${prefix}/`;
  const location = `s3://${bucket}${prefix === undefined ? '' : `/${prefix}`}`;
  const place: Place = { name, location, bucket };
  const client = openClient(options);

  const ask: Bucket['ask'] = async (work, refused, signal) => {
    signal?.throwIfAborted();
    try {
      return await work(client.s3, signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      const answer = await refused(error);
      if (answer !== undefined) return answer;
      throw failureOf(error, place);
    }
  };
  const call: Bucket['call'] = (work, signal) => ask(work, () => undefined, signal);
  const features = await tryAgain(() => findFeatures({ ask }, options));

  return {
    ...place,
    options,
    client,
    silenceMs,
    listing,
    features,
    objectKey: (key) => start + key,
    keyOf: (objectKey) => (objectKey.startsWith(start) ? objectKey.slice(start.length) : undefined),
    call,
    ask,
    async requireBucket() {
      await ask(
        (s3) => s3.send(new HeadBucketCommand({ Bucket: bucket })),
        (error) => {
          if (saysDenied(error)) return { $metadata: {} };
          if (saysAbsent(error)) throw failureOf({ name: 'NoSuchBucket', $metadata: { httpStatusCode: 404 } }, place);
          return undefined;
        },
      );
    },
  };
}
