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
 * The Perl program (perl is part of every Debian) for what Node has no call for: extended attributes, and times to the nanosecond. One
 * process does thousands of entries. Undefined on a machine whose numbers nobody wrote down.
 *
 * Its input is a letter, then for each entry its path and, for `s` (set), what it shall be; its answers are records of an entry's place
 * in the input, an errno, a name and a value. Numbers are big-endian, texts have their length before them.
 */
export function metadataProgram(machine: string): string | undefined {
  const numbers = systemCalls[machine];
  if (numbers === undefined) return undefined;
  return `my ($UTIMENSAT, $SET, $GET, $LIST, $REMOVE) = (${numbers.join(', ')});
my ($MOST, $END) = (${MAX_XATTR_BYTES}, ${END});
${steps}`;
}

// syscall takes a number for a number and a string for an address, and the string must not be a constant.
const steps = String.raw`use strict;
use POSIX ();
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

sub look {
  my ($path) = @_;
  my $names = names($path);
  # Neither a file system without attributes nor a file that is gone.
  return $!{EOPNOTSUPP} || $!{ENOENT} || $!{ENOTDIR} || failed('') unless defined $names;
  my ($answer, $held) = ('', 0);
  for my $name (@$names) {
    my $count = syscall($GET, $path, $name, $room, 65536);
    next if $count < 0 && $!{ENODATA};
    $answer .= $count < 0 ? record($! + 0, $name, '') : record(0, $name, substr($room, 0, $count));
    if (($held += length($name) + ($count > 0 ? $count : 0)) > $MOST) { $answer = record(POSIX::E2BIG, '', ''); last }
  }
  print $answer;
  $done += length $answer;
}

sub set {
  my ($path) = @_;
  my ($link, $uid, $gid, $mode, $seconds, $nano, $group, $count) = unpack('NNNNq>NNN', bytes(36));
  my %wanted;
  for (1 .. $count) { my $name = text(); $wanted{$name} = text() }
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

my $what = bytes(1) eq 's' ? \&set : \&look;
while ($done <= $MOST && read(STDIN, my $size, 4)) {
  $what->(bytes(unpack('N', $size)));
  $at++;
}
print pack('NN', $END, $at);
`;
