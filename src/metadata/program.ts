/** utimensat(2), lsetxattr(2), lgetxattr(2), llistxattr(2) and lremovexattr(2), by the machine's numbers. */
const systemCalls: Readonly<Record<string, readonly [number, number, number, number, number]>> = {
  x64: [280, 189, 192, 195, 198],
  arm64: [88, 6, 9, 12, 15],
};

/** What one entry's attributes may hold together, and one answer to `read`: XFS sets no limit of its own. */
export const MAX_XATTR_BYTES = 16 << 20;
/** Ends an answer, before the number of entries that were looked at. */
export const END = 0xffff_ffff;

/**
 * What `chattr` sets is kept among the attributes, by this name, as its letters: no attribute of the kernel's can have it. Those of
 * `protecting` forbid every change, also to us, and so come when everything is in its place.
 */
export const flagsName = 'inode.flags';
const flags = 'suSDiadAcmjtTCP';
const flagBits = [1, 2, 8, 0x10000, 0x10, 0x20, 0x40, 0x80, 4, 0x400, 0x4000, 0x8000, 0x20000, 0x800000, 0x20000000];
export const protecting = /[ia]/g;

/**
 * The Perl program (perl is part of every Debian) for what Node has no call for: extended attributes, flags, and times to the
 * nanosecond. One process does thousands of entries. Undefined on a machine whose numbers nobody wrote down.
 *
 * Its input is a letter, then for each entry its path and, for `s` (set), what it shall be, for `p` (protect), its flags; its answers
 * are records of an entry's place in the input, an errno, a name and a value. Numbers are big-endian, texts have their length before
 * them. What is protected lies below a folder, whose path comes first, and is reached through no link.
 */
export function metadataProgram(machine: string): string | undefined {
  const numbers = systemCalls[machine];
  if (numbers === undefined) return undefined;
  return `my ($UTIMENSAT, $SET, $GET, $LIST, $REMOVE) = (${numbers.join(', ')});
my ($MOST, $END) = (${MAX_XATTR_BYTES}, ${END});
my @FLAGS = ([${[...flags].map((letter, at) => `'${letter}', ${flagBits[at]}`).join('], [')}]);
my $FLAGS = '${flagsName}';
${steps}`;
}

// syscall takes a number for a number and a string for an address, and the string must not be a constant.
const steps = String.raw`use strict;
use POSIX ();
use Fcntl qw(O_RDONLY O_NONBLOCK O_NOFOLLOW O_DIRECTORY);
binmode STDIN;
binmode STDOUT;
my ($at, $done, $room) = (0, 0, "\0" x 65536);

sub bytes {
  my ($count, $got) = ($_[0], '');
  while (length($got) < $count) { read(STDIN, $got, $count - length($got), length $got) or exit 3 }
  return $got;
}
sub text { return bytes(unpack('N', bytes(4))) }
sub record { return pack('NNN/a*N/a*', $at, @_) }
sub failed { print record($! + 0, $_[0], '') }
sub names {
  my ($path) = @_;
  my $count = syscall($LIST, $path, $room, 65536);
  return $count < 0 ? undef : [split /\0/, substr($room, 0, $count)];
}

# FS_IOC_GETFLAGS and FS_IOC_SETFLAGS, of files and folders only: to open a device may do something.
sub opened {
  my ($path) = @_;
  my @is = lstat $path;
  return unless @is;
  return unless ($is[2] & 0170000) == 0100000 || ($is[2] & 0170000) == 0040000;
  sysopen(my $file, $path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW) or return;
  return $file;
}
sub flags {
  my ($file) = @_;
  my $bits = "\0" x 8;
  return defined ioctl($file, 0x80086601, $bits) ? unpack('L', $bits) : undef;
}
sub change { my ($file, $bits) = @_; my $all = pack('LL', $bits, 0); return defined ioctl($file, 0x40086602, $all) }
sub letters { my ($bits) = @_; return join '', map { $bits & $_->[1] ? $_->[0] : () } @FLAGS }
sub flag {
  my ($path, $letters) = @_;
  my $file = opened($path);
  my $is = $file && flags($file);
  return failed("xattr $FLAGS") unless defined $is;
  my @wanted = map { $_->[1] } grep { index($letters, $_->[0]) >= 0 } @FLAGS;
  my $all = $is;
  $all |= $_ for @wanted;
  return if $all == $is || change($file, $all) && (flags($file) & $all) == $all;
  my $why = $! + 0;
  # One that is not taken keeps no other from being set.
  for my $bit (@wanted) { change($file, flags($file) | $bit) or $why = $! + 0 }
  $! = $why || POSIX::EOPNOTSUPP;
  failed("xattr $FLAGS") if (flags($file) & $all) != $all;
}

sub look {
  my ($path) = @_;
  my $names = names($path);
  # Neither a file system without attributes nor a file that is gone.
  unless (defined $names) {
    return if $!{ENOENT} || $!{ENOTDIR};
    return failed('') unless $!{EOPNOTSUPP};
    $names = [];
  }
  my ($answer, $held) = ('', 0);
  for my $name (@$names) {
    # How XFS keeps the lists that it gives as system.posix_acl_…: elsewhere it would be rubbish.
    next if $name =~ /^trusted\.SGI_ACL_/;
    my $count = syscall($GET, $path, $name, $room, 65536);
    next if $count < 0 && $!{ENODATA};
    $answer .= $count < 0 ? record($! + 0, $name, '') : record(0, $name, substr($room, 0, $count));
    if (($held += length($name) + ($count > 0 ? $count : 0)) > $MOST) { $answer = record(POSIX::E2BIG, '', ''); last }
  }
  my $file = opened($path);
  my $flags = letters($file && flags($file) || 0);
  $answer .= record(0, $FLAGS, $flags) if $flags ne '';
  print $answer;
  $done += length $answer;
}

sub set {
  my ($path) = @_;
  my ($link, $uid, $gid, $mode, $seconds, $nano, $group, $count) = unpack('NNNNq>NNN', bytes(36));
  my %wanted;
  for (1 .. $count) { my $name = text(); $wanted{$name} = text() }
  my $flags = delete $wanted{$FLAGS};
  my @is = lstat($path) or return failed('place');
  # The owner first: another one clears set-uid bits and capabilities.
  if ($is[4] != $uid || $is[5] != $gid) {
    POSIX::lchown($uid, $gid, $path) or failed('owner'), POSIX::lchown(-1, $gid, $path);
    @is = lstat($path) or return failed('place');
  }
  # What a folder above hands down was not recorded, and may let somebody in.
  for my $name (grep { /^system\.posix_acl_/ && !exists $wanted{$_} } @{names($path) || []}) {
    syscall($REMOVE, $path, $name) == 0 or failed("xattr $name");
  }
  my $unlisted = 0;
  for my $name (sort keys %wanted) {
    my $value = $wanted{$name};
    next if syscall($SET, $path, $name, $value, length $value, 0) == 0;
    failed("xattr $name");
    $unlisted = 1 if $name eq 'system.posix_acl_access';
  }
  flag($path, $flags) if defined $flags;
  # Never more rights than before: bits for another owner or group than it had, or that were a list's mask, are not given.
  unless ($link) {
    $mode &= ~04000 if $is[4] != $uid;
    $mode &= ~02070 | (($mode & 7) << 3) if $is[5] != $gid;
    $mode &= ~070 | ($group << 3) if $unlisted;
    chmod($mode & 07777, $path) or failed('permissions');
  }
  # The time last: everything else changes it.
  my $times = pack('q4', $seconds, $nano, $seconds, $nano);
  syscall($UTIMENSAT, -100, $path, $times, 0x100) == 0 or failed('time');
}

my ($root, @way);
sub protect {
  my ($path) = @_;
  my $letters = text();
  my @names = split m{/}, $path;
  my $last = @names ? pop @names : '.';
  my $same = 0;
  $same++ while $same < @names && $same < @way && $way[$same][0] eq $names[$same];
  splice @way, $same;
  for my $name (@names[$same .. $#names]) {
    my $above = fileno(@way ? $way[-1][1] : $root);
    sysopen(my $folder, "/proc/self/fd/$above/$name", 010000000 | O_DIRECTORY | O_NOFOLLOW) or return failed("xattr $FLAGS");
    push @way, [$name, $folder];
  }
  flag('/proc/self/fd/' . fileno(@way ? $way[-1][1] : $root) . "/$last", $letters);
}

my $kind = bytes(1);
my $what = { s => \&set, p => \&protect }->{$kind} || \&look;
if ($kind eq 'p') { sysopen($root, text() . '/.', 010000000 | O_DIRECTORY) or exit 4 }
while ($done <= $MOST && read(STDIN, my $size, 4)) {
  $what->(bytes(unpack('N', $size)));
  $at++;
}
print pack('NN', $END, $at);
`;
