import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess } from '../process/start.ts';
import { type Agent, agentFile, agentFlags, makerEnv, startAgent } from './agent-client.ts';
import { sandboxFailed } from './errors.ts';
import { type Limits, limitLines } from './limits.ts';
import { parseMounts } from './mount-table.ts';
import type { Namespaces } from './namespaces.ts';
import { type Isolated, insideRoot, type Placement } from './protocol.ts';
import { seccompFilter } from './seccomp.ts';
import { quote, type Tree, type TreePlan, treeProgram, treeRoot } from './tree.ts';

/** What one cell of a sandbox may see and do, besides what all may. Paths are absolute. */
export interface CellOptions {
  readonly name: string;
  /** The sandbox's folder on the host. */
  readonly box: string;
  readonly footing: Isolated;
  readonly namespaces: Namespaces;
  readonly limits: Limits;
  /** Parts of the box that appear below `insideRoot`. */
  readonly parts: readonly string[];
  /** Folders of this host that the application may write to, owners and all. Its changes stay in the sandbox. */
  readonly workFolders: readonly string[];
  /** Folders that it may write to as far as anybody may. */
  readonly layered: readonly string[];
  readonly places: readonly Placement[];
  readonly masked: readonly string[];
  /** A file to which the cell notes what of this host is read in it, as far as that can be told. */
  readonly read?: string;
  /** A network of its own, instead of the sandbox's. */
  readonly ownNetwork: boolean;
  /** The one id inside, on the user footing. */
  readonly id: number;
}

export interface Cell {
  readonly agent: Agent;
  /** What of it could not be done, one sentence each. */
  readonly notes: readonly string[];
  /** Hidden files that stayed in sight. */
  readonly exposed: readonly string[];
}

/** Rights of an ordinary service that starts as root: to read its users' files, to become one of them. Only over ids of the sandbox. */
const keptRights = ['chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'net_bind_service'];
/** Not taken in as they are: made anew inside, or of no use to an application and full of what is nobody's business. */
const leftOut = new Set(['proc', 'sys', 'dev', 'run', 'tmp', 'root', 'boot', 'lost+found']);
const pseudo = new Set([
  'proc',
  'sysfs',
  'devtmpfs',
  'devpts',
  'mqueue',
  'cgroup',
  'cgroup2',
  'tracefs',
  'debugfs',
  'autofs',
]);
/** Of the distribution, or settings of the host: whoever sets up another one has them. */
const programs = new Set(['usr', 'etc', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']);
const sourceFolder = fileURLToPath(new URL('..', import.meta.url));
/** Lifeboat's own, wherever it is: an application may run on the Node that came along. */
export const ourFolder = dirname(sourceFolder);

/**
 * Starts a cell: a short-lived process with our rights puts its file system together, gives the rights up for good, and becomes
 * bubblewrap, which starts the agent. No process inside ever had a right over anything outside.
 * @throws `sandbox-failed`
 */
export async function startCell(options: CellOptions): Promise<Cell> {
  const command = [`${insideRoot}/.node/${basename(process.execPath)}`, ...agentFlags];
  const { words, notes } = makerOf(options, [
    ...command,
    `${insideRoot}/.lifeboat/${agentFile.slice(sourceFolder.length)}`,
  ]);
  const agent = await startAgent(words, options.footing);
  return { agent, ...readNotes(notes) };
}

/**
 * Makes a cell as `startCell` does, in which nothing but `true` runs: whether this host can have any.
 * @throws `sandbox-failed`
 */
export async function tryCell(options: CellOptions): Promise<void> {
  const [program, ...rest] = makerOf(options, ['/usr/bin/true']).words as [string, ...string[]];
  await using maker = await startProcess(program, rest, {
    cwd: '/',
    env: makerEnv(),
    stdout: 'tail',
    deadlineMs: 30_000,
  });
  const { exitCode } = await maker.ended;
  const why = maker.tail().trim().split('\n').at(-1) || `it ended with ${exitCode}`;
  if (exitCode !== 0) throw sandboxFailed({ doing: 'be started', why });
}

/** What to run to be a cell in which `command` runs, and the file for what could not be done. */
function makerOf(options: CellOptions, command: readonly string[]): { words: string[]; notes: string } {
  const { name, box, footing, namespaces, limits } = options;
  const filter = seccompFilter();
  if (filter === undefined) throw sandboxFailed({ doing: 'be started', why: `there is no filter for ${process.arch}` });
  const folder = join(box, 'cells', name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string) => join(folder, name);
  const files = {
    tree: file('tree.pl'),
    limits: file('limits.sh'),
    words: file('words'),
    filter: file('filter'),
    notes: file('notes'),
  };
  writeFileSync(files.filter, filter);
  writeFileSync(files.notes, '');
  const plan = planOf(options, files.notes);
  writeFileSync(
    files.words,
    wrapping(options)
      .map((word) => `${word}\0`)
      .join(''),
    { mode: 0o600 },
  );
  const becomeNobody =
    footing === 'root'
      ? `nsenter --user=${quote(namespaces.user)} -- setpriv --inh-caps=+all -- setpriv --bounding-set=${bounding} -- `
      : '';
  const last = `exec ${becomeNobody}bwrap --args 8 -- ${command.map(quote).join(' ')} 8< ${quote(files.words)} 9< ${quote(files.filter)}`;
  writeFileSync(files.limits, `${limitLines(limits).join('\n')}\n${last}\n`, { mode: 0o600 });
  writeFileSync(files.tree, treeProgram(plan), { mode: 0o600 });
  return { words: ['perl', files.tree, 'sh', files.limits], notes: files.notes };
}

/**
 * A right that is no danger, which the agent has and what it starts has not: who has less cannot look into its memory, nor
 * write there.
 */
const agentsOwn = 'CAP_WAKE_ALARM';
const bounding = ['-all', ...keptRights.map((right) => `+${right}`)].join(',');

/** bubblewrap's words: new namespaces for what is left, nothing of the terminal, no new rights, the filter. */
function wrapping({ footing, id, limits, ownNetwork }: CellOptions): string[] {
  const own = [
    '--unshare-ipc',
    '--unshare-pid',
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...(ownNetwork ? ['--unshare-net'] : []),
    '--hostname',
    'lifeboat-drill',
  ];
  const ids = footing === 'user' ? ['--unshare-user', '--uid', String(id), '--gid', String(id)] : [];
  const kept = footing === 'root' ? keptRights.map((right) => `CAP_${right.toUpperCase()}`) : [];
  const rights = [...kept, agentsOwn].flatMap((right) => ['--cap-add', right]);
  // As a container's: what tells of the host, or of other namespaces, is not there.
  const hidden = [
    'kcore',
    'keys',
    'key-users',
    'timer_list',
    'sched_debug',
    'latency_stats',
    'kallsyms',
    'kmsg',
    'modules',
    'iomem',
    'ioports',
  ]
    .filter((file) => existsSync(`/proc/${file}`))
    .flatMap((file) => ['--ro-bind', '/dev/null', `/proc/${file}`]);
  const hiddenFolders = ['acpi', 'scsi', 'asound', 'fs', 'irq', 'bus', 'driver', 'sysvipc']
    .filter((folder) => existsSync(`/proc/${folder}`))
    .flatMap((folder) => ['--size', '4096', '--tmpfs', `/proc/${folder}`, '--remount-ro', `/proc/${folder}`]);
  return [
    ...own,
    ...ids,
    ...[
      '--die-with-parent',
      '--as-pid-1',
      '--new-session',
      '--bind',
      treeRoot,
      '/',
      '--proc',
      '/proc',
      '--dev',
      '/dev',
    ],
    ...['--perms', '1777', '--size', String(limits.temporaryBytes), '--tmpfs', '/dev/shm'],
    ...['--ro-bind', '/proc/sys', '/proc/sys', '--ro-bind-try', '/proc/sysrq-trigger', '/proc/sysrq-trigger'],
    ...hidden,
    ...hiddenFolders,
    // Where the one id inside is the maker's, the root's own links could be replaced: what a command is started by, above all.
    ...['--remount-ro', '/'],
    ...[
      '--cap-drop',
      'ALL',
      ...rights,
      '--clearenv',
      '--setenv',
      'PATH',
      '/usr/bin:/bin',
      '--chdir',
      '/',
      '--seccomp',
      '9',
    ],
  ];
}

function planOf(options: CellOptions, notes: string): TreePlan {
  const { box, footing, namespaces, limits, parts, places, masked } = options;
  const { trees, links } = treesOf(options);
  const watched = trees.filter(({ path, bare }) => !bare && !programs.has(path.split('/')[1]!)).map(({ path }) => path);
  return {
    footing,
    user: namespaces.user,
    joined: footing === 'root' ? [namespaces.network] : [namespaces.user, namespaces.network],
    trees,
    links,
    shared: parts.map((part) => [join(box, part), `${insideRoot}/${part}`] as const),
    temporaryBytes: limits.temporaryBytes,
    tools: [
      [dirname(process.execPath), `${insideRoot}/.node`],
      [sourceFolder, `${insideRoot}/.lifeboat`],
    ],
    places,
    masked,
    notes,
    ...(options.read !== undefined && { read: { file: options.read, trees: ['/tmp', ...watched] } }),
  };
}

/** The host's folders that a cell sees, outer ones first. */
function treesOf({ box, name, footing, namespaces, workFolders, layered, places }: CellOptions) {
  const links: (readonly [string, string])[] = [];
  const tops: string[] = [];
  for (const entry of readdirSync('/', { withFileTypes: true })) {
    if (entry.isSymbolicLink()) links.push([entry.name, readlinkSync(`/${entry.name}`)]);
    else if (entry.isDirectory() && !leftOut.has(entry.name)) tops.push(`/${entry.name}`);
  }
  const mounted = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8')).filter(({ type }) => !pseudo.has(type));
  const isIn = (path: string, folder: string) => path.startsWith(`${folder}/`);
  const work = [...new Set(workFolders)].filter((folder) => existsSync(folder));
  const seen = layered.filter((folder) => existsSync(folder) && ![...tops, ...work].some((one) => isIn(folder, one)));
  const paths = new Set([...tops, ...work, ...seen, ...(tops.some((top) => isIn(ourFolder, top)) ? [] : [ourFolder])]);
  // An overlay ends where another file system begins; that one gets its own.
  for (const { target } of mounted) {
    if ([...tops, ...work].some((folder) => isIn(target, folder)) && !isIn(box, target) && existsSync(target))
      paths.add(target);
  }
  const isOwned = (path: string) => work.some((folder) => path === folder || isIn(path, folder));
  // On the user footing whoever is inside may pass where its maker may.
  const ways = footing === 'root' ? closedWays([...work, ...places.map(({ to }) => to)]) : [];
  const bare = new Set(ways.filter((path) => tops.some((top) => isIn(path, top)) && !isOwned(path)));
  let made = 0;
  const layerFor = (path: string, owned: boolean) => {
    const layer = join(box, 'layers', `${name}-${++made}`);
    for (const part of ['changes', 'work']) mkdirSync(join(layer, part), { recursive: true, mode: 0o755 });
    const { mode, uid, gid } = lstatSync(path);
    chmodSync(join(layer, 'changes'), mode & 0o7777);
    const first = namespaces.firstId;
    if (footing === 'root')
      chownSync(join(layer, 'changes'), ...(owned ? ([first + uid, first + gid] as const) : ([uid, gid] as const)));
    return layer;
  };
  const trees = [...new Set([...paths, ...bare])]
    .sort((a, b) => a.length - b.length)
    .map((path): Tree => {
      if (bare.has(path)) return { path, owned: false, bare: true };
      const owned = isOwned(path);
      const writable = owned || layered.some((folder) => path === folder || isIn(path, folder));
      const real = lstatSync(path).isDirectory();
      return { path, owned, ...(writable && real && { layer: layerFor(path, owned) }) };
    });
  return { trees, links };
}

/** Folders on the way to one of these that not everybody may pass, a home for one: inside, the application is nobody to them. */
function closedWays(paths: readonly string[]): string[] {
  const ways = new Set<string>();
  for (const path of paths) for (let at = dirname(path); at !== '/'; at = dirname(at)) ways.add(at);
  return [...ways].filter((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found?.isDirectory() === true && (found.mode & 0o001) === 0;
  });
}

function readNotes(file: string): Pick<Cell, 'notes' | 'exposed'> {
  const notes: string[] = [];
  const exposed: string[] = [];
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [kind, path, why] = line.split('\t') as [string, string?, string?];
    if (path === undefined) continue;
    const said = why?.trim().replace(/^mount: /, '') || 'it failed';
    if (kind === 'place') notes.push(`${path} is hidden, and the restored copy is not there: ${said}`);
    else if (kind === 'tree') notes.push(`${path} is not there: ${said}`);
    else {
      exposed.push(path);
      notes.push(`${path} could not be hidden: ${said}`);
    }
  }
  return { notes, exposed };
}

/** What `path` is when every link is followed; the path itself where it does not exist. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}
