import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** What a path lies on. */
export interface Storage {
  readonly kind: 'disk' | 'memory' | 'network';
  /** Whole disks: `/dev/vda`; whatever is mounted there where no disk can be told. Empty for `memory` and `network`. */
  readonly disks: readonly string[];
  /** Of a network folder: the server. */
  readonly host?: string;
}

interface Mount {
  readonly point: string;
  readonly type: string;
  readonly source: string;
}

const networkTypes = /^(nfs4?|cifs|smb3|fuse\.(sshfs|s3fs|rclone|glusterfs)|ceph|9p|virtiofs)$/;
const memoryTypes = /^(tmpfs|ramfs)$/;

/** The disks under `path`, or under the nearest folder of it that exists. Undefined where this cannot be told (not Linux). */
export function storageOf(path: string, root = '/'): Storage | undefined {
  const mount = mountOf(realPath(path), mountsIn(root));
  if (mount === undefined) return undefined;
  const { type, source } = mount;
  if (memoryTypes.test(type)) return { kind: 'memory', disks: [] };
  if (networkTypes.test(type)) {
    // `nas:/export`, `//nas/share`, `user@nas:/folder`
    const host = /^(?:\/\/)?(?:[^@/]+@)?(\[[^\]]+\]|[^:/]+)/.exec(source)?.[1];
    return { kind: 'network', disks: [], ...(host !== undefined && { host: host.toLowerCase() }) };
  }
  return { kind: 'disk', disks: wholeDisks(source, type, root) };
}

function realPath(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    try {
      return realpathSync(at);
    } catch {
      // Not there yet: it will be made on what its parent lies on.
      if (at === dirname(at)) return at;
    }
  }
}

function mountsIn(root: string): Mount[] {
  let text: string;
  try {
    text = readFileSync(join(root, 'proc/self/mountinfo'), 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , , point] = before.split(' ');
    const [type, source] = after.split(' ');
    if (point === undefined || type === undefined || source === undefined) return [];
    return [{ point: plain(point), type, source: plain(source) }];
  });
}

/** Spaces and the like are octal escapes there. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The last one wins: a later mount covers an earlier one on the same point. */
function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  const covers = ({ point }: Mount) => point === '/' || path === point || path.startsWith(`${point}/`);
  return mounts
    .filter(covers)
    .reduce<Mount | undefined>(
      (best, mount) => (best !== undefined && best.point.length > mount.point.length ? best : mount),
      undefined,
    );
}

function wholeDisks(source: string, type: string, root: string): string[] {
  // A pool's name stands for its disks.
  if (type === 'zfs') return [`pool ${source.split('/')[0]}`];
  if (!source.startsWith('/dev/')) return [source];
  const disks = disksUnder(basename(realDevice(source, root)), join(root, 'sys/class/block'));
  return disks.length === 0 ? [source] : disks.map((name) => `/dev/${name}`);
}

/** `/dev/mapper/vg-data` is a link to `../dm-0`. */
function realDevice(source: string, root: string): string {
  try {
    return realpathSync(join(root, source));
  } catch {
    return source;
  }
}

/** From a partition to its disk, from a mapped or mirrored volume to those under it. */
function disksUnder(name: string, folder: string, depth = 0): string[] {
  const at = join(folder, name);
  if (depth > 8 || !existsSync(at)) return [];
  const slaves = existsSync(join(at, 'slaves')) ? readdirSync(join(at, 'slaves')) : [];
  if (slaves.length > 0) return [...new Set(slaves.flatMap((slave) => disksUnder(slave, folder, depth + 1)))].sort();
  if (!existsSync(join(at, 'partition'))) return [name];
  return disksUnder(basename(dirname(realpathSync(at))), folder, depth + 1);
}
