import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const isRoot = process.geteuid?.() === 0;

/**
 * Everything that a Linux file system can hold, as far as this user may make it: ACLs narrower and wider than the mode, lists that a
 * folder hands down, attributes with any bytes, capabilities, set-uid, times before 1970 and to the nanosecond, fifos, devices, holes,
 * groups of hard links, names of any bytes, owners without an account, folders and files without any rights.
 */
const program = String.raw`
import os, socket, stat, subprocess, sys
root = sys.argv[1].encode(); isroot = os.geteuid() == 0
def at(name): return os.path.join(root, name)
def put(name, data=b'x'):
    os.makedirs(os.path.dirname(at(name)), exist_ok=True)
    with open(at(name), 'wb') as f: f.write(data)
    return at(name)
def acl(path, *words): subprocess.run(['setfacl', *words, path], check=True)
salaries = put(b'acl/salaries.txt', b'secret')
os.chmod(salaries, 0o600); acl(salaries, '-m', 'u:12345:rw,g:23456:r')
acl(put(b'acl/open'), '-m', 'u:12345:rwx')
os.makedirs(at(b'acl/handed')); acl(at(b'acl/handed'), '-d', '-m', 'u:12345:rwx')
put(b'acl/handed/inherited'); plain = put(b'acl/handed/plain'); acl(plain, '-b'); os.chmod(plain, 0o640)
for name, value in ((b'user.origin', b'scan'), (b'user.odd=\xff,%', bytes(range(256))), (b'user.empty', b''), (b'user.123', b'456')):
    os.setxattr(put(b'attributes/file'), name, value)
os.setxattr(at(b'attributes'), b'user.folder', b'yes')
for mode in (0o4755, 0o2711, 0o1777, 0o444, 0): os.chmod(put(b'modes/%o' % mode), mode)
for mode in (0o2775, 0o1777): os.makedirs(at(b'modes/d%o' % mode)); os.chmod(at(b'modes/d%o' % mode), mode)
os.makedirs(at(b'modes/closed/inside')); put(b'modes/closed/inside/file')
names = [b'a\nline', b'-rf', b'\xff\xfe', b"quo'te\"", b' ', b'c\\d', b'%41', b'\t', b'n' * 255, '\u00e9'.encode(), b'=,']
for name in names: put(b'names/' + name)
os.symlink(b'no\xffwhere\n', at(b'names/link')); os.symlink(b'/etc/passwd', at(b'names/out'))
os.makedirs(at(b'empty'))
one = put(b'links/one', b'one'); os.link(one, at(b'links/two')); os.makedirs(at(b'links/z')); os.link(one, at(b'links/z/three'))
put(b'links/apart', b'one')
os.mkfifo(at(b'special/fifo') if os.makedirs(at(b'special')) is None else '', 0o620)
s = socket.socket(socket.AF_UNIX); os.chdir(at(b'special')); s.bind('socket'); s.close(); os.remove('socket')
with open(at(b'holes'), 'wb') as f: f.truncate(3_000_000); f.seek(1_000_000); f.write(b'island'); 
with open(at(b'hole'), 'wb') as f: f.truncate(1_000_000)
put(b'empty file', b'')
if isroot:
    os.mknod(at(b'special/null'), 0o666 | stat.S_IFCHR, os.makedev(1, 3)); os.mknod(at(b'special/block'), 0o640 | stat.S_IFBLK, os.makedev(259, 1048575))
    subprocess.run(['setcap', 'cap_net_raw+ep', put(b'capable')], check=True)
    os.chown(at(b'capable'), 12345, 23456); subprocess.run(['setcap', 'cap_net_raw+ep', at(b'capable')], check=True)
    for path in (b'acl/salaries.txt', b'modes/4755', b'names/link', b'links/one', b'empty'): os.lchown(at(path), 12345, 23456)
    os.chmod(at(b'modes/4755'), 0o4755); os.chown(at(b'special/fifo'), 12345, 23456)
    os.setxattr(at(b'names/link'), b'trusted.link', b'of a link', follow_symlinks=False)
ns = 1_000_000_000
times = [-14182940 * ns + 250_000_000, -1, 0, 1714979289 * ns + 999_999_999, 2**31 * ns + 1, 1_000_000_000 * ns + 123_456_789, -2_000_000_000 * ns]
for at_, time in enumerate(times): os.utime(put(b'times/%d' % at_), ns=(time, time))
os.utime(at(b'names/link'), ns=(times[3], times[3]), follow_symlinks=False); os.utime(at(b'special/fifo'), ns=(times[5], times[5]))
if len(sys.argv) > 2:
    big = put(b'large/logo.psd')
    for i in range(int(sys.argv[2])): os.setxattr(big, b'user.DosStream.s%d:$DATA' % i, os.urandom(64000))
    for i in range(400): os.setxattr(put(b'large/%d' % i), b'user.DosStream.AFP_Resource', os.urandom(60000))
os.chmod(at(b'modes/closed'), 0o100 if isroot else 0o500)
for folder, _, _ in sorted(os.walk(root), reverse=True): os.utime(folder, ns=(times[5], times[5]))
`;

/** `largeAttributes`: how many of 64,000 bytes one file gets, where the file system takes them. */
export function tortureTree(folder: string, largeAttributes?: number): void {
  const more = largeAttributes === undefined ? [] : [String(largeAttributes)];
  execFileSync('python3', ['-c', program, folder, ...more], { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** What `rsync`, which knows nothing of us, would change to make one tree of the other; nothing when they are the same. */
export function rsyncDifferences(one: string, other: string): string {
  const how = ['-aHAXSnc', '--modify-window=-1', '--delete', '--itemize-changes', ...(isRoot ? ['--numeric-ids'] : [])];
  return execFileSync('rsync', [...how, `${one}/`, `${other}/`], { encoding: 'latin1' });
}

/** File capabilities, by the tool that administrators use. */
export function capabilities(folder: string): string {
  return isRoot ? execFileSync('getcap', ['-r', '.'], { cwd: join(folder), encoding: 'latin1' }) : '';
}
