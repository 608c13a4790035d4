/** A Debian package that tests need, and what proves that it is there. */
export interface DebianPackage {
  readonly name: string;
  /** Programs, all of which must be found on PATH, in /usr/sbin, /sbin or /usr/lib/postgresql/<version>/bin. */
  readonly programs: readonly string[];
  /** Files that must exist too. `*` in a name matches anything, e.g. a version. */
  readonly files?: readonly string[];
}

/** Everything that some test needs, by package. Add yours here, in order of name. */
export const debianPackages: readonly DebianPackage[] = [
  { name: 'acl', programs: ['setfacl', 'getfacl'] },
  { name: 'age', programs: ['age', 'age-keygen'] },
  { name: 'attr', programs: ['setfattr', 'getfattr'] },
  { name: 'bubblewrap', programs: ['bwrap'] },
  { name: 'ceph-base', programs: ['monmaptool'] },
  { name: 'ceph-common', programs: ['ceph', 'ceph-authtool', 'radosgw-admin'] },
  { name: 'ceph-mon', programs: ['ceph-mon'] },
  { name: 'ceph-osd', programs: ['ceph-osd'] },
  { name: 'btrfs-progs', programs: ['mkfs.btrfs'] },
  { name: 'curl', programs: ['curl'] },
  { name: 'e2fsprogs', programs: ['chattr', 'lsattr', 'mkfs.ext4'] },
  { name: 'exfat-fuse', programs: ['mount.exfat-fuse'] },
  { name: 'exfatprogs', programs: ['mkfs.exfat'] },
  { name: 'gcc', programs: ['gcc'] },
  { name: 'git', programs: ['git'] },
  { name: 'libc6-dev', programs: [], files: ['/usr/include/stdio.h'] },
  { name: 'libcap2-bin', programs: ['setcap', 'getcap'] },
  { name: 'locales', programs: [], files: ['/usr/share/i18n/locales/es_AR'] },
  // The programs alone: the other packages would start a server on port 3306.
  { name: 'mariadb-client', programs: ['mariadb-binlog', 'mariadb-dump'] },
  { name: 'mariadb-client-core', programs: ['mariadb'] },
  { name: 'mariadb-server-core', programs: ['mariadbd', 'mariadb-install-db'] },
  { name: 'mount', programs: ['mount', 'umount'] },
  { name: 'openssl', programs: ['openssl'] },
  { name: 'openssh-client', programs: ['ssh-keygen', 'ssh-agent', 'ssh-add', 'ssh-keyscan'] },
  { name: 'openssh-server', programs: ['sshd'] },
  { name: 'pgbouncer', programs: ['pgbouncer'] },
  {
    name: 'postgresql',
    programs: ['initdb', 'pg_ctl', 'postgres', 'psql', 'pg_dump', 'pg_restore'],
    files: ['/usr/share/postgresql/*/extension/amcheck.control'],
  },
  // For whichever version of PostgreSQL this Debian has: apt takes a pattern.
  { name: 'postgresql-.*-cron$', programs: [], files: ['/usr/lib/postgresql/*/lib/pg_cron.so'] },
  { name: 'postgresql-.*-pgaudit$', programs: [], files: ['/usr/lib/postgresql/*/lib/pgaudit.so'] },
  { name: 'python3', programs: ['python3'] },
  { name: 'radosgw', programs: ['radosgw'] },
  { name: 'rsync', programs: ['rsync'] },
  { name: 'util-linux', programs: ['setpriv', 'unshare'] },
  { name: 'xfsprogs', programs: ['mkfs.xfs'] },
  { name: 'zbar-tools', programs: ['zbarimg'] },
  { name: 'zstd', programs: ['zstd'] },
];

/** Two applications that people run, for `test/applications`, which installs them: large, and of no use to any other test. */
export const applicationPackages: readonly DebianPackage[] = [
  // Without a database or a web server that Debian would set up for them.
  { name: 'dbconfig-no-thanks', programs: [], files: ['/usr/share/doc/dbconfig-no-thanks'] },
  { name: 'mediawiki', programs: [], files: ['/usr/share/mediawiki/index.php'] },
  { name: 'micro-httpd', programs: ['micro-httpd'] },
  { name: 'php-cgi', programs: ['php-cgi'] },
  { name: 'php-cli', programs: ['php'] },
  { name: 'php-sqlite3', programs: [], files: ['/usr/lib/php/*/sqlite3.so'] },
  { name: 'puma', programs: ['puma'] },
  { name: 'redmine', programs: ['bundle'], files: ['/usr/share/redmine/config.ru'] },
  { name: 'redmine-pgsql', programs: [], files: ['/usr/share/doc/redmine-pgsql'] },
];
