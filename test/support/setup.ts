import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type DebianPackage, debianPackages } from './packages.ts';

const execute = promisify(execFile);

/** Vitest's global set-up: every Debian package that a test needs is there, or the run stops with what to install. */
export default async function setUp(): Promise<void> {
  await ensurePackages(debianPackages);
}

export async function ensurePackages(packages: readonly DebianPackage[]): Promise<void> {
  const missing = await missingPackages(packages);
  if (missing.length === 0) return;
  const install = `apt-get install ${missing.join(' ')}`;
  const prefix = await howToBeRoot();
  if (prefix === undefined || !(await onDebian())) {
    throw new Error(`The tests need packages that are not here. Install them as root: ${install}`);
  }
  process.stderr.write(`Installing what the tests need: ${missing.join(' ')} …\n`);
  await installPackages(missing, prefix);
  const still = await missingPackages(packages);
  if (still.length > 0) throw new Error(`apt-get ended well, yet the tests still miss: ${still.join(' ')}`);
}

/** Names of the packages that are not, or not wholly, there. */
export async function missingPackages(
  packages: readonly DebianPackage[],
  path = process.env.PATH ?? '',
): Promise<string[]> {
  const folders = [...path.split(':').filter(Boolean), '/usr/sbin', '/sbin', ...globSync('/usr/lib/postgresql/*/bin')];
  const missing = packages.map(async ({ name, programs, files = [] }) => {
    const found = await Promise.all(programs.map((program) => isIn(folders, program)));
    return found.every(Boolean) && files.every((file) => globSync(file).length > 0) ? [] : [name];
  });
  return (await Promise.all(missing)).flat();
}

async function isIn(folders: readonly string[], program: string): Promise<boolean> {
  for (const folder of folders) {
    if (await exists(`${folder}/${program}`, constants.X_OK)) return true;
  }
  return false;
}

/** The words before a command that make it root's, or undefined where that takes a password. */
export async function howToBeRoot(): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  return execute('sudo', ['-n', 'true']).then(
    () => ['sudo', '-n'],
    () => undefined,
  );
}

async function onDebian(): Promise<boolean> {
  return exists('/usr/bin/apt-get', constants.X_OK);
}

async function exists(path: string, mode: number = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

async function installPackages(names: readonly string[], prefix: readonly string[]): Promise<void> {
  const root = (words: readonly string[]) => {
    const [program, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', ...words] as [string, ...string[]];
    return execute(program, rest, { maxBuffer: 64 << 20, timeout: 15 * 60_000 });
  };
  const apt = ['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=300'];
  await patiently(() => root([...apt, 'update']));
  await withoutCluster(root, names.includes('postgresql'), () =>
    withoutServices(root, names, () => patiently(() => root([...apt, 'install', '--no-install-recommends', ...names]))),
  );
}

const servicesOf: Readonly<Record<string, readonly string[]>> = {
  'openssh-server': ['ssh.service', 'ssh.socket'],
  'micro-httpd': ['micro-httpd.socket'],
};

/**
 * Debian's servers let the network in as soon as they are installed, and at every start from then on. The tests want their programs
 * and no service: it is masked while it is installed, and switched off afterwards. One that is there already is not touched.
 */
async function withoutServices(
  root: (words: readonly string[]) => Promise<unknown>,
  names: readonly string[],
  install: () => Promise<unknown>,
): Promise<void> {
  const services = names.flatMap((name) => servicesOf[name] ?? []);
  if (services.length === 0 || !(await exists('/run/systemd/system'))) {
    await install();
    return;
  }
  await root(['systemctl', 'mask', ...services]);
  try {
    await install();
  } finally {
    await root(['systemctl', 'unmask', ...services]);
    await root(['systemctl', 'disable', ...services]).catch(() => {});
  }
}

/**
 * Debian's postgresql makes a cluster on port 5432 when it is installed first. The tests start their own and want none, so
 * for the length of this installation its settings say so. A cluster that is there already is not touched.
 */
async function withoutCluster(
  root: (words: readonly string[]) => Promise<unknown>,
  applies: boolean,
  install: () => Promise<unknown>,
): Promise<void> {
  if (!applies) {
    await install();
    return;
  }
  const folder = '/etc/postgresql-common/createcluster.d';
  const file = `${folder}/lifeboat-tests.conf`;
  const setting = "create_main_cluster = 'off'";
  await root(['mkdir', '-p', folder]);
  await root(['sh', '-c', 'printf "%s\\n" "$1" > "$2"', 'sh', setting, file]);
  try {
    await install();
  } finally {
    await root(['rm', '-f', file]);
  }
}

/** apt-get waits for dpkg's lock itself, but not for the lock of the lists, nor for a mirror that hiccups. */
async function patiently(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === 5) throw error;
      await sleep(attempt * 2000);
    }
  }
}
