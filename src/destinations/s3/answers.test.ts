import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { withRetry } from '../wrap/retry.ts';
import { openS3 } from './destination.ts';

/** A store that answers as no real one should: every PUT is taken, whatever its hash. @param listing of both kinds */
async function odd(listing = ''): Promise<{ endpoint: string; keys: Set<string> }> {
  const keys = new Set<string>();
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '', 'http://store');
    request.resume();
    if (request.method === 'PUT') keys.add(pathname);
    if (request.method === 'DELETE') keys.delete(pathname);
    const answer = /list-type|versions/.test(search) ? listing : '<VersioningConfiguration/>';
    response.writeHead(request.method === 'DELETE' ? 204 : 200, { etag: '"x"', 'content-type': 'application/xml' });
    response.end(request.method === 'GET' ? answer : undefined);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, keys };
}

const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };

test('a listing that says it goes on and not where is no listing: what it leaves out would count as gone', async () => {
  const { endpoint } = await odd('<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>');
  const store = await openS3({ name: 'odd', type: 's3', bucket: 'shop', endpoint, credentials });
  await expect(Array.fromAsync(store.list('snapshots/'))).rejects.toMatchObject({ code: 'destination-unreachable' });
});

test('where a store takes what has another hash, the trial that showed it is taken away', async () => {
  const { endpoint, keys } = await odd();
  const store = withRetry(await openS3({ name: 'odd', type: 's3', bucket: 'shop', endpoint, credentials }));
  await store.put('vault.json', Buffer.from('x')).catch(() => {});
  expect([...keys].filter((key) => key.includes('probe/'))).toEqual([]);
});
