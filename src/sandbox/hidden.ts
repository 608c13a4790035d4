/** Folders that applications write to besides their own. */
export const usualFolders = ['/var', '/home', '/srv', '/opt', '/etc'];
/** Whatever the configuration says: passwords and keys of this host. */
export const alwaysHidden = [
  ...[
    '/etc/shadow',
    '/etc/shadow-',
    '/etc/gshadow',
    '/etc/gshadow-',
    '/etc/sudoers',
    '/etc/sudoers.d',
    '/etc/ssl/private',
  ],
  ...['/etc/ssh', '/etc/lifeboat', '/etc/wireguard', '/etc/letsencrypt', '/etc/NetworkManager/system-connections'],
  ...[
    '/etc/krb5.keytab',
    '/var/lib/postgresql',
    '/var/lib/mysql',
    '/var/lib/mongodb',
    '/var/lib/redis',
    '/var/lib/docker',
  ],
  ...['/var/lib/containerd', '/var/lib/lifeboat', '/var/backups', '/var/spool', '/var/mail', '/var/lib/sss', '/root'],
];
/** Below our own home, and below each folder that is taken in for the application. */
export const hiddenInHomes = [
  '.ssh',
  '.gnupg',
  '.aws',
  '.azure',
  '.kube',
  '.docker',
  '.netrc',
  '.pgpass',
  '.config/gcloud',
  '.config/rclone',
];
/** Folders of the whole system, which are never an application's own: there it has everybody's rights only. */
export const ofSystem = new Set([
  '/',
  '/etc',
  '/var',
  '/var/lib',
  '/usr',
  '/usr/local',
  '/opt',
  '/srv',
  '/home',
  '/root',
  '/tmp',
  '/mnt',
  '/media',
]);
