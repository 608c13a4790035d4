import { execFileSync, spawnSync } from 'node:child_process';

/** Whether this user may become root for it without being asked. */
export function mayInstall(): boolean {
  return process.getuid?.() === 0 || spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
}

/**
 * Installs Debian packages, where `mayInstall` says so. PostgreSQL's package would start a server on
 * port 5432 that nobody asked for: it is told not to.
 */
export function aptInstall(packages: readonly string[]): void {
  const settings = '/etc/postgresql-common/createcluster.d';
  const script = `set -eu
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p ${settings}
    trap 'rm -f ${settings}/lifeboat-demo.conf' EXIT
    echo 'create_main_cluster = off' > ${settings}/lifeboat-demo.conf
    apt-get -q -y -o DPkg::Lock::Timeout=300 update
    apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"`;
  const words = ['/bin/sh', '-c', script, 'sh', ...packages];
  const [program, ...rest] = (process.getuid?.() === 0 ? words : ['sudo', '-n', ...words]) as [string, ...string[]];
  execFileSync(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
}
