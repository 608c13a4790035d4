import { randomBytes } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dayMs } from '../../src/core/duration.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { ownStateFolder } from '../../src/host/state-folder.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { ledgerKey } from '../../src/vault/format/keys.ts';
import { encodeLedgerEntry } from '../../src/vault/format/ledger.ts';
import { decodeRecord, type SnapshotRecord } from '../../src/vault/format/record.ts';
import { newSigningKey, publicKeyOf } from '../../src/vault/format/signing.ts';
import { encodeVaultFile } from '../../src/vault/format/vault-file.ts';
import { measured } from '../cli/measured.ts';
import { lyingBucket } from '../support/lying-bucket.ts';
import { type Openssh, startOpenssh } from '../support/openssh.ts';
import { keyUser } from '../support/openssh-setup.ts';
import { evidence } from '../support/plant-vault.ts';
import { makeBucket, type TestBucket } from '../support/rgw.ts';
import { makeTemporaryFolder } from '../support/temp.ts';
import { stolenKey } from './forgeries.ts';
import type { Attack } from './hostile-attack.ts';
import { fillDisk, type HostilePlace, placeInBucket, placeOnDisk } from './hostile-place.ts';

export const kinds = ['local', 'sftp', 's3', 'versioned s3'] as const;
export type Kind = (typeof kinds)[number];

/** A vault before any attack: made by the command, at two places, by a host that is no longer there. */
export interface TrueVault extends AsyncDisposable {
  readonly points: readonly SnapshotRecord[];
  /** What each restore point held, by its id: bytes by path. */
  readonly pictures: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly keys: Attack['keys'];
  readonly recipient: string;
  /** The true proof. */
  readonly drill: string;
  /** Lays the vault out anew, its second place of this kind, and a machine that restores from it. */
  layOut(kind: Kind): Promise<LaidOut>;
}

export interface LaidOut extends AsyncDisposable {
  /** Where the restoring machine works: `lifeboat.yaml`, `key.txt`, and the honest place. */
  readonly folder: string;
  readonly hostile: HostilePlace;
  readonly honest: HostilePlace;
  readonly victim: string;
}

const dataset = 'uploads';
/** Who restores, who prunes, and the host that was taken over: folders of state. */
export type Machine = 'reader' | 'pruner' | 'host';

export async function makeTrueVault(): Promise<TrueVault> {
  await using all = new AsyncDisposableStack();
  const folder = all.use(await makeTemporaryFolder({ open: true })).path;
  const { identity, recipient } = generateIdentity();
  const oldMs = Date.now() - 60 * dayMs;
  const vault = newUlid(oldMs, randomBytes);
  const host = join(folder, 'host');
  mkdirSync(join(host, 'data/deep'), { recursive: true });
  writeFileSync(join(host, 'key.txt'), `${identity}\n`, { mode: 0o600 });
  // Older than its restore points, as vaults are: what is dated before a vault was made is no clock at all.
  const vaultFile = encodeVaultFile({ format: 1, vault, created: new Date(oldMs).toISOString() });
  for (const place of ['hostile', 'honest']) {
    mkdirSync(join(host, place, '.incoming'), { recursive: true });
    writeFileSync(join(host, place, 'vault.json'), vaultFile);
  }
  writeConfiguration(host, { recipient, hostile: '{ type: local, path: ./hostile }', writers: '' });
  const pictures: Record<string, string>[] = [];
  for (const round of [1, 2, 3]) {
    writeFileSync(join(host, 'data', `round ${round}`), randomBytes(40_000));
    writeFileSync(join(host, 'data/deep/changing'), `as of round ${round}`);
    await succeed(host, 'host', ['backup']);
    pictures.push(pictureOf(join(host, 'data')));
  }
  const records = join(host, 'honest/snapshots/harbor', dataset);
  const points = readdirSync(records)
    .sort()
    .map((name) => decodeRecord(readFileSync(join(records, name))));
  const keys = {
    host: stolenKey(stateOf('host', host)),
    blog: newSigningKey().privateKey,
    pruner: newSigningKey().privateKey,
    stranger: newSigningKey().privateKey,
  };
  const drill = proveOnce(host, vault, keys.host);
  mkdirSync(stateOf('pruner', host), { recursive: true });
  const pruner = { format: 1, vault, signingKey: keys.pruner, chunkKey: '0'.repeat(64), indexIdentity: identity };
  writeFileSync(join(stateOf('pruner', host), 'writer.json'), `${JSON.stringify(pruner)}\n`, { mode: 0o600 });
  const known = `writers: [${publicKeyOf(keys.host)}, { key: ${publicKeyOf(keys.blog)}, systems: [blog] }], pruners: [${publicKeyOf(keys.pruner)}]`;
  const yaml = { recipient, writers: `, ${known}` };
  writeConfiguration(host, { ...yaml, hostile: '{ type: local, path: ./hostile }' });
  // The machine that restores has seen the vault before.
  await succeed(host, 'reader', ['restore', dataset, '--into', 'seen', '--identity', 'key.txt']);
  const servers: Servers = {};
  const held = all.move();
  return {
    points,
    pictures: new Map(points.map(({ id }, at) => [id, pictures[at]!])),
    keys,
    recipient,
    drill,
    layOut: (kind) => layOut(kind, host, servers, held, (hostile) => ({ ...yaml, hostile })),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Evidence of a drill that went well, at both places. */
function proveOnce(host: string, vault: string, key: string): string {
  const nowMs = Date.now();
  const id = newUlid(nowMs, randomBytes);
  const time = new Date(nowMs).toISOString();
  const told = { id, started: time, verdict: 'proved', datasets: [dataset], rtoMs: 1000, left: [] } as const;
  const entry = { format: 1, vault, id, kind: 'drill', time, previous: null, sequence: 1, sealed: null } as const;
  const body = { ...evidence('harbor', told) };
  for (const place of ['hostile', 'honest']) {
    writeFileSync(join(host, place, ledgerKey(id)), encodeLedgerEntry({ ...entry, body }, key));
  }
  return id;
}

interface Yaml {
  readonly recipient: string;
  readonly hostile: string;
  readonly writers: string;
}

function writeConfiguration(folder: string, { recipient, hostile, writers }: Yaml): void {
  const text = (more: string) => `version: 1
system: harbor
vault: { recipients: [${recipient}]${writers} }
destinations:
  hostile: ${hostile}
  honest: { type: local, path: ./honest }
${more}datasets: { ${dataset}: { type: files, path: ./data } }
`;
  writeFileSync(join(folder, 'lifeboat.yaml'), text(''));
  writeFileSync(join(folder, 'with-third.yaml'), text('  third: { type: local, path: ./third }\n'));
}

/** Started when the first mix needs them. */
interface Servers {
  sftp?: Promise<Openssh>;
  s3?: Promise<TestBucket>;
  'versioned s3'?: Promise<TestBucket>;
}

async function layOut(
  kind: Kind,
  from: string,
  servers: Servers,
  held: AsyncDisposableStack,
  yaml: (hostile: string) => Yaml,
): Promise<LaidOut> {
  await using all = new AsyncDisposableStack();
  const folder = all.use(await makeTemporaryFolder({ open: true })).path;
  const copy = (one: string, other: string) => cpSync(one, other, { recursive: true, preserveTimestamps: true });
  for (const name of ['honest', 'data', 'key.txt']) copy(join(from, name), join(folder, name));
  for (const machine of ['reader', 'pruner', 'host'] as const) copy(stateOf(machine, from), stateOf(machine, folder));
  copy(stateOf('reader', from), stateOf('reader', folder, 'with-third.yaml'));
  const name = `mix-${randomBytes(6).toString('hex')}`;
  let hostile: HostilePlace;
  if (kind === 'local') {
    fillDisk(join(folder, 'hostile'), join(from, 'hostile'));
    hostile = placeOnDisk(join(folder, 'hostile'));
    writeConfiguration(folder, yaml('{ type: local, path: ./hostile }'));
  } else if (kind === 'sftp') {
    servers.sftp ??= startOpenssh().then((started) => held.use(started));
    const server = await servers.sftp;
    const { host, port, user, path, hostKeys } = server.options(name);
    fillDisk(path, join(from, 'hostile'), keyUser.uid);
    hostile = placeOnDisk(path, keyUser.uid);
    const signIn = `user: ${user}, key: '\${file:${server.keyFile}}', hostKeys: [${hostKeys?.join(', ')}]`;
    writeConfiguration(folder, yaml(`{ type: sftp, host: ${host}, port: ${port}, path: ${path}, ${signIn} }`));
  } else {
    const options = kind === 's3' ? {} : { versions: true };
    servers[kind] ??= makeBucket(options).then((made) => held.use(made));
    const bucket = await servers[kind];
    const lies = all.use(await lyingBucket(bucket.endpoint));
    hostile = placeInBucket(bucket, name, lies);
    const there = placeOnDisk(join(from, 'hostile'));
    for (const key of await there.keys()) await hostile.put(key, await there.get(key));
    const { accessKeyId, secretAccessKey } = bucket.keys;
    const where = `bucket: ${bucket.bucket}, prefix: ${name}, endpoint: '${lies.endpoint}', region: us-east-1`;
    const credentials = `{ accessKeyId: ${accessKeyId}, secretAccessKey: ${secretAccessKey} }`;
    writeConfiguration(folder, yaml(`{ type: s3, ${where}, credentials: ${credentials} }`));
  }
  const victim = join(folder, 'victim');
  mkdirSync(victim);
  for (const file of ['letter', '0123456789ab-8-1-0123456789abcdef']) {
    writeFileSync(join(victim, file), 'of this machine, and of nobody else');
    utimesSync(join(victim, file), oldSeconds, oldSeconds);
  }
  // Whoever serves the hostile place may write there too: then only we keep it whole.
  chmodSync(victim, 0o777);
  const moved = all.move();
  return {
    folder,
    hostile,
    honest: placeOnDisk(join(folder, 'honest')),
    victim,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

const oldSeconds = Date.now() / 1000 - 10 * 86_400;

/** What a machine remembers goes by where its configuration lies. */
function stateOf(machine: Machine, folder: string, file = 'lifeboat.yaml'): string {
  const env = { LIFEBOAT_STATE_DIR: join(folder, `state-${machine}`) };
  return ownStateFolder({ system: 'harbor', file: join(folder, file), env });
}

/** Every file below a folder, by path. */
export function pictureOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'base64')]));
}

/** Runs the command as one of the machines, in `folder`. */
export function runOn(machine: Machine, folder: string, args: readonly string[], command?: string) {
  const env = { LIFEBOAT_STATE_DIR: join(folder, `state-${machine}`), HOME: folder };
  return measured(folder, args, { env, ...(command !== undefined && { command }) });
}

async function succeed(folder: string, machine: Machine, args: readonly string[]): Promise<void> {
  const { code, stderr } = await runOn(machine, folder, args);
  if (code !== 0) throw new Error(`lifeboat ${args.join(' ')}: ${stderr}`);
}
