import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { openS3 } from '../../src/destinations/s3/destination.ts';
import { faultProxy } from '../support/fault-proxy.ts';
import { bucket } from '../support/rgw.ts';

/** Ceph 16 ignores If-None-Match; what a store that honours or refuses it answers is played before it. */
const honoured = { method: 'PUT', kind: 'refuse', status: 412, code: 'PreconditionFailed' } as const;
const notImplemented = { method: 'PUT', kind: 'refuse', status: 501, code: 'NotImplemented' } as const;

const nameOf = (body: Uint8Array) => `packs/aa/${createHash('sha256').update(body).digest('hex')}.age`;

async function opened() {
  const made = await bucket({ versions: true });
  const proxy = await faultProxy(made.endpoint);
  return { made, proxy, destination: await openS3({ ...made.options, endpoint: proxy.endpoint, name: 's3' }) };
}

test('a key that the store refuses to create again is compared: the same is fine, another is not', async () => {
  const { proxy, destination } = await opened();
  const body = randomBytes(5000);
  await destination.put(nameOf(body), body);
  proxy.play([{ ...honoured, path: /packs/ }]);
  expect(await destination.put(nameOf(body), body)).toMatchObject({ existed: true, sizeBytes: 5000 });
  expect(destination.capabilities.conditionalCreate).toBe(true);
  proxy.play([{ ...honoured, path: /gc/ }]);
  const other = destination.put('gc/1.json', Buffer.from('x'));
  await expect(other).rejects.toMatchObject({ code: 'destination-unreachable' });
  proxy.play([]);
  await destination.put('gc/2.json', Buffer.from('x'));
  // Nothing is looked for once the store has shown that it refuses.
  expect(proxy.requests).toEqual([expect.stringMatching(/^PUT .*gc\/2\.json$/)]);
  proxy.play([{ ...honoured, path: /gc/ }]);
  await expect(destination.put('gc/2.json', Buffer.from('y'))).rejects.toMatchObject({ code: 'object-exists' });
});

test('a trial shows that the store refuses a second creation: then every object takes one request', async () => {
  const { proxy, destination } = await opened();
  // The wrong hash, the record, and then the trial.
  proxy.play([{ ...honoured, nth: 3 }]);
  await destination.put('vault.json', Buffer.from('{}'));
  expect(proxy.unreached()).toEqual([]);
  expect(destination.capabilities.conditionalCreate).toBe(true);
  proxy.play([]);
  await destination.put('gc/1.json', Buffer.from('x'));
  expect(proxy.requests).toHaveLength(1);
});

test('a store that does not know the condition, nor the checksum, is served without', async () => {
  const { proxy, destination } = await opened();
  proxy.play([
    { ...notImplemented, path: /packs/, nth: 1 },
    { ...notImplemented, path: /packs/, nth: 2 },
  ]);
  const body = randomBytes(5000);
  expect(await destination.put(nameOf(body), body)).toMatchObject({ existed: false });
  expect(proxy.unreached()).toEqual([]);
  expect(Buffer.compare(await destination.get(nameOf(body)), body)).toBe(0);
  proxy.play([{ ...notImplemented, path: /packs/ }]);
  const refused = destination.put(nameOf(Buffer.from('y')), Buffer.from('y'));
  await expect(refused).rejects.toMatchObject({ code: 'destination-denied' });
});

test('a writer that may not read takes a refused pack as its own, and a refused record as what it is', async () => {
  const { made, proxy } = await opened();
  const { arn, keys } = await made.user();
  const Resource = [`arn:aws:s3:::${made.bucket}/*`];
  await made.allow([{ Effect: 'Allow', Principal: { AWS: [arn] }, Action: ['s3:PutObject'], Resource }]);
  const destination = await openS3({ ...made.options, credentials: keys, endpoint: proxy.endpoint, name: 's3' });
  await destination.put('vault.json', Buffer.from('{}'));
  const body = randomBytes(5000);
  proxy.play([honoured]);
  expect(await destination.put(nameOf(body), body)).toMatchObject({ existed: true });
  await expect(destination.put('gc/1.json', Buffer.from('x'))).rejects.toThrow(/may not read it to compare/);
});
