import { createHash, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { Destination } from '../../src/destinations/destination.ts';
import { openS3 } from '../../src/destinations/s3/destination.ts';
import { withLimit } from '../../src/destinations/wrap/limit.ts';
import { withRetry } from '../../src/destinations/wrap/retry.ts';
import { type FaultProxy, faultProxy, type ProxyFault } from '../support/fault-proxy.ts';
import { type BucketOptions, bucket, type TestBucket } from '../support/rgw.ts';

/** Long enough for a busy machine, short enough to wait for. */
const silenceMs = 1500;

interface Proxied {
  readonly made: TestBucket;
  readonly proxy: FaultProxy;
  /** Tried again, without the pauses. */
  readonly destination: Destination;
  /** Not tried again. */
  readonly once: Destination;
}

async function proxied(options: BucketOptions = { lock: true }): Promise<Proxied> {
  const made = await bucket(options);
  const proxy = await faultProxy(made.endpoint);
  const once = await openS3({ ...made.options, endpoint: proxy.endpoint, name: 's3', silenceMs });
  // What every process finds out once is found out, so that the faults meet what comes after.
  const destination = withRetry(once, { sleep: async () => {} });
  await destination.put('vault.json', Buffer.from('{}'));
  onTestFinished(() => expect(proxy.unreached()).toEqual([]));
  return { made, proxy, once, destination };
}

const nameOf = (body: Uint8Array) => `packs/aa/${createHash('sha256').update(body).digest('hex')}.age`;

/** A name that says nothing of its bytes, and one that says all. */
const names: ReadonlyArray<readonly [string, (body: Uint8Array) => string]> = [
  ['a pack', nameOf],
  ['a record', () => 'snapshots/db/2026-11-21T03:00:00Z-01ABC.json'],
];

const uploads: readonly ProxyFault[] = [
  { kind: 'reset' },
  { kind: 'cut-upload' },
  { kind: 'hang' },
  { kind: 'refuse', status: 503, code: 'SlowDown' },
  { kind: 'refuse', status: 500, code: 'InternalError' },
  { kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' },
  { kind: 'garble-upload' },
  { kind: 'swallow' },
  { kind: 'silence' },
];

for (const [what, name] of names) {
  for (const fault of uploads) {
    test(`an upload of ${what} that meets ${fault.kind} ${fault.code ?? ''} ends whole, in one version`, async () => {
      const { destination, proxy } = await proxied();
      const body = randomBytes(300_000);
      const key = name(body);
      proxy.play([{ ...fault, method: 'PUT', path: /packs|snapshots/, nth: 1 }]);
      expect(await destination.put(key, body)).toMatchObject({ sizeBytes: body.length });
      expect(Buffer.compare(await destination.get(key), body)).toBe(0);
      expect(await destination.history?.versionsOf(key)).toHaveLength(1);
    });
  }
}

const downloads: readonly ProxyFault[] = [
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'refuse', status: 503, code: 'SlowDown' },
  { kind: 'swallow' },
  { kind: 'silence' },
  { kind: 'truncate' },
  { kind: 'stall' },
];

for (const fault of downloads) {
  test(`a download that meets ${fault.kind} ends in the right bytes, never in fewer`, async () => {
    const { destination, once, proxy } = await proxied({});
    const body = randomBytes(300_000);
    const key = nameOf(body);
    await destination.put(key, body);
    for (const range of [undefined, { offset: 1000, length: 200_000 }]) {
      const expected = range === undefined ? body : body.subarray(range.offset, range.offset + range.length);
      proxy.play([{ ...fault, method: 'GET', nth: 1 }]);
      expect(Buffer.compare(await destination.get(key, range), expected)).toBe(0);
      proxy.play([{ ...fault, method: 'GET' }]);
      await expect(once.get(key, range)).rejects.toMatchObject({ code: 'destination-unreachable' });
    }
  });
}

test('a range that comes short, with a matching length, is not taken for whole', async () => {
  const { destination, proxy } = await proxied({});
  const body = randomBytes(3000);
  await destination.put('a', body);
  proxy.play([{ method: 'GET', kind: 'shorten', nth: 1 }]);
  expect(Buffer.compare(await destination.get('a', { offset: 0, length: 3000 }), body)).toBe(0);
});

test('a page of another server is no answer of a store', async () => {
  const { once, proxy } = await proxied({ versions: true });
  proxy.play([{ kind: 'page' }]);
  const unreachable = { code: 'destination-unreachable' };
  await expect(once.put('a', Buffer.from('x'))).rejects.toMatchObject(unreachable);
  await expect(once.get('a', { offset: 0, length: 20 })).rejects.toMatchObject(unreachable);
  await expect(listed(once)).rejects.toMatchObject(unreachable);
  await expect(once.history!.versionsOf('a')).rejects.toMatchObject(unreachable);
});

async function listed(destination: Destination): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of destination.list('')) keys.push(key);
  return keys.sort();
}

test('a listing whose later pages fail gives each key once all the same', async () => {
  const { made, once, proxy } = await proxied({ versions: true });
  const keys = Array.from({ length: 230 }, (_, n) => `index/${n}`);
  const filling = withLimit(await openS3({ ...made.options, name: 's3' }), 8);
  await Promise.all(keys.map((key) => filling.put(key, Buffer.from(key))));
  const path = /list-type/;
  proxy.play([
    { path, kind: 'refuse', nth: 2 },
    { path, kind: 'truncate', nth: 4 },
  ]);
  expect(await listed(once)).toEqual([...keys, 'vault.json'].sort());
  proxy.play([{ path: /versions/, kind: 'reset', nth: 2 }]);
  const versions: string[] = [];
  for await (const { key } of once.history!.listVersions('index/')) versions.push(key);
  expect(versions.sort()).toEqual(keys.sort());
});

test('an abort ends an upload and a download that hang, with its reason', async () => {
  const { once, proxy } = await proxied({});
  await once.put('a', Buffer.from('x'));
  for (const work of [
    (signal: AbortSignal) => once.put(nameOf(Buffer.from('y')), Buffer.from('y'), { signal }),
    (signal: AbortSignal) => once.get('a', undefined, { signal }),
  ]) {
    proxy.play([{ kind: 'hang' }]);
    const stop = new AbortController();
    const working = work(stop.signal);
    await expect.poll(() => proxy.requests.length).toBe(1);
    stop.abort(new Error('the user said stop'));
    await expect(working).rejects.toThrow('the user said stop');
  }
});

test('no error shows a key, a signature or what a server said', async () => {
  const { made, proxy, once } = await proxied({});
  const codes = ['AccessDenied', 'SignatureDoesNotMatch', 'QuotaExceeded', 'NoSuchBucket', 'Teapot', 'ExpiredToken'];
  const errors: unknown[] = [];
  for (const code of codes) {
    for (const kind of ['refuse', 'reset'] as const) {
      proxy.play([{ kind, status: 403, code }]);
      for (const work of [
        () => once.put('a', Buffer.from('x')),
        () => once.get('a'),
        () => once.stat('a'),
        () => listed(once),
      ]) {
        errors.push(await work().catch((error: unknown) => error));
      }
    }
  }
  expect(errors).toHaveLength(48);
  for (const error of errors) {
    const shown = inspect(error, { depth: 9, showHidden: true });
    expect(shown).not.toContain(made.keys.secretAccessKey);
    expect(shown).not.toContain(made.keys.accessKeyId);
    expect(shown).not.toMatch(/Signature=|AWS4-HMAC/);
    expect(error).toMatchObject({ code: expect.stringMatching(/^destination-/) });
  }
});

test('connections are used again, and those that broke are not kept', async () => {
  const { destination, proxy } = await proxied({});
  proxy.play([{ kind: 'truncate', method: 'GET', nth: 3 }]);
  await destination.put('a', randomBytes(50_000));
  for (let n = 0; n < 20; n++) await destination.get('a', { offset: n, length: 40_000 });
  expect(proxy.requests.length).toBeGreaterThan(20);
  expect(proxy.connections()).toBeLessThanOrEqual(2);
});
