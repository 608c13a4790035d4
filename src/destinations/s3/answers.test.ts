import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
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

/** A store whose answers to listings and reads are written by `answer`; everything else is as usual. */
async function hostile(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    const { search, pathname } = new URL(request.url ?? '', 'http://store');
    response.setHeader('content-type', 'application/xml');
    if (search.includes('versioning'))
      response.end('<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>');
    else if (search.includes('object-lock')) response.end('<ObjectLockConfiguration/>');
    else if (/list-type|versions/.test(search) || pathname.split('/').length > 2) answer(request, response);
    else response.end();
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const at = (endpoint: string) => ({ name: 'odd', type: 's3', bucket: 'shop', endpoint, credentials }) as const;
const unreachable = { code: 'destination-unreachable' };

test('M3: a page full of marks that are never closed is read in a moment', async () => {
  const endpoint = await hostile((_, response) => {
    response.end(`<ListVersionsResult>${'<Version>'.repeat(40_000)}</ListVersionsResult>`);
  });
  const store = await openS3(at(endpoint));
  const began = process.cpuUsage();
  await Array.fromAsync(store.history!.listVersions('ledger/')).catch(() => {});
  // Before: 24 s, and four times as much for twice the marks.
  expect(process.cpuUsage(began).user / 1e6).toBeLessThan(8);
});

test('M3: a page that is larger than any store gives is not taken', async () => {
  const endpoint = await hostile((_, response) => void response.end(`<ListBucketResult>${' '.repeat(9 << 20)}`));
  const store = await openS3(at(endpoint));
  await expect(Array.fromAsync(store.list('ledger/'))).rejects.toMatchObject(unreachable);
});

test('M3: a listing that says to go on where it was, goes back or goes on for ever is given up', async () => {
  let page = 0;
  const contents = (key: string) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`;
  const pages: Record<string, () => string> = {
    same: () =>
      `<NextContinuationToken>same</NextContinuationToken>${contents(`ledger/${String(page++).padStart(9, '0')}`)}`,
    back: () => `<NextContinuationToken>${page++}</NextContinuationToken>${contents('ledger/1')}`,
    empty: () => `<NextContinuationToken>${page++}</NextContinuationToken>`,
    endless: () =>
      `<NextContinuationToken>${page}</NextContinuationToken>${Array.from({ length: 100 }, () => contents(`ledger/${String(page++).padStart(9, '0')}`)).join('')}`,
  };
  for (const next of Object.values(pages)) {
    const endpoint = await hostile((_, response) => {
      response.end(`<ListBucketResult><IsTruncated>true</IsTruncated>${next()}</ListBucketResult>`);
    });
    const listing = { firstMs: 300, namesPerSecond: 1e6, folderMs: 1000, mostNames: 1000 };
    const store = await openS3({ ...at(endpoint), listing });
    await expect(Array.fromAsync(store.list('ledger/'))).rejects.toMatchObject(unreachable);
  }
});

test('M3: names of a listing that are not below its prefix, or are no keys, are left alone', async () => {
  const keys = ['ledger/../x', 'ledger/a', 'ledger/b\u0007', 'ledger//c', 'packs/1', '/etc/passwd'];
  const contents = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('');
  const endpoint = await hostile(
    (_, response) => void response.end(`<ListBucketResult>${contents}</ListBucketResult>`),
  );
  const store = await openS3(at(endpoint));
  expect((await Array.fromAsync(store.list('ledger/'))).map(({ key }) => key)).toEqual(['ledger/a']);
});

test('M3: of an object without end no more is taken than one of its kind may have', async () => {
  let sent = 0;
  const endpoint = await hostile((_, response) => {
    response.writeHead(200, { etag: '"x"', 'content-type': 'application/octet-stream' });
    const more = () => {
      while (!response.destroyed && sent < 1 << 30) {
        sent += 1 << 20;
        if (!response.write(Buffer.alloc(1 << 20, 97))) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  });
  const store = await openS3(at(endpoint));
  await expect(store.get('vault.json')).rejects.toMatchObject({ code: 'object-damaged' });
  await expect(store.get('ledger/1.json', undefined, { mostBytes: 10 })).rejects.toMatchObject({
    code: 'object-damaged',
  });
  expect(sent).toBeLessThan(64 << 20);
});

test('M3: a byte now and then holds nobody up, in a listing, an error or an object', async () => {
  const endpoint = await hostile((request, response) => {
    const status = request.url?.includes('denied') ? 403 : 200;
    response.writeHead(status, { etag: '"x"', 'content-length': 100_000 });
    const drip = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(drip));
  });
  const store = await openS3({ ...at(endpoint), silenceMs: 200 });
  await expect(store.get('packs/denied')).rejects.toMatchObject(unreachable);
  await expect(store.get('packs/1')).rejects.toMatchObject(unreachable);
  await expect(Array.fromAsync(store.list('ledger/'))).rejects.toMatchObject(unreachable);
});

test('M3: a redirect is not followed', async () => {
  let asked = 0;
  const elsewhere = await hostile((_, response) => {
    asked++;
    response.end('secret');
  });
  const endpoint = await hostile(
    (_, response) => void response.writeHead(307, { location: `${elsewhere}/shop/packs/1` }).end(),
  );
  const store = await openS3(at(endpoint));
  await expect(store.get('packs/1')).rejects.toMatchObject({ code: expect.stringMatching(/^destination-/) });
  expect(asked).toBe(0);
});

test('files-03: a large body that is on its way still is waited for, when nothing else would be', async () => {
  let sent = 0;
  const { promise: given, resolve: giveUp } = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      response.setHeader('etag', '"x"');
      if (!request.url?.includes('packs/')) return response.end();
      sent++;
      if (Number(request.headers['content-length']) > 1000) return given.then(() => response.end());
      return request.socket.on('close', giveUp);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = await openS3({ ...at(endpoint), silenceMs: 1000 });
  const put = (size: number) => {
    const body = Buffer.alloc(size);
    const sha256 = createHash('sha256').update(body).digest('hex');
    // Its name says its bytes, so it is sent without a look.
    return store.put(`packs/${sha256}`, body, { sha256 });
  };
  const large = put(1 << 20);
  while (sent === 0) await new Promise((resolve) => setImmediate(resolve));
  await expect(put(100)).rejects.toMatchObject(unreachable);
  expect(await large).toMatchObject({ sizeBytes: 1 << 20 });
});
