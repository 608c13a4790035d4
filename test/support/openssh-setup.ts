import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../src/process/run.ts';

export type HostKeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface PublicKey {
  readonly fingerprint: string;
  /** `ssh-ed25519 AAAA…` */
  readonly line: string;
}

/** The user whose key signs in. As root it exists for one sshd alone; else it is whoever runs the tests. */
export const keyUser = { name: 'harbor-backup', uid: 64_711 };
export const passwordUser = { name: 'harbor-password', uid: 64_712 };
export const testPassword = 'correct horse';
/** Of that word, by `openssl passwd -6`. */
const passwordHash =
  '$6$lifeboat$eESTXYYdMPl5s3d2xPwaPHFVP8.uC3lyASy4WJbmprufdHfJM0qH4SadRL/SLTaXziyvq/k8Rt7aQyVKZUizj/';

/** Makes a pair of keys with ssh-keygen: `file` and `file`.pub. */
export async function newKey(file: string, type: HostKeyType, passphrase = ''): Promise<PublicKey> {
  await runCommand('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'lifeboat', '-f', file]);
  const { stdout } = await runCommand('ssh-keygen', ['-l', '-f', `${file}.pub`]);
  const line = (await readFile(`${file}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ');
  return { fingerprint: stdout.toString().split(' ')[1]!, line };
}

export interface Sshd {
  /** Its folder: `jail/`, `authorized_keys`, `sshd_config`, and as root `passwd` and `shadow`. */
  readonly root: string;
  readonly port: number;
  readonly hostKeys: readonly string[];
  readonly sftpArguments: string;
  /** Lines at the end. */
  readonly settings: string;
}

export async function writeConfiguration({ root, port, hostKeys, sftpArguments, settings }: Sshd): Promise<void> {
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    ...hostKeys.map((file) => `HostKey ${file}`),
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'KbdInteractiveAuthentication no',
    `AuthorizedKeysFile ${join(root, 'authorized_keys')}`,
    'MaxStartups 200',
    `Subsystem sftp internal-sftp ${sftpArguments}`,
    settings,
  ];
  await writeFile(join(root, 'sshd_config'), `${lines.join('\n')}\n`);
}

/** Users for one sshd alone, which sees these files in place of the machine's. */
export async function writeUsers(root: string): Promise<void> {
  const users = [keyUser, passwordUser];
  const passwd = [
    'root:x:0:0:root:/root:/bin/sh',
    'sshd:x:103:65534::/run/sshd:/usr/sbin/nologin',
    ...users.map(({ name, uid }) => `${name}:x:${uid}:${uid}::/:/bin/sh`),
  ];
  const shadow = [`${keyUser.name}:*:20000::::::`, `${passwordUser.name}:${passwordHash}:20000::::::`];
  await writeFile(join(root, 'passwd'), `${passwd.join('\n')}\n`, { mode: 0o644 });
  await writeFile(join(root, 'shadow'), `${shadow.join('\n')}\n`, { mode: 0o600 });
}

/**
 * sshd in a mount namespace of its own, where the users above exist and /srv/backup/<user> is our jail: the folders that lead
 * there belong to root, as a chroot needs it, and nothing of the machine is changed.
 */
export function sshdCommand(root: string, asRoot: boolean): [string, string[]] {
  const sshd = ['/usr/sbin/sshd', '-D', '-e', '-f', join(root, 'sshd_config')];
  if (!asRoot) return [sshd[0]!, sshd.slice(1)];
  const script = `
    set -e
    mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd
    mount -t tmpfs -o mode=755 tmpfs /etc/ssh && mkdir /etc/ssh/authorized_keys
    cp "$1/authorized_keys" "/etc/ssh/authorized_keys/$2"
    mount -t tmpfs -o mode=755 tmpfs /srv && mkdir -p "/srv/backup/$2"
    mount --rbind "$1/jail" "/srv/backup/$2"
    mount --bind "$1/passwd" /etc/passwd
    mount --bind "$1/shadow" /etc/shadow
    shift 2
    exec "$@"`;
  return [
    'unshare',
    ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh', root, keyUser.name, ...sshd],
  ];
}
