"""What is below a folder, a line for each property of each entry: look.py FOLDER. `path<TAB>property<TAB>value`, in order of paths, all
escaped to ASCII. Written for comparing trees, and shares nothing with what it is to judge: other language, other calls, another order."""
import errno, fcntl, hashlib, os, stat, struct, sys

ROUGH = 4 << 20  # Holes are told where they are at least as large as this; what is smaller is an economy, no promise.
FLAGS = 0x10000 | 0x20000 | 0x800000 | 0x4000 | 0x4 | 0x400 | 0x8 | 0x10 | 0x20 | 0x40 | 0x80


def shown(value):
    return repr(value)[2:-1] if isinstance(value, bytes) else ascii(value)[1:-1]


def holes_of(descriptor, size):
    found, position = [], 0
    while position < size:
        try:
            data = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            data = size
        first, last = -(-position // ROUGH), data // ROUGH
        if last > first:
            found.append(f'{first}-{last}')
        if data >= size:
            break
        position = os.lseek(descriptor, data, os.SEEK_HOLE)
    return ' '.join(found)


def of_regular(descriptor, info):
    digest = hashlib.sha256()
    os.lseek(descriptor, 0, os.SEEK_SET)
    while piece := os.read(descriptor, 1 << 20):
        digest.update(piece)
    yield 'size', info.st_size
    yield 'sha256', digest.hexdigest()
    # What is reserved and was never written is no hole: its room is taken.
    yield 'holes', holes_of(descriptor, info.st_size) if info.st_blocks * 512 < info.st_size else ''


def of_open(descriptor):
    try:
        bits = struct.unpack('I', fcntl.ioctl(descriptor, 0x80086601, bytes(8))[:4])[0]
        yield 'flags', f'{bits & FLAGS:x}'
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP):
            raise


def properties(parent, name, info, link_name):
    kind = stat.S_IFMT(info.st_mode)
    yield 'type', f'{kind:o}'
    if kind != stat.S_IFLNK:
        yield 'mode', f'{stat.S_IMODE(info.st_mode):o}'
    yield 'uid', info.st_uid
    yield 'gid', info.st_gid
    yield 'mtime', info.st_mtime_ns
    if kind == stat.S_IFLNK:
        yield 'target', shown(os.readlink(name, dir_fd=parent))
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        yield 'device', f'{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}'
    if kind == stat.S_IFREG and info.st_nlink > 1:
        yield 'links', f'{link_name} of {info.st_nlink}'
    through = b'/proc/self/fd/%d/%s' % (parent, name)
    for attribute in sorted(os.listxattr(through, follow_symlinks=False)):
        if attribute.startswith('trusted.SGI_ACL_'):
            continue  # XFS's own form of the lists that it also gives as system.posix_acl_….
        yield 'xattr ' + shown(attribute), shown(os.getxattr(through, attribute, follow_symlinks=False))
    if kind in (stat.S_IFREG, stat.S_IFDIR):
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            yield from of_open(descriptor)
            if kind == stat.S_IFREG:
                yield from of_regular(descriptor, info)
        finally:
            os.close(descriptor)


def look(top):
    first_names = {}
    lines = []

    def visit(parent, name, path):
        info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        link_name = first_names.setdefault((info.st_dev, info.st_ino), shown(path))
        for what, value in properties(parent, name, info, link_name):
            lines.append(f'{shown(path)}\t{what}\t{value}')
        if stat.S_ISDIR(info.st_mode):
            inside = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=parent)
            for child in sorted(os.listdir(b'/proc/self/fd/%d' % inside)):
                visit(inside, child, path + b'/' + child if path else child)
            os.close(inside)

    sys.setrecursionlimit(10_000)
    parent = os.open(os.path.dirname(top) or b'.', os.O_RDONLY)
    visit(parent, os.path.basename(top), b'')
    return lines


if __name__ == '__main__':
    print('\n'.join(look(os.fsencode(sys.argv[1].rstrip('/')))))
