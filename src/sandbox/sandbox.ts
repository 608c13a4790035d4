import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { chmod, mkdir, statfs, symlink } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isBelow } from '../core/below.ts';
import { sentenceOf } from '../core/errors.ts';
import { ourIdentity } from '../host/identity.ts';
import { makeStateFolder } from '../host/state-folder.ts';
import { findOnPath } from '../process/programs.ts';
import { type Agent, agentFile, agentFlags, startAgent } from './agent-client.ts';
import { type CellOptions, ourFolder, realPath, startCell, tryCell } from './cell.ts';
import { sandboxLimit, sandboxTooSmall } from './errors.ts';
import { alwaysHidden, hiddenInHomes, ofSystem, usualFolders } from './hidden.ts';
import { type HeldLimit, type LimitsAsked, makeLimits, tookTooLong } from './limits.ts';
import { holdNamespaces } from './namespaces.ts';
import {
  applicationParts,
  type Door,
  type Footing,
  type Isolated,
  insideRoot,
  type Placement,
  type Probed,
  type ProbeTarget,
  parts,
} from './protocol.ts';
import { folderName, type Registered, register, registryFolder, unregister } from './registry.ts';
import { removeSandbox } from './remove.ts';
import { watchLimits } from './watch.ts';
import { isOfNetwork, listenOnHost, ownActs, waysOut } from './ways-out.ts';

export interface SandboxOptions {
  readonly stateDir: string;
  /** A ULID: the drill's. */
  readonly id: string;
  /** ISO 8601, for the registry. */
  readonly made: string;
  /** What will be written to it at most, roughly. */
  readonly needsBytes: number;
  /** How many files that will be, roughly. */
  readonly needsFiles: number;
  /** What is absent is chosen by what this host has. */
  readonly limits: LimitsAsked;
  /** Where the application may write: it sees what is there, its changes stay in the sandbox. Absolute. */
  readonly workFolders: readonly string[];
  /** Folders that it may see, with everybody's rights only; none when absent. */
  readonly seenFolders?: readonly string[];
  /** Files and folders that nothing inside may see: destinations, identities, our state. */
  readonly hidden: readonly string[];
  /** Which ways are tried before doing without namespaces; what this host can do when absent. */
  readonly footings?: readonly Isolated[];
}

/** What was done to keep the drill away from production, and what trying to get out showed. */
export interface Isolation {
  readonly footing: Footing;
  /** True only when every attempt to get out failed. */
  readonly network: boolean;
  /** True when nothing hidden could be seen, and nothing that would undo the sandbox could be done. */
  readonly files: boolean;
  /** None without namespaces. */
  readonly limits: readonly HeldLimit[];
  readonly probes: readonly Probed[];
  readonly notes: readonly string[];
}

export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  /** 0700, on the host. */
  readonly folder: string;
  readonly footing: Footing;
  /** As far as it was tried, by each cell when it is made: what nothing tried is not isolated. */
  readonly isolation: Isolation;
  /** Where restored data goes, on the host. */
  readonly restored: string;
  /** Folders of database servers' sockets: ours, which nothing inside sees, short enough for one; and the application's, as it sees it. */
  readonly sockets: { readonly ours: string; readonly inside: string };
  /** A path below `folder`, as it is seen inside. */
  inside(path: string): string;
  /**
   * A cell for one database server: its programs, `servers/NAME` of our folder, which must be there, and nothing else of this host,
   * of the network or of other servers.
   */
  server(name: string): Promise<Agent>;
  /**
   * The application's cell: the host's programs, its own folders with a layer that takes its changes, restored copies on their
   * production paths, and doors to the servers. Made once, with the first call's; the notes of `isolation` name places that
   * could not be.
   */
  application(places: readonly Placement[], doors?: readonly Door[]): Promise<Agent>;
  /** Files of this host that the application read, programs and settings apart; on the unprivileged footing none is known. */
  readHere(): Promise<string[]>;
  /** Tries from a cell in which nothing else will run what must not succeed, for a drill that makes no other. */
  tryOut(): Promise<void>;
  /** Looks at what it used. @returns `sandbox-limit` when a limit was ever hit */
  limitHit(): Promise<Error | undefined>;
}

const longestTimerMs = 2 ** 31 - 1;

/** What the server of that name is started as, by its cell's agent. */
export function serverProcess(name: string): string {
  return `server ${name}`;
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
  makeStateFolder(registryFolder(stateDir));
  const refused: string[] = [];
  for (const footing of options.footings ?? (await footingsHere(refused))) {
    try {
      return await openOn(footing, options, refused);
    } catch (error) {
      if (sandboxTooSmall.is(error)) throw error;
      refused.push(`no namespaces: ${sentenceOf(error)}`);
    }
  }
  return openOn('none', { ...options, id }, refused);
}

async function openOn(footing: Footing, options: SandboxOptions, refused: readonly string[]): Promise<Sandbox> {
  const { stateDir, id } = options;
  // Without namespaces a server that runs as another user must be able to walk to its files.
  const base = footing === 'none' ? tmpdir() : registryFolder(stateDir);
  await refuseWithoutRoom(base, options.needsBytes);
  const folder = join(base, folderName(id));
  const tooLong = Buffer.byteLength(join(folder, 'ways')) > longestSocketFolder;
  const entry: Registered = {
    id,
    made: options.made,
    owner: ourIdentity(),
    folder,
    ...(tooLong && { link: join('/tmp', folderName(id)) }),
  };
  await register(stateDir, entry);
  try {
    await makeFolders(entry, footing);
    return await (footing === 'none'
      ? openWithout(options, entry, refused)
      : openWith(footing, options, entry, refused));
  } catch (error) {
    await forget(stateDir, entry);
    throw error;
  }
}

async function makeFolders({ folder, link }: Registered, footing: Footing): Promise<void> {
  await mkdir(folder, { mode: footing === 'none' ? 0o711 : 0o700 });
  for (const part of [...parts, 'layers', 'cells']) await mkdir(join(folder, part), { mode: 0o755 });
  await mkdir(join(folder, 'ways'), { mode: 0o700 });
  if (footing === 'none') {
    // Without namespaces other users of this host walk here too. The server's user must reach its own folder, which is closed.
    for (const part of applicationParts) await chmod(join(folder, part), 0o700);
  } else await chmod(join(folder, 'tmp'), 0o1777);
  if (link !== undefined) await symlink(join(folder, 'ways'), link);
}

async function forget(stateDir: string, entry: Registered): Promise<void> {
  await removeSandbox(entry);
  await unregister(stateDir, entry.id);
}

/** A sandbox of cells. That one can be made on this host is tried at once. */
async function openWith(
  footing: Isolated,
  options: SandboxOptions,
  entry: Registered,
  refused: readonly string[],
): Promise<Sandbox> {
  const { folder, link, id } = entry;
  using held = new DisposableStack();
  const namespaces = held.use(await holdNamespaces(footing, id));
  const needs = { bytes: options.needsBytes, files: options.needsFiles };
  const limits = await makeLimits(id, folder, needs, options.limits);
  const opened: Agent[] = [];
  const watch = held.use(
    watchLimits(folder, limits, (why) => {
      for (const agent of opened) agent.kill(why);
    }),
  );
  const agents = new AsyncDisposableStack();
  const listener = agents.use(await listenOnHost());
  const probed = new Map<string, Probed>();
  const notes: string[] = [...refused];
  let failed = false;

  const hidden = [...new Set(options.hidden.map(realPath))];
  const work = options.workFolders.map(realPath);
  const seen = (options.seenFolders ?? []).map(realPath).filter((path) => path !== '/');
  const own = work.filter((path) => !ofSystem.has(path));
  const masked = [
    ...new Set([
      ...hidden,
      ...alwaysHidden,
      ...[homedir(), ...own, ...seen].flatMap((path) => hiddenInHomes.map((name) => join(path, name))),
    ]),
  ]
    // A folder that the application works in, or that holds one, cannot go: then what is secret in it must be named by itself.
    .filter((path) => !own.some((one) => one === path || one.startsWith(`${path}/`)))
    .map(realPath);

  type Kind = Pick<CellOptions, 'name' | 'parts' | 'workFolders' | 'layered' | 'places' | 'ownNetwork' | 'read'>;
  const readFile = join(folder, 'cells', 'read');
  const cellOf = (kind: Kind): CellOptions => {
    const self = process.getuid?.() ?? 0;
    const number = kind.name !== 'application' && self === 0 ? 65534 : self;
    return { ...kind, box: folder, footing, namespaces, limits, masked, id: number };
  };
  const open = async (cell: Kind) => {
    const hit = await watch.look();
    if (hit !== undefined) throw hit;
    const made = await startCell(cellOf(cell));
    opened.push(agents.use(made.agent));
    watch.add(made.agent.pid);
    notes.push(...made.notes);
    if (made.exposed.length > 0) failed = true;
    const paths = masked.map((path): ProbeTarget => ({ kind: 'path', path }));
    const targets = [...waysOut(listener), ...paths, ...(cell.name === 'application' ? ownActs : [])];
    for (const one of await made.agent.call('probe', { targets, timeoutMs: 30_000 })) {
      if (!probed.get(one.target)?.reached) probed.set(one.target, one);
    }
    return made.agent;
  };
  const bare: Kind = { name: 'bare', parts: [], workFolders: [], layered: [], places: [], ownNetwork: true };
  try {
    await tryCell(cellOf({ ...bare, name: 'trial' }));
  } catch (error) {
    await agents[Symbol.asyncDispose]();
    throw error;
  }
  let application: Promise<Agent> | undefined;
  const release = held.move();
  return {
    id,
    folder,
    footing,
    get isolation() {
      const probes = [...probed.values()];
      const holds = (network: boolean) => {
        const tried = probes.filter((one) => isOfNetwork(one) === network);
        return tried.length > 0 && tried.every((one) => !one.reached);
      };
      return {
        footing,
        network: holds(true),
        files: !failed && holds(false),
        limits: watch.held,
        probes,
        notes: [...notes],
      };
    },
    restored: join(folder, 'restored'),
    sockets: { ours: link ?? join(folder, 'ways'), inside: `${insideRoot}/s` },
    inside: (path) => path.replace(folder, insideRoot),
    server: (name) => open({ ...bare, name: `server-${name}`, parts: [`servers/${name}`] }),
    application(places, doors = []) {
      application ??= open({
        name: 'application',
        parts: applicationParts,
        workFolders: own,
        layered: [...work, ...seen, ...usualFolders],
        places: places.map((place) => ({ ...place, to: realPath(place.to) })),
        ownNetwork: false,
        read: readFile,
      }).then(async (agent) => {
        for (const door of doors) await agent.call('forward', door);
        return agent;
      });
      return application;
    },
    readHere: async () => (await noted(readFile, await application, id)).filter(isOfHost),
    tryOut: async () => void (await open(bare)),
    limitHit: () => watch.look(),
    async [Symbol.asyncDispose]() {
      release[Symbol.dispose]();
      await agents[Symbol.asyncDispose]();
      await watch.ended();
      await forget(options.stateDir, entry);
    },
  };
}

/** What the watch of the application's cell has noted by now. It is behind what happens: what it is shown last comes last. */
async function noted(file: string, agent: Agent | undefined, id: string): Promise<string[]> {
  const paths = () => readFileSync(file, 'utf8').split('\0');
  if (agent === undefined || !existsSync(file)) return [];
  const last = `/tmp/lifeboat-${id}`;
  const words = ['/bin/sh', '-c', `echo > ${last} && cat ${last}`];
  await agent.call('run', { name: 'last', words, env: {}, directory: '/', timeoutMs: 10_000 }).catch(() => {});
  const end = performance.now() + 5000;
  while (!paths().includes(last) && performance.now() < end) await sleep(10);
  return paths();
}

/** What an application made for itself, and what is of Lifeboat, is nothing that a new host lacks. */
function isOfHost(path: string): boolean {
  return (
    path.startsWith('/') && !isBelow(path, ourFolder) && lstatSync(path, { throwIfNoEntry: false })?.isFile() === true
  );
}

/** No isolation at all: data can be restored and compared; whether anything of it may run is the caller's to refuse. */
async function openWithout(options: SandboxOptions, entry: Registered, refused: readonly string[]): Promise<Sandbox> {
  const { folder, link, id } = entry;
  const agent = await startAgent([process.execPath, ...agentFlags, agentFile], 'none');
  const notes = [...refused];
  const servers: string[] = [];
  let hit: Error | undefined;
  // Nothing else is held here. A server that ends takes with it whoever runs without end.
  const timer = setTimeout(
    () => {
      hit = sandboxLimit(tookTooLong(options.limits.timeMs));
      const end = { signal: 'SIGQUIT', graceMs: 5000 } as const;
      for (const name of servers) void agent.call('stop', { name, ...end }).catch(() => {});
    },
    Math.min(options.limits.timeMs, longestTimerMs),
  );
  timer.unref();
  return {
    id,
    folder,
    footing: 'none',
    get isolation() {
      return {
        footing: 'none' as const,
        network: false,
        files: false,
        limits: [],
        probes: [],
        notes: [...notes],
      };
    },
    restored: join(folder, 'restored'),
    sockets: { ours: link ?? join(folder, 'ways'), inside: join(folder, 's') },
    inside: (path) => path,
    async server(name) {
      servers.push(serverProcess(name));
      return agent;
    },
    readHere: async () => [],
    tryOut: async () => {},
    async application(places) {
      // What runs there may become another user.
      for (const part of applicationParts) await chmod(join(folder, part), part === 'tmp' ? 0o1777 : 0o755);
      notes.push(...places.map(({ to }) => `${to}: nothing is placed there without namespaces`));
      return agent;
    },
    limitHit: async () => hit,
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      await agent[Symbol.asyncDispose]();
      await forget(options.stateDir, entry);
    },
  };
}

/** What a sandbox is made with, and the Debian package of each. */
const programs = {
  bwrap: 'bubblewrap',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
  perl: 'perl-base',
};

async function footingsHere(refused: string[]): Promise<Isolated[]> {
  if (process.platform !== 'linux') return [];
  for (const [program, name] of Object.entries(programs)) {
    if ((await findOnPath(program)) !== undefined) continue;
    refused.push(`${program} is not installed here; install it: apt-get install ${name}`);
    return [];
  }
  return process.getuid?.() === 0 ? ['root', 'user'] : ['user'];
}

async function refuseWithoutRoom(folder: string, needsBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  const wanted = needsBytes + marginBytes;
  if (freeBytes < wanted) throw sandboxTooSmall({ folder, needsBytes: wanted, freeBytes });
}
