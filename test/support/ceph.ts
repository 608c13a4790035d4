import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Where a Ceph S3 gateway listens, and the user that may make others. */
export interface CephAccess {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly admin: CephKeys;
}

export interface CephKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Ceph extends CephAccess, AsyncDisposable {
  stop(): Promise<void>;
}

/** A private Ceph with its data in memory. It takes about ten seconds, and ends with the process that started it. */
export async function startCeph(): Promise<Ceph> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce();
    } catch (error) {
      // Somebody else may have taken a port between finding it and using it.
      if (attempt === 3) throw error;
    }
  }
}

async function startOnce(): Promise<Ceph> {
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-ceph-'));
  const [port, monitorPort] = [await freePort(), await freePort()];
  const admin = newKeys();
  const words = [folder, String(port), String(monitorPort), admin.accessKeyId, admin.secretAccessKey];
  const server = spawn(join(import.meta.dirname, 'ceph.sh'), words, {
    stdio: ['pipe', 'pipe', 'pipe'],
    // An interrupt at the terminal must not reach the servers: their shell ends them.
    detached: true,
  });
  await untilReady(server);
  const stop = async () => {
    server.stdin.end();
    if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
  };
  return { endpoint: `http://127.0.0.1:${port}`, admin, stop, [Symbol.asyncDispose]: stop };
}

async function untilReady(server: ChildProcess): Promise<void> {
  let said = '';
  server.stderr?.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-4000);
  });
  for await (const line of createInterface({ input: server.stdout! })) if (line === 'ready') return;
  throw new Error(`Ceph did not start: ${said}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export function newKeys(): CephKeys {
  return { accessKeyId: randomBytes(10).toString('hex'), secretAccessKey: randomBytes(20).toString('hex') };
}

/** Makes a user, who may do nothing with other people's buckets unless a policy of theirs says so. */
export async function createCephUser(access: CephAccess, name: string): Promise<CephKeys> {
  const keys = newKeys();
  await administer(access, 'PUT', 'user', {
    uid: name,
    'display-name': name,
    'access-key': keys.accessKeyId,
    'secret-key': keys.secretAccessKey,
  });
  return keys;
}

/** Removes a bucket with all that is in it, locked or not: only an administrator of Ceph can. */
export async function purgeBucket(access: CephAccess, bucket: string): Promise<void> {
  await administer(access, 'DELETE', 'bucket', { bucket, 'purge-objects': 'true' });
}

/** No user takes more than so much, as a full place would. */
export async function limitUser(access: CephAccess, name: string, mostBytes: number): Promise<void> {
  const limit = { 'max-size-kb': String(Math.ceil(mostBytes / 1024)), 'max-objects': '-1', enabled: 'true' };
  await administer(access, 'PUT', 'user', { quota: '', uid: name, 'quota-type': 'user', ...limit });
}

async function administer(
  { endpoint, admin }: CephAccess,
  method: string,
  what: string,
  query: Readonly<Record<string, string>>,
): Promise<void> {
  const date = new Date().toUTCString();
  const path = `/admin/${what}`;
  const signature = createHmac('sha1', admin.secretAccessKey)
    .update(`${method}\n\n\n${date}\n${path}`)
    .digest('base64');
  const response = await fetch(`${endpoint}${path}?${new URLSearchParams(query)}`, {
    method,
    headers: { date, authorization: `AWS ${admin.accessKeyId}:${signature}` },
  });
  const said = await response.text();
  if (!response.ok) throw new Error(`Ceph refused ${method} ${path}: ${response.status} ${said}`);
}
