import { ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { ceph, clientOf, makeBucket } from '../support/rgw.ts';

test('a bucket of the test server goes with everything in it, locked or not', async () => {
  const { endpoint, admin } = await ceph();
  const made = await makeBucket({ lock: { mode: 'COMPLIANCE', days: 1 } });
  await made.client.send(new PutObjectCommand({ Bucket: made.bucket, Key: 'a', Body: 'x' }));
  await made[Symbol.asyncDispose]();
  const listing = clientOf(endpoint, admin).send(new ListObjectVersionsCommand({ Bucket: made.bucket }));
  await expect(listing).rejects.toMatchObject({ name: 'NoSuchBucket' });
});

test('another user may do only what a policy allows', async () => {
  await using made = await makeBucket();
  const other = await made.user();
  const client = clientOf(made.endpoint, other.keys);
  const put = (Key: string) => client.send(new PutObjectCommand({ Bucket: made.bucket, Key, Body: 'x' }));
  await expect(put('a')).rejects.toMatchObject({ name: 'AccessDenied' });
  const Resource = [`arn:aws:s3:::${made.bucket}/in/*`];
  await made.allow([{ Effect: 'Allow', Principal: { AWS: [other.arn] }, Action: ['s3:PutObject'], Resource }]);
  await put('in/a');
  await expect(put('a')).rejects.toMatchObject({ name: 'AccessDenied' });
});
