import { execFileSync } from 'node:child_process';

/**
 * Installs Debian packages. Only root can; then the caller has already said so. PostgreSQL's package would start a server on
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
  execFileSync('/bin/sh', ['-c', script, 'sh', ...packages], { stdio: ['ignore', 'pipe', 'pipe'] });
}
