import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { promisify } from 'node:util';
import type { Probed, ProbeTarget } from '../protocol.ts';

const execute = promisify(execFile);

/** SIOCGIFFLAGS, set IFF_UP and IFF_RUNNING, SIOCSIFFLAGS: for hosts without `ip`. Perl is part of every Debian. */
const perl = `use Socket; socket(S, AF_INET, SOCK_DGRAM, 0) or die $!; my $r = pack('a16 x24', 'lo');
ioctl(S, 0x8913, $r) or die $!; my $f = unpack('x16 s', $r); substr($r, 16, 2) = pack('s', $f | 0x41);
ioctl(S, 0x8914, $r) or die $!;`;

/** Brings up the loopback device of a new network namespace. */
export async function loopbackUp(): Promise<string[]> {
  const ways: ReadonlyArray<readonly [string, readonly string[]]> = [
    ['ip', ['link', 'set', 'lo', 'up']],
    ['/sbin/ip', ['link', 'set', 'lo', 'up']],
    ['ifconfig', ['lo', 'up']],
    ['perl', ['-e', perl]],
  ];
  for (const [program, words] of ways) {
    const done = await execute(program, words).then(
      () => true,
      () => false,
    );
    if (done) return [];
  }
  return ['the loopback device could not be brought up; install iproute2'];
}

/** Tries to reach each target. Not reaching one is the proof; how it failed is kept. */
export async function probe(targets: readonly ProbeTarget[], timeoutMs: number): Promise<Probed[]> {
  return Promise.all(
    targets.map((target) => (target.kind === 'tcp' ? knock(target.host, target.port, timeoutMs) : look(target.path))),
  );
}

function knock(host: string, port: number, timeoutMs: number): Promise<Probed> {
  const target = `tcp ${host}:${port}`;
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (reached: boolean, what: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ target, reached, what });
    };
    // A packet that goes out and gets no answer has left: silence is not isolation.
    const timer = setTimeout(() => end(true, 'no answer, but it was sent'), timeoutMs);
    socket.once('connect', () => end(true, 'connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message;
      const outside = ['ENETUNREACH', 'EHOSTUNREACH', 'ECONNREFUSED', 'EADDRNOTAVAIL', 'EPERM', 'EACCES'];
      end(!outside.includes(code), code);
    });
  });
}

async function look(path: string): Promise<Probed> {
  const target = `path ${path}`;
  const seen = (reached: boolean, what: string): Probed => ({ target, reached, what });
  try {
    const found = await stat(path);
    if (found.isDirectory()) {
      const names = await readdir(path);
      return names.length === 0 ? seen(false, 'empty') : seen(true, `${names.length} names`);
    }
    const bytes = await readFile(path);
    return bytes.length === 0 ? seen(false, 'empty') : seen(true, `${bytes.length} bytes`);
  } catch (error) {
    return seen(false, (error as NodeJS.ErrnoException).code ?? String(error));
  }
}

/** A port of the loopback that nobody uses now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
