import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { startProcess } from '../process/start.ts';
import { sandboxFailed } from './errors.ts';
import type { Isolated } from './protocol.ts';

/** The namespaces that all cells of a sandbox share, held open by us: no process in them has to stay for that. */
export interface Namespaces extends Disposable {
  /** A path to the network namespace, for as long as we live. It has its own loopback and nothing else. */
  readonly network: string;
  /** A path to the user namespace. On the root footing cells end up in it, on the other they begin in it. */
  readonly user: string;
  /** What number 0 of the user namespace is outside of it. */
  readonly firstId: number;
}

/**
 * Ids of a user namespace as root: above those that systemd, useradd and container engines give away, and below 2^31. Two drills
 * at once get different ones as a rule; where they do not, they are still apart in all else.
 */
const [lowestId, idsEach, slots] = [0x70000000, 1 << 20, 256];

/** SIOCGIFFLAGS, set IFF_UP and IFF_RUNNING, SIOCSIFFLAGS: for hosts without `ip`. Perl is part of every Debian. */
const perl = `use Socket; socket(S, AF_INET, SOCK_DGRAM, 0) or die $!; my $r = pack("a16 x24", "lo");
ioctl(S, 0x8913, $r) or die $!; my $f = unpack("x16 s", $r); substr($r, 16, 2) = pack("s", $f | 0x41);
ioctl(S, 0x8914, $r) or die $!;`;
/** For a shell: brings up the loopback device of a new network namespace. */
export const loopbackUp = `ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || perl -e '${perl}'`;

/** @throws `sandbox-failed` where this host does not allow them */
export async function holdNamespaces(footing: Isolated, id: string): Promise<Namespaces> {
  // Its input ends when we do, however that is, and so does it.
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  async function* input() {
    await released;
    yield new Uint8Array();
  }
  const words =
    footing === 'root'
      ? ['--net', '--', 'sh', '-c', `${loopbackUp}; exec unshare --user -- sh -c 'echo; exec cat'`]
      : ['--user', '--map-root-user', '--net', '--', 'sh', '-c', `${loopbackUp}; echo; exec cat`];
  const holder = await startProcess('unshare', words, { cwd: '/', input: input(), stdout: 'stream' });
  const open: number[] = [];
  try {
    const begun = await Promise.race([once(holder.stdout, 'data').then(() => true), holder.ended.then(() => false)]);
    if (!begun)
      throw sandboxFailed({ doing: 'be started', why: holder.tail().trim().split('\n').at(-1) ?? 'no namespaces' });
    const firstId = footing === 'root' ? lowestId + (slotOf(id) % slots) * idsEach : (process.getuid?.() ?? 0);
    if (footing === 'root') {
      for (const map of ['uid_map', 'gid_map']) {
        writeFileSync(`/proc/${holder.pid}/${map}`, `0 ${firstId} ${idsEach}\n`);
      }
    }
    for (const name of ['net', 'user']) open.push(openSync(`/proc/${holder.pid}/ns/${name}`, 'r'));
    const [network, user] = open.map((fd) => `/proc/${process.pid}/fd/${fd}`) as [string, string];
    return {
      network,
      user,
      firstId,
      [Symbol.dispose]() {
        for (const fd of open.splice(0)) closeSync(fd);
      },
    };
  } catch (error) {
    for (const fd of open) closeSync(fd);
    throw error;
  } finally {
    release();
    await holder[Symbol.asyncDispose]();
  }
}

/** From the random end of a ULID. */
function slotOf(id: string): number {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.charCodeAt(0)) >>> 0;
  return sum;
}
