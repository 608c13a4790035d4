import { onTestFinished, vi } from 'vitest';
import { type BucketOptions, bucket } from './rgw.ts';
import { systemOver, type TestSystem } from './system.ts';
import { aSystem } from './vault.ts';

/** A system whose one destination is a bucket. Its keys are in the environment: there processes of their own find them too. */
export async function aSystemInBucket(options?: BucketOptions): Promise<TestSystem> {
  const { bucket: name, endpoint, keys } = await bucket(options);
  vi.stubEnv('AWS_ACCESS_KEY_ID', keys.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', keys.secretAccessKey);
  onTestFinished(() => void vi.unstubAllEnvs());
  const of = { required: true, where: {}, price: {}, roles: {}, region: 'us-east-1' };
  const base = await aSystem();
  const destinations = { ceph: { type: 's3', bucket: name, endpoint, ...of } as const };
  return systemOver({ ...base, config: { ...base.config, destinations } });
}
