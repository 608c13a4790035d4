import { chmod, mkdir, readFile, statfs, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sentenceOf } from '../core/errors.ts';
import { findOnPath } from '../process/programs.ts';
import { type Agent, startAgent } from './agent-client.ts';
import { sandboxFailed, sandboxTooSmall } from './errors.ts';
import {
  type Footing,
  insideRoot,
  type Placement,
  type Probed,
  type ProbeTarget,
  parts,
  type User,
} from './protocol.ts';
import { folderName, identify, type Registered, register, registryFolder, unregister } from './registry.ts';
import { removeSandbox } from './remove.ts';

export interface SandboxOptions {
  readonly stateDir: string;
  /** A ULID: the drill's. */
  readonly id: string;
  /** ISO 8601, for the registry. */
  readonly made: string;
  /** What will be written to it at most, roughly. */
  readonly needsBytes: number;
  /** Where the application may write: it sees what is there, its changes stay in the sandbox. Absolute. */
  readonly workFolders: readonly string[];
  /** Files and folders that nothing inside may see: destinations, identities, our state. */
  readonly hidden: readonly string[];
  /** Which ways are tried before doing without namespaces; what this host can do when absent. */
  readonly footings?: readonly Footing[];
}

/** What was done to keep the drill away from production, and what trying to get out showed. */
export interface Isolation {
  readonly footing: Footing;
  /** True only when every attempt to get out failed. */
  readonly network: boolean;
  /** True when the file system is sealed: read-only or layered, with destinations and keys hidden. */
  readonly files: boolean;
  readonly probes: readonly Probed[];
  readonly notes: readonly string[];
}

export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  /** 0700, on the host. */
  readonly folder: string;
  readonly agent: Agent;
  readonly isolation: Isolation;
  /** Where restored data goes, on the host. */
  readonly restored: string;
  /** The folder of sockets: on the host, short enough for one, and as seen inside. */
  readonly sockets: { readonly outside: string; readonly inside: string };
  /** A path below `folder`, as it is seen inside. */
  inside(path: string): string;
  /** Binds restored copies over production paths; the notes name those that could not be. */
  place(places: readonly Placement[]): Promise<readonly string[]>;
}

/** Room beside the data: logs, a server's own files, the application's changes. */
const marginBytes = 64 << 20;
/** A socket's path may have 107 bytes, of which PostgreSQL's own name takes up to 20. */
const longestSocketFolder = 85;

/**
 * Makes a private place for one drill. It is registered first; its disposal removes everything, and `collectGarbage` does
 * when we are killed.
 * @throws `sandbox-too-small`, `sandbox-failed`
 */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { stateDir, id } = options;
  await mkdir(registryFolder(stateDir), { recursive: true, mode: 0o700 });
  const { agent, refused } = await startSomehow(options.footings ?? (await footingsHere()));
  let entry: Registered | undefined;
  try {
    // Without namespaces a server that runs as another user must be able to walk to its files.
    const base = agent.footing === 'none' ? tmpdir() : registryFolder(stateDir);
    await refuseWithoutRoom(base, options.needsBytes);
    entry = await describe(options, join(base, folderName(id)), agent);
    await register(stateDir, entry);
    return await build(options, entry, agent, refused);
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    if (entry !== undefined) await forget(stateDir, entry);
    throw error;
  }
}

async function describe(options: SandboxOptions, folder: string, agent: Agent): Promise<Registered> {
  const [owner, inside] = [await identify(process.pid), await identify(agent.pid)];
  if (owner === undefined || inside === undefined) {
    throw sandboxFailed({ doing: 'be registered', why: 'the system does not tell when its processes began' });
  }
  const tooLong = Buffer.byteLength(join(folder, 's')) > longestSocketFolder;
  const link = tooLong ? { link: join('/tmp', folderName(options.id)) } : {};
  return { id: options.id, made: options.made, owner, folder, agent: inside, ...link };
}

async function forget(stateDir: string, entry: Registered): Promise<void> {
  await removeSandbox(entry);
  await unregister(stateDir, entry.id);
}

async function build(
  options: SandboxOptions,
  entry: Registered,
  agent: Agent,
  refused: readonly string[],
): Promise<Sandbox> {
  const { folder, link, id } = entry;
  const sandboxed = agent.footing !== 'none';
  await mkdir(folder, { mode: sandboxed ? 0o700 : 0o711 });
  for (const part of [...parts, 'layers']) await mkdir(join(folder, part), { mode: 0o755 });
  await chmod(join(folder, 'tmp'), 0o1777);
  if (link !== undefined) await symlink(join(folder, 's'), link);
  const isolation = await close(options, folder, agent, refused);
  const inside = (path: string) => (sandboxed ? path.replace(folder, insideRoot) : path);
  return {
    id,
    folder,
    agent,
    isolation,
    restored: join(folder, 'restored'),
    sockets: { outside: link ?? join(folder, 's'), inside: inside(join(folder, 's')) },
    inside,
    async place(places) {
      if (!sandboxed) return places.map(({ to }) => `${to}: nothing is placed there without namespaces`);
      return (await agent.call('place', { places })).notes;
    },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await forget(options.stateDir, entry);
    },
  };
}

/** Seals it and tries to get out. */
async function close(
  options: SandboxOptions,
  folder: string,
  agent: Agent,
  refused: readonly string[],
): Promise<Isolation> {
  const { footing } = agent;
  const sealed = await agent.call('seal', {
    footing,
    self: ourselves(),
    box: folder,
    layered: options.workFolders,
    alsoLayered: usualFolders,
    masked: [...options.hidden],
    sockets: footing === 'none' ? [] : await listeningSockets(folder),
  });
  await using listener = await listenOnHost();
  const targets: ProbeTarget[] = [
    { kind: 'tcp', host: '192.0.2.1', port: 443 },
    { kind: 'tcp', host: '127.0.0.1', port: listener.port },
    ...(footing === 'none' ? [] : options.hidden.map((path) => ({ kind: 'path' as const, path }))),
  ];
  const probes = await agent.call('probe', { targets, timeoutMs: 1500 });
  const network = footing !== 'none' && probes.every((one) => !one.target.startsWith('tcp ') || !one.reached);
  const files = footing !== 'none' && probes.every((one) => !one.target.startsWith('path ') || !one.reached);
  return { footing, network, files, probes, notes: [...refused, ...sealed.notes] };
}

/** Folders that applications write to besides their own. */
const usualFolders = ['/tmp', '/var', '/home', '/srv', '/opt', '/etc'];

async function startSomehow(footings: readonly Footing[]): Promise<{ agent: Agent; refused: string[] }> {
  const refused: string[] = [];
  for (const footing of footings) {
    try {
      return { agent: await startAgent(footing), refused };
    } catch (error) {
      refused.push(`no namespaces: ${sentenceOf(error)}`);
    }
  }
  return { agent: await startAgent('none'), refused };
}

async function footingsHere(): Promise<Footing[]> {
  if (process.platform !== 'linux' || (await findOnPath('unshare')) === undefined) return [];
  return process.getuid?.() === 0 ? ['root', 'user'] : ['user'];
}

function ourselves(): User {
  return { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };
}

async function refuseWithoutRoom(folder: string, needsBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  const wanted = needsBytes + marginBytes;
  if (freeBytes < wanted) throw sandboxTooSmall({ folder, needsBytes: wanted, freeBytes });
}

/** Sockets with a path on which something listens now, except the sandbox's own. */
async function listeningSockets(folder: string): Promise<string[]> {
  const table = await readFile('/proc/net/unix', 'utf8').catch(() => '');
  const found = table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const path = fields.slice(7).join(' ');
    // __SO_ACCEPTCON: it listens.
    return path.startsWith('/') && (Number.parseInt(fields[3] ?? '0', 16) & 0x10000) !== 0 ? [path] : [];
  });
  return [...new Set(found)].filter((path) => !path.startsWith(folder)).slice(0, 2000);
}

/** A listener on the host's own loopback, which the sandbox must not reach. */
function listenOnHost(): Promise<{ port: number } & AsyncDisposable> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      resolve({ port, [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())) });
    });
  });
}
