import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { type Business, found } from '../../examples/demo/business.ts';
import { type PrivatePostgres, startPostgres } from '../../examples/private-postgres.ts';
import { probe } from '../../src/sandbox/inside/probe.ts';
import { lifeboat } from '../cli/lifeboat.ts';
import { forward } from '../support/forward.ts';
import { bucket, type TestBucket } from '../support/rgw.ts';
import { temporaryFolder } from '../support/temp.ts';
import type { OneWay, Outlook } from './one-way.ts';

const run = promisify(execFile);
const project = join(import.meta.dirname, '../..');

for (const engine of ['SQLite', 'PostgreSQL'] as const) {
  test(`B3: Harbor on ${engine} is back on a bare machine with two commands, from the key and the bucket alone`, async () => {
    const root = await temporaryFolder();
    const lost = join(root, 'lost');
    mkdirSync(lost);
    const pgFolder = await temporaryFolder({ open: true });
    let server = engine === 'PostgreSQL' ? await startPostgres(pgFolder) : undefined;
    onTestFinished(() => server?.stop());
    const place = await bucket();
    const business = await protectedBusiness(lost, server, place);
    const before = await show(business.folder);

    // The host is gone: its data, its configuration, its state, its keys; the server of its database too.
    const key = join(root, 'offline.txt');
    renameSync(business.identities.offline, key);
    rmSync(lost, { recursive: true });
    mkdirSync(lost);
    if (server !== undefined) {
      await server.stop();
      rmSync(join(pgFolder, 'pg'), { recursive: true });
      server = await startPostgres(pgFolder);
    }

    const { endpoint, bucket: name, keys } = place;
    const home = join(root, 'home');
    mkdirSync(home);
    const address = `s3://${name}/vaults/harbor?endpoint=${encodeURIComponent(endpoint)}&region=us-east-1`;
    const words = [lost, address, key, business.folder, project];
    const [bootstrapped, recovered, shown, took] = await onBareMachine(place, words, {
      PATH: `${join(project, 'bin')}:${process.env.PATH}`,
      HOME: home,
      LIFEBOAT_STATE_DIR: join(home, 'state'),
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    });
    expect(bootstrapped).toMatch(/lifeboat recover --config \S+\/harbor\/lifeboat\.yaml --identity \S+offline\.txt$/);
    expect(recovered).toContain('All of it is back: 3 datasets');
    expect(recovered?.match(/As recorded/g)).toHaveLength(3);
    expect(JSON.parse(shown ?? '')).toEqual(before);
    expect(took).toMatch(/^2 commands, \d+ ms$/);
    console.log(`${engine}: ${took}`);
  });
}

/** Harbor with invoices and uploads, its backups in a bucket, whose keys the configuration has in a file of its own. */
async function protectedBusiness(
  lost: string,
  server: PrivatePostgres | undefined,
  place: TestBucket,
): Promise<Business> {
  if (server !== undefined) await query(server, 'create database harbor');
  const business = await found(lost, server?.url('harbor'));
  const file = join(business.folder, 'lifeboat.yaml');
  const { endpoint, bucket, keys } = place;
  const destinations = `destinations:
  bucket:
    type: s3
    bucket: ${bucket}
    prefix: vaults/harbor
    endpoint: ${endpoint}
    region: us-east-1
    credentials: { accessKeyId: "\${S3_KEY}", secretAccessKey: "\${S3_SECRET}" }

`;
  const text = readFileSync(file, 'utf8');
  writeFileSync(
    file,
    text
      .replace(/^destinations:\n(?: .*\n|\n)+/m, destinations)
      .replace(/^system: harbor$/m, '$&\nenvFile: lifeboat.env'),
  );
  const secrets = {
    S3_KEY: keys.accessKeyId,
    S3_SECRET: keys.secretAccessKey,
    ...(server && { DATABASE_URL: server.url('harbor') }),
  };
  const lines = Object.entries(secrets).map(([name, value]) => `${name}='${value}'\n`);
  writeFileSync(join(business.folder, 'lifeboat.env'), lines.join(''), { mode: 0o600 });
  await business.seed({ customers: 20, invoices: 60, uploads: 20 });
  const backup = await lifeboat(business.folder, ['backup'], { LIFEBOAT_STATE_DIR: join(lost, 'state') });
  expect(backup.code, backup.stderr).toBe(0);
  // The key is older than the configuration: what belongs beside it is written there by hand.
  const listed = await lifeboat(business.folder, ['keys', 'list', '--json'], {
    LIFEBOAT_STATE_DIR: join(lost, 'state'),
  });
  const beside: string[] = JSON.parse(listed.stdout).beside;
  const { offline } = business.identities;
  const noted = [...beside.map((line) => `# ${line}`), readFileSync(offline, 'utf8')];
  writeFileSync(offline, noted.join('\n'), { mode: 0o600 });
  return business;
}

/** What the application shows to a person who signs in. */
async function show(folder: string): Promise<unknown> {
  const script = join(import.meta.dirname, 'open-business.ts');
  const { stdout } = await run(process.execPath, [script, folder, 'ada@harbor.example', 'only for this demo']);
  return JSON.parse(stdout);
}

/** What `nothing.sh` prints, in a namespace of mounts and one of the network, from which only the bucket is reached. */
async function onBareMachine(
  place: TestBucket,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string[]> {
  const port = Number(new URL(place.endpoint).port);
  const socket = join(await temporaryFolder(), 'bucket');
  await using way = await forward({ path: socket }, { host: '127.0.0.1', port });
  // Something else that listens on this host, at all of its addresses.
  const neighbour = createServer((caller) => caller.destroy()).listen(0, '0.0.0.0');
  onTestFinished(() => void neighbour.close());
  await once(neighbour, 'listening');
  const { port: another } = neighbour.address() as AddressInfo;
  const others = addressesOfHost().map((host) => ({ kind: 'tcp', host, port: another }) as const);
  for (const { target, reached } of await probe({ targets: others, timeoutMs: 5000 }))
    expect(reached, target).toBe(true);

  const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const here = (name: string) => join(import.meta.dirname, name);
  const oneWay = [process.execPath, here('one-way.ts'), JSON.stringify({ port, socket, others } satisfies OneWay)];
  const apart = [...asRoot, '--mount', '--propagation', 'private', '--net'];
  const args = [...apart, ...oneWay, 'sh', here('nothing.sh'), ...words];
  const { stdout } = await run('unshare', args, { env, timeout: 600_000 });
  const [outlook = '', ...rest] = stdout.split('\n');
  expectOnlyTheBucket(JSON.parse(outlook) as Outlook, others.length);
  // More than the one that tried it.
  expect(way.connections()).toBeGreaterThan(1);
  return rest
    .join('\n')
    .split('===\n')
    .map((part) => part.trim());
}

function expectOnlyTheBucket({ interfaces, bucket, others }: Outlook, tried: number): void {
  expect(interfaces).toEqual(['lo']);
  expect(bucket).toMatchObject({ reached: true, what: 'connected' });
  expect(others).toHaveLength(tried);
  for (const { target, reached, what } of others) expect(reached, `${target}: ${what}`).toBe(false);
}

function addressesOfHost(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  return addresses.filter(({ family }) => family === 'IPv4').map(({ address }) => address);
}

async function query(server: PrivatePostgres, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server.url('postgres') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
