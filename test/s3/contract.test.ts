import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import type { S3Options } from '../../src/destinations/options.ts';
import { openDestination } from '../../src/destinations/registry.ts';
import { openS3 } from '../../src/destinations/s3/destination.ts';
import { destinationSuite } from '../suites/destination.suite.ts';
import { type BucketOptions, makeBucket, type TestBucket } from '../support/rgw.ts';

/** One bucket for a suite, and a prefix for each destination: making users and buckets takes longer than the tests. */
function suiteOn(name: string, bucketOptions: BucketOptions, more: Partial<S3Options>, hardened = false): void {
  let made: TestBucket;
  beforeAll(async () => {
    made = await makeBucket(bucketOptions);
  });
  afterAll(() => made[Symbol.asyncDispose]());
  destinationSuite(name, async () => {
    const options: S3Options = { ...made.options, ...more, prefix: `p/${randomBytes(4).toString('hex')}` };
    return hardened ? openDestination('s3', options) : openS3({ ...options, name: 's3' });
  });
}

suiteOn('s3, a plain bucket, as the registry opens it', {}, {}, true);
suiteOn('s3, a bucket that keeps versions', { versions: true }, {});
suiteOn('s3, a bucket with object lock', { lock: true }, { lock: { mode: 'governance', forMs: 60_000 } });
