import type { SftpDestination } from '../../config/system.ts';
import type { Role } from '../../core/roles.ts';
import type { RolePolicy } from './policy.ts';

const looking = [
  'open',
  'close',
  'read',
  'stat',
  'lstat',
  'fstat',
  'realpath',
  'opendir',
  'readdir',
  'statvfs',
  'limits',
];
/** Adds, and never changes what is there: a file is linked to its name once it is whole. */
const adding = ['write', 'mkdir', 'hardlink', 'fsync'];
const removing = ['remove', 'rmdir'];

/** Lines of sshd_config for an account that can do what `role` needs, and no more. docs/sftp.md says how the account is made. */
export function sshdLines({ user }: SftpDestination, role: Role): Pick<RolePolicy, 'policy' | 'notes'> {
  const allowed = [...looking, ...adding, ...(role === 'pruner' ? removing : [])];
  const account = role === 'writer' ? user : `${user}-${role}`;
  const policy = `Match User ${account}
  ChrootDirectory /srv/backup/${user}
  ForceCommand internal-sftp -p ${allowed.join(',')}
  AuthorizedKeysFile /etc/ssh/authorized_keys/%u
  PasswordAuthentication no
  DisableForwarding yes
  PermitTTY no
`;
  return { policy, notes: notes(user, account, role) };
}

function notes(user: string, account: string, role: Role): string[] {
  const all = [
    'Put it at the end of /etc/ssh/sshd_config, then: systemctl reload ssh. docs/sftp.md says how the account is made.',
  ];
  if (role === 'keeper') all.push('An SSH server has no locks to extend: there is nothing for a keeper to do here.');
  if (role === 'pruner') {
    all.push(
      `Give it the same user id as ${user} (useradd --non-unique), so that it may remove what that one stored, and a key of its own that is not on the host that backs up. In lifeboat.yaml there, user: ${account}.`,
    );
  }
  if (role === 'reader') {
    all.push(
      `Give it the same user id as ${user} (useradd --non-unique): objects may only be read by their owner. It can add, which the evidence of drills needs, and it can remove nothing.`,
    );
  }
  return all;
}
