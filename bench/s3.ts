import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { generateIdentity } from '../src/vault/age/identity.ts';
import { purgeBucket, startCeph } from '../test/support/ceph.ts';
import { quoted } from './contender.ts';
import { measure } from './measure.ts';
import { median } from './report.ts';

const megabyte = 2 ** 20;
/** As packs are. */
const objectBytes = 32 * megabyte;
const requestsAtOnce = 8;
/** Lines to a distant server: what a round trip takes, and what one connection carries, as its window allows. */
const lines = {
  far: { addedMs: 20, bytesPerSecond: Number.POSITIVE_INFINITY },
  farther: { addedMs: 100, bytesPerSecond: 20 * megabyte },
};
const lifeboat = join(import.meta.dirname, '../bin/lifeboat');

const steps = [
  'raw parallel PUT',
  'raw parallel GET',
  'backup, local',
  'backup, S3',
  'restore, local',
  'restore, S3',
  'restore, S3, 20 ms away',
  'raw PUT, 100 ms away',
  'raw GET, 100 ms away',
  'backup, S3, 100 ms away',
  'restore, S3, 100 ms away',
] as const;
type Step = (typeof steps)[number];

export interface S3Figures {
  readonly sizeBytes: number;
  readonly runs: number;
  /** Server and commands had a core each. */
  readonly apart: boolean;
  /** Wall time of each run; the steps of one run follow each other, so that what else the machine does meets all of them. */
  readonly wallMs: Readonly<Record<Step, readonly number[]>>;
  readonly peakBytes: Readonly<Partial<Record<Step, number>>>;
  /** Of the last run, by command. */
  readonly requests: Readonly<Partial<Record<Step, Readonly<Record<string, number>>>>>;
}

/** Lifeboat on a Ceph RGW of this machine beside the same on a local folder, and beside bare requests. */
export async function measureS3(
  work: string,
  {
    sizeBytes,
    runs,
    apart,
    say,
    signal,
  }: { sizeBytes: number; runs: number; apart: boolean; say: (line: string) => void; signal: AbortSignal },
): Promise<S3Figures> {
  const wallMs = Object.fromEntries(steps.map((step) => [step, [] as number[]])) as Record<Step, number[]>;
  const peakBytes: Partial<Record<Step, number>> = {};
  const requests: Partial<Record<Step, Record<string, number>>> = {};
  say('\ns3: starting Ceph and making the files …');
  if (apart) stayOn(1);
  await using ceph = await startCeph();
  if (apart) stayOn(0);
  const source = join(work, 'source');
  makeFiles(source, sizeBytes);
  const clientOf = (endpoint: string) =>
    new S3Client({
      endpoint,
      credentials: ceph.admin,
      region: 'us-east-1',
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      requestHandler: { httpAgent: new Agent({ keepAlive: true, maxSockets: 16 }) },
    });
  const client = clientOf(ceph.endpoint);
  await using far = await distantLine(ceph.endpoint, lines.far);
  await using farther = await distantLine(ceph.endpoint, lines.farther);
  const farClient = clientOf(farther.endpoint);
  for (let run = 0; run < runs; run++) {
    const bucket = `bench-${run}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    await client.send(new CreateBucketCommand({ Bucket: `${bucket}-raw` }));
    const raw = await rawRequests(client, `${bucket}-raw`, sizeBytes);
    wallMs['raw parallel PUT'].push(raw.putMs);
    wallMs['raw parallel GET'].push(raw.getMs);
    const distant = await rawRequests(farClient, `${bucket}-raw`, sizeBytes);
    wallMs['raw PUT, 100 ms away'].push(distant.putMs);
    wallMs['raw GET, 100 ms away'].push(distant.getMs);
    await purgeBucket(ceph, `${bucket}-raw`);
    const project = join(work, `run-${run}`);
    const at = { endpoint: ceph.endpoint, credentials: ceph.admin, bucket };
    const configs = await makeProject(project, source, at, { far: far.endpoint, farther: farther.endpoint });
    const one = async (step: Step, config: string, words: string) => {
      signal.throwIfAborted();
      const json = join(project, 'answer.json');
      const env = { LIFEBOAT_STATE_DIR: join(project, `state-${config}`) };
      const line = `${quoted(lifeboat)} --config ${quoted(configs[config]!)} --json ${words} > ${quoted(json)}`;
      const { wallMs: took, peakBytes: peak } = await measure({ line, env }, signal);
      wallMs[step].push(took);
      peakBytes[step] = Math.max(peakBytes[step] ?? 0, peak);
      const answer = (await import(json, { with: { type: 'json' } })) as { default: { requests?: object } };
      requests[step] = Object.assign({}, ...Object.values(answer.default.requests ?? {}));
      rmSync(json);
      say(`  run ${run + 1}: ${step}: ${Math.round(took)} ms`);
    };
    const back = join(project, 'back');
    const restore = `restore bench --into ${quoted(back)} --identity ${quoted(join(project, 'identity.txt'))}`;
    await one('backup, local', 'local', 'backup');
    await one('backup, S3', 's3', 'backup');
    for (const [step, config] of [
      ['restore, local', 'local'],
      ['restore, S3', 's3'],
      ['restore, S3, 20 ms away', 'far'],
      ['restore, S3, 100 ms away', 'farther'],
    ] as const) {
      await one(step, config, restore);
      rmSync(back, { recursive: true });
    }
    await purgeBucket(ceph, bucket);
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    await one('backup, S3, 100 ms away', 'farther', 'backup');
    rmSync(project, { recursive: true });
    await purgeBucket(ceph, bucket);
  }
  for (const each of [client, farClient]) each.destroy();
  return { sizeBytes, runs, apart, wallMs, peakBytes, requests };
}

/** Everything that this process starts from now on runs on that core, as it does itself. */
function stayOn(core: number): void {
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(process.pid)], { stdio: 'pipe' });
}

export function showS3({ sizeBytes, runs, apart, wallMs, peakBytes, requests }: S3Figures): string {
  const speed = (step: Step) => sizeBytes / megabyte / (median([...wallMs[step]]) / 1000);
  const lines = steps.map((step) => {
    const peak = peakBytes[step];
    const held = peak === undefined ? '' : `${Math.round(peak / megabyte)} MiB held`;
    const asked = Object.entries(requests[step] ?? {}).map(([name, count]) => `${name} ${count}`);
    return `${step.padEnd(26)}${speed(step).toFixed(0).padStart(6)} MiB/s  ${held.padEnd(14)}${asked.join(', ')}`.trimEnd();
  });
  // Paired: each run is divided by its own, and the median of the quotients counts.
  const ratio = (step: Step, ...others: Step[]) => {
    const all = wallMs[step].map((took, run) => Math.max(...others.map((other) => wallMs[other][run]!)) / took);
    return median(all).toFixed(2);
  };
  const where = apart ? 'Ceph RGW on one core of this machine, all else on another' : 'Ceph RGW on this machine';
  return [
    `${Math.round(sizeBytes / megabyte)} MiB that do not compress, medians of ${runs} runs, ${where}`,
    ...lines,
    '',
    `backup, of the slower of local and raw PUT     ${ratio('backup, S3', 'backup, local', 'raw parallel PUT')}  (bar 0.80)`,
    `restore, of the slower of local and raw GET    ${ratio('restore, S3', 'restore, local', 'raw parallel GET')}  (bar 0.80)`,
    `restore 20 ms away, of restore beside it       ${ratio('restore, S3, 20 ms away', 'restore, S3')}  (bar 0.50)`,
    `backup 100 ms away, of raw PUT there           ${ratio('backup, S3, 100 ms away', 'raw PUT, 100 ms away')}  (bar 0.60)`,
    `restore 100 ms away, of raw GET there          ${ratio('restore, S3, 100 ms away', 'raw GET, 100 ms away')}`,
  ].join('\n');
}

function makeFiles(folder: string, sizeBytes: number): void {
  mkdirSync(folder, { recursive: true });
  for (let at = 0, number = 0; at < sizeBytes; at += objectBytes, number++) {
    const file = openSync(join(folder, `file-${number}`), 'w');
    const end = Math.min(objectBytes, sizeBytes - at);
    for (let done = 0; done < end; done += megabyte) writeSync(file, randomBytes(Math.min(megabyte, end - done)));
    closeSync(file);
  }
}

async function rawRequests(
  client: S3Client,
  bucket: string,
  sizeBytes: number,
): Promise<{ putMs: number; getMs: number }> {
  const body = randomBytes(objectBytes);
  const numbers = Array.from({ length: Math.ceil(sizeBytes / objectBytes) }, (_, number) => number);
  const putMs = await elapsed(() =>
    inParallel(numbers, async (number) => {
      const command = new PutObjectCommand({ Bucket: bucket, Key: `${number}`, Body: body });
      unsigned(command);
      await client.send(command);
    }),
  );
  const getMs = await elapsed(() =>
    inParallel(numbers, async (number) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `${number}` }));
      for await (const _ of Body as AsyncIterable<Uint8Array>);
    }),
  );
  return { putMs, getMs };
}

/** Bare: without a hash of the body. */
function unsigned(command: PutObjectCommand): void {
  command.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'unsigned', priority: 'low' },
  );
}

async function inParallel(numbers: readonly number[], work: (number: number) => Promise<void>): Promise<void> {
  const queue = numbers.values();
  const line = async () => {
    for (const number of queue) await work(number);
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, line));
}

async function elapsed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

interface At {
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Configurations of one vault each: in a folder, in the bucket, and in the same bucket from far away. */
async function makeProject(
  folder: string,
  source: string,
  at: At,
  distant: Readonly<Record<keyof typeof lines, string>>,
): Promise<Record<string, string>> {
  mkdirSync(folder, { recursive: true });
  const pair = generateIdentity();
  writeFileSync(join(folder, 'identity.txt'), `${pair.identity}\n`, { mode: 0o600 });
  const recipients = [pair.recipient];
  const { accessKeyId, secretAccessKey } = at.credentials;
  const s3 = { type: 's3', endpoint: at.endpoint, bucket: at.bucket, credentials: { accessKeyId, secretAccessKey } };
  const destinations = {
    local: { type: 'local', path: join(folder, 'repository') },
    s3,
    far: { ...s3, endpoint: distant.far },
    farther: { ...s3, endpoint: distant.farther },
  };
  const files: Record<string, string> = {};
  for (const [name, destination] of Object.entries(destinations)) {
    const datasets = { bench: { type: 'files', path: source, defaultExcludes: false } };
    const config = {
      version: 1,
      system: 'bench',
      vault: { recipients },
      destinations: { [name]: destination },
      datasets,
    };
    files[name] = join(folder, `${name}.yaml`);
    // JSON is YAML.
    writeFileSync(files[name], JSON.stringify(config, null, 2));
  }
  return files;
}

interface DistantLine extends AsyncDisposable {
  readonly endpoint: string;
}

/** Passes bytes on as a long line does: each half of the added time later, and no faster than one connection carries. */
async function distantLine(
  target: string,
  { addedMs, bytesPerSecond }: { readonly addedMs: number; readonly bytesPerSecond: number },
): Promise<DistantLine> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.setNoDelay(true);
    // When the last byte that came has left the line. Timers go off a little before or after each other: what came first goes first.
    let freeMs = 0;
    const onTheWay: Buffer[] = [];
    from.on('data', (piece) => {
      const now = performance.now();
      freeMs = Math.max(freeMs, now) + (piece.length / bytesPerSecond) * 1000;
      onTheWay.push(piece);
      setTimeout(() => void to.write(onTheWay.shift()!), freeMs - now + addedMs / 2);
      from.pause();
      setTimeout(() => from.resume(), freeMs - now);
    });
    from.on('end', () => setTimeout(() => to.end(), Math.max(0, freeMs - performance.now()) + addedMs / 2 + 5));
    from.on('error', () => to.destroy());
    from.on('close', () => sockets.delete(from));
  };
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    pass(near, far);
    pass(far, near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
