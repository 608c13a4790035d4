"""Makes a tree of everything that a file system of Linux can hold: tree.py FOLDER SIZE_MIB. What this one does not take is left out, and
said on standard output, a line each. Paths are bytes. Needs root."""
import errno, fcntl, os, socket, stat, struct, sys

top, size_mib = os.fsencode(sys.argv[1]), int(sys.argv[2])
refused = []


def attempt(what, work):
    try:
        work()
        return True
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.ENOTTY, errno.EPERM, errno.ENAMETOOLONG):
            raise
        refused.append(f'{what}: {errno.errorcode[error.errno]}')
        return False


def at(*names):
    return b'/'.join((top,) + names)


def folder(*names):
    os.makedirs(at(*names), exist_ok=True)
    return at(*names)


def file(path, content=b'content\n'):
    with open(path, 'wb') as out:
        out.write(content)
    return path


def acl(*entries):
    """The kernel's form: version 2, then tag, rights and id of each."""
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *entry) for entry in entries)


OWNER, USER, GROUP, NAMED, MASK, OTHER, NONE = 1, 2, 4, 8, 16, 32, 0xFFFFFFFF
access = acl((OWNER, 6, NONE), (USER, 4, 33), (USER, 6, 54321), (GROUP, 0, NONE), (NAMED, 4, 43210), (MASK, 6, NONE), (OTHER, 0, NONE))
default = acl((OWNER, 7, NONE), (USER, 7, 54321), (GROUP, 5, NONE), (MASK, 7, NONE), (OTHER, 0, NONE))


def types():
    here = folder(b'types')
    file(here + b'/file')
    file(here + b'/empty', b'')
    folder(b'types', b'empty folder')
    os.mkfifo(here + b'/fifo')
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(here)
    listener.bind('socket')
    listener.close()
    os.mknod(here + b'/null', stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(here + b'/loop', stat.S_IFBLK | 0o660, os.makedev(7, 200))
    # XFS keeps minor numbers of 18 bits.
    attempt('device 4095', lambda: os.mknod(here + b'/far', stat.S_IFCHR | 0o600, os.makedev(4095, 1048575)))
    attempt('device 511', lambda: os.mknod(here + b'/other', stat.S_IFBLK | 0o600, os.makedev(511, 262143)))
    for name, target in {
        b'relative': b'file', b'dangling': b'not there', b'absolute': b'/nowhere/else', b'folder': b'empty folder/', b'self': b'self',
        b'odd': b'a\nb\xff%2f\\', b'long': b'x/' * 500 + b'y', b'longer': b'x/' * 2000 + b'y', b'dots': b'../types/./file',
    }.items():
        attempt(f'link {name}', lambda name=name, target=target: os.symlink(target, here + b'/to ' + name))


def names():
    here = folder(b'names')
    for byte in range(1, 256):
        if byte != ord('/'):
            attempt(f'name {byte:02x}', lambda byte=byte: file(here + b'/byte ' + bytes([byte]) + b' in it', bytes([byte])))
    for name in (
        b'-rf', b'--', b' ', b'...', b'..x', b'.hidden', b'\n', b'a\tb', b'$(id)', b'`id`', b"it's", b'"', b'*', b'\\', b'%2f', b'%', b'x=1,y',
        b'n' * 255, b'\xff' * 255, 'ä'.encode(), 'a\u0308'.encode(), b'CACHEDIR.TAG', b'node_modules', b'x.tmp', b'core', b'#x#', b'.lifeboat-restoring-x',
        b'lost+found', b'CON', b'trailing.', b'trailing ', '\u202etxt.exe'.encode(), b'\x1b[31mred',
    ):
        attempt(f'name {name!r}', lambda name=name: file(here + b'/' + name, name))
    # In the order of whole paths `a.b` comes between `a` and what is in it.
    for name in (b'a', b'a/b', b'a/b/c', b'A'):
        folder(b'names', b'order', name)
    for name in (b'a-b', b'a.b', b'a0', b'a/b-c', b'a/b/c!'):
        file(at(b'names', b'order', name))


def deep():
    here = folder(b'deep')
    step = b'd' * 200
    path = here
    # As long as an absolute path may be, with room for where a restore puts it.
    while len(path) + len(step) < 3500:
        path += b'/' + step
        os.mkdir(path)
    file(path + b'/bottom')
    many = b'/'.join([b's'] * 300)
    os.makedirs(here + b'/' + many)
    file(here + b'/' + many + b'/bottom')


def rights():
    here = folder(b'rights')
    for mode in (0o000, 0o001, 0o111, 0o222, 0o400, 0o604, 0o640, 0o777, 0o1777, 0o2711, 0o2644, 0o4755, 0o4000, 0o6755, 0o7777):
        os.chmod(file(here + b'/file %04o' % mode), mode)
        os.chmod(folder(b'rights', b'folder %04o' % mode), mode)
        file(here + b'/folder %04o/inside' % mode)
    for uid, gid in ((0, 0), (65534, 65534), (54321, 43210), (4294967294, 4294967294), (33, 33), (1, 54321)):
        for name, make in ((b'file', file), (b'link', lambda path: os.symlink(b'file', path)), (b'fifo', os.mkfifo), (b'folder', os.mkdir)):
            path = here + b'/%s of %d %d' % (name, uid, gid)
            make(path)
            os.chown(path, uid, gid, follow_symlinks=False)
            if name in (b'file', b'folder'):
                os.chmod(path, 0o6755)


def holes():
    here = folder(b'holes')
    mib = 1 << 20

    def sparse(name, size, *data):
        with open(here + b'/' + name, 'wb') as out:
            for where in data:
                out.seek(where)
                out.write(os.urandom(8192))
            out.truncate(size)

    sparse(b'nothing', size_mib * mib)
    sparse(b'first', 64 * mib, 0)
    sparse(b'last', 64 * mib, 64 * mib - 8192)
    sparse(b'middle', 64 * mib, 32 * mib)
    sparse(b'three', 96 * mib + 5, 4096, 48 * mib, 96 * mib)
    sparse(b'small', 12345, 8192 - 8192)
    file(here + b'/zeros', b'\0' * 300000)
    with open(here + b'/reserved', 'wb') as out:
        attempt('fallocate', lambda: os.posix_fallocate(out.fileno(), 0, 20 * mib))
    file(here + b'/large', os.urandom(20 * mib) + b'\0' * mib + os.urandom(3 * mib + 7))


def links():
    one, two = folder(b'links', b'one'), folder(b'links', b'two')
    for name in (b'group', b'pair'):
        file(one + b'/' + name, name)
    os.link(one + b'/group', one + b'/another')
    os.link(one + b'/group', two + b'/third')
    os.link(one + b'/pair', two + b'/0')
    # The same bytes, and not the same file.
    file(two + b'/like pair', b'pair')
    for number in range(300):
        os.link(one + b'/group', folder(b'links', b'many') + b'/%d' % number)


def attributes():
    here = folder(b'attributes')

    def give(path, name, value):
        attempt(f'{name!r} on {path[len(top):]!r}', lambda: os.setxattr(path, name, value, follow_symlinks=False))

    path = file(here + b'/file')
    for name, value in {
        b'user.text': b'a value', b'user.empty': b'', b'user.binary': bytes(range(256)), b'user.odd=,%\n\xff': b'=,%\n',
        b'user.large': b'v' * 3000, b'trusted.by root': b'1', b'security.other': b'label\0',
    }.items():
        give(path, name, value)
    for number in range(40):
        give(file(here + b'/many'), b'user.%d' % number, b'%d' % number)
    for size in (16_000, 60_000, 65_536):
        give(file(here + b'/large %d' % size), b'user.large', os.urandom(size))
    os.symlink(b'file', here + b'/link')
    os.mkfifo(here + b'/fifo')
    for name in (b'link', b'fifo'):
        give(here + b'/' + name, b'trusted.on ' + name, b'1')
    for name in (b'acl', b'acl of another', b'acl and bits'):
        give(file(here + b'/' + name), b'system.posix_acl_access', access)
    os.chown(here + b'/acl of another', 54321, 43210)
    os.chmod(here + b'/acl and bits', 0o4620)
    listed = folder(b'attributes', b'listed')
    give(listed, b'system.posix_acl_access', access)
    file(listed + b'/before the default')
    give(listed, b'system.posix_acl_default', default)
    file(listed + b'/after it')
    os.mkdir(listed + b'/folder after it')
    give(file(here + b'/capable'), b'security.capability', struct.pack('<5I', 0x02000001, 1 << 13, 0, 0, 0))
    give(file(here + b'/capable elsewhere'), b'security.capability', struct.pack('<6I', 0x03000001, 1 << 13, 0, 0, 0, 100000))
    os.chown(file(here + b'/capable of another'), 54321, 43210)
    os.chmod(here + b'/capable of another', 0o6755)
    give(here + b'/capable of another', b'security.capability', struct.pack('<5I', 0x02000001, 1 << 10, 0, 0, 0))


def times():
    here = folder(b'times')
    for name, when in {
        b'ns': 1715000000_999999999, b'one ns': 1, b'zero': 0, b'before': -1, b'half': -1_500000000, b'1901': -(2**31) * 10**9,
        b'1969': -14182940_750000000, b'2038': 2**31 * 10**9 + 1, b'2106': 2**32 * 10**9 + 999999999, b'2300': 10413792000_000000001,
        b'2400': 13569465600_123456789,
    }.items():
        os.symlink(b'x', here + b'/link ' + name)
        file(here + b'/' + name)
        os.mkfifo(here + b'/fifo ' + name)
        for path in (here + b'/' + name, here + b'/link ' + name, here + b'/fifo ' + name, folder(b'times', b'folder ' + name)):
            attempt(f'time {name!r}', lambda path=path: os.utime(path, ns=(when, when), follow_symlinks=False))


def flags():
    here = folder(b'flags')
    letters = {'S': 8, 'D': 0x10000, 'i': 0x10, 'a': 0x20, 'd': 0x40, 'A': 0x80, 'c': 4, 'm': 0x400, 'j': 0x4000, 'T': 0x20000, 'C': 0x800000}
    wanted = []

    def give(path, letters_wanted, what):
        bits = sum(letters[letter] for letter in letters_wanted)
        descriptor = os.open(path, os.O_RDONLY)
        has = struct.unpack('I', fcntl.ioctl(descriptor, 0x80086601, b'\0' * 8)[:4])[0]
        fcntl.ioctl(descriptor, 0x40086602, struct.pack('II', has | bits, 0))
        os.close(descriptor)

    for some in ('d', 'A', 'S', 'i', 'a', 'ia', 'dAS', 'c', 'm', 'j'):
        wanted.append((file(here + b'/file ' + some.encode()), some))
    for some in ('d', 'D', 'T', 'i', 'a', 'A', 'C', 'c'):
        path = folder(b'flags', b'folder ' + some.encode())
        file(path + b'/inside')
        os.mkdir(path + b'/folder inside')
        wanted.append((path, some))
    os.link(here + b'/file i', here + b'/another name')
    for path, some in wanted:
        attempt(f'flags {some}', lambda path=path, some=some: give(path, some, ''))


for make in (types, names, deep, rights, holes, links, attributes, times, flags):
    make()
os.chown(top, 54321, 43210)
os.chmod(top, 0o2750)
attempt('attribute of the top', lambda: os.setxattr(top, b'user.top', b'x'))
attempt('list of the top', lambda: os.setxattr(top, b'system.posix_acl_default', default))
os.utime(top, ns=(1715000000_111111111, 1715000000_111111111))
print('\n'.join(sorted(set(refused))))
