import { sandboxFailed } from './errors.ts';
import type { Isolated, Placement } from './protocol.ts';

/** A folder of this host as a cell sees it: through an overlay, so that its sockets and pipes lead nowhere. */
export interface Tree {
  /** Absolute, without links. */
  readonly path: string;
  /** Where changes go, on the host: a folder with `changes` and `work`. Absent: nothing can be changed. */
  readonly layer?: string;
  /** Owners are seen by their own numbers. Else files are nobody's: only what everyone may read can be read. */
  readonly owned: boolean;
  /** Only a way to what lies in it, and nothing else of it is there. */
  readonly bare?: boolean;
}

/** What a cell's file system is made of. All paths are the host's. */
export interface TreePlan {
  readonly footing: Isolated;
  /** Path to the user namespace. */
  readonly user: string;
  /** Paths to the namespaces that its maker joins, in this order. */
  readonly joined: readonly string[];
  /** Trees, an outer one before those in it. */
  readonly trees: readonly Tree[];
  /** Links at the top: name → target. */
  readonly links: ReadonlyArray<readonly [string, string]>;
  /** Folders of the sandbox that everything in it may see and write: path on the host → path inside. */
  readonly shared: ReadonlyArray<readonly [string, string]>;
  /** Folders of ours that can only be read: path on the host → path inside. */
  readonly tools: ReadonlyArray<readonly [string, string]>;
  /** `from` on the host. */
  readonly places: readonly Placement[];
  /** Files and folders that nothing inside may see. */
  readonly masked: readonly string[];
  /** Room of its /tmp, in memory. */
  readonly temporaryBytes: number;
  /** What could not be done goes here, a line each: `kind` TAB `path` TAB why. */
  readonly notes: string;
  /** Which files of these trees are read goes to `file`, a path and NUL each. */
  readonly read?: { readonly file: string; readonly trees: readonly string[] };
}

/** Where the cell's root is put together, in a mount namespace of its own. */
export const treeRoot = '/run/root';

/**
 * mount(2), setns(2), unshare(2), fanotify_init(2) and fanotify_mark(2), by the machine's numbers. Those that came later have
 * the same one everywhere.
 */
const systemCalls: Readonly<Record<string, readonly number[]>> = {
  x64: [165, 308, 272, 300, 301],
  arm64: [40, 268, 97, 262, 263],
};

/**
 * The Perl program (perl is part of every Debian) that joins the namespaces, puts a cell's file system together below `treeRoot`,
 * with all rights but before anything restored runs, and becomes the command of its arguments. It starts from nothing and takes
 * in what is needed, so what nobody thought of stays out. A step that fails is noted and leaves its part out. One process does
 * it all: some eighty mounts by mount(8) would take longer than a small restore.
 * @throws `sandbox-failed`
 */
export function treeProgram(plan: TreePlan): string {
  const numbers = systemCalls[process.arch];
  if (numbers === undefined) throw sandboxFailed({ doing: 'be started', why: `nothing is known of ${process.arch}` });
  const lines = [
    `my ($MOUNT, $SETNS, $UNSHARE, $FAN_INIT, $FAN_MARK) = (${numbers.join(', ')});`,
    `my ($SPACE, $MAPPED, $R) = (${literal(plan.user)}, ${plan.footing === 'root' ? 1 : 0}, ${literal(treeRoot)});`,
    steps,
    `begin(${[plan.notes, ...plan.joined].map(literal).join(', ')});`,
    `tmpfs("$R/tmp", 6, ${literal(`mode=1777,size=${plan.temporaryBytes}`)}) or die "$said\\n";`,
    ...plan.links.map(([name, target]) => `symlink(${literal(target)}, "$R/" . ${literal(name)});`),
    ...plan.trees.map((tree) => treeLine(tree)),
    // Before anything of the sandbox's own, which lies on a file system of this host, is placed over one of them.
    ...(plan.read === undefined ? [] : [`watch(${[plan.read.file, ...plan.read.trees].map(literal).join(', ')});`]),
    ...plan.shared.map(([from, to]) => `shared(${literal(from)}, $R . ${literal(to)}) or die "$said\\n";`),
    ...plan.tools.map(
      ([from, to]) => `tree(1, ${literal(from)}, $R . ${literal(to)}, ${lower(from)}) or die "$said\\n";`,
    ),
    ...plan.places.map(
      ({ from, to, gone }) =>
        `place(${[from === null ? 'undef' : literal(from), ...[to, ...gone].map(literal)].join(', ')});`,
    ),
    ...plan.masked.map((path) => `mask(${literal(path)}) or note('mask', ${literal(path)});`),
    'exec(@ARGV) or die "$ARGV[0]: $!\\n";',
  ];
  return `${lines.join('\n')}\n`;
}

/** Each returns whether it went well; if not, `$said` is why. */
const steps = String.raw`use strict;
use POSIX ();
my ($EMPTY, $NOTHING, $said, $lowers) = ('/run/empty', '/run/nothing', '', 0);
my ($RDONLY, $BARE, $BIND, $PRIVATE) = (1, 6, 4096, 0x44000); # bare: neither set-uid programs nor devices
my $notes;

sub failed { $said = "$_[0]: $!"; return 0 }
sub note { my ($kind, $path) = @_; (my $why = $said) =~ tr/\n\t/  /; syswrite($notes, "$kind\t$path\t$why\n") }

# syscall takes a number for a number and a string for an address, and the string must not be a constant.
sub mount {
  my ($from, $to, $type, $flags, $options) = map { "$_" } @_;
  return syscall($MOUNT, $from, $to, $type, $flags + 0, $options) == 0 || failed($to);
}
sub tmpfs { my ($to, $flags, $options) = @_; return mount('tmpfs', $to, 'tmpfs', $flags, $options) }

sub folders {
  for my $path (@_) {
    my $at = '';
    for my $part (grep { $_ ne '' } split m{/}, $path) { $at .= "/$part"; -d $at or mkdir $at or return failed($at) }
  }
  return 1;
}

sub begin {
  my ($file, @joined) = @_;
  umask 022;
  # Lifeboat may have been started with more open than the usual three, and what is open is handed on by exec.
  opendir(my $open, '/proc/self/fd') or die "/proc/self/fd: $!\n";
  my @numbers = grep { /^\d+$/ && $_ > 2 } readdir $open;
  closedir $open;
  POSIX::close($_) for @numbers;
  open($notes, '>>', $file) or die "$file: $!\n";
  my @spaces = map { open(my $space, '<', $_) or die "$_: $!\n"; $space } @joined;
  for my $space (@spaces) { syscall($SETNS, fileno($space), 0) == 0 or die "setns: $!\n" }
  syscall($UNSHARE, 0x20000) == 0 or die "unshare: $!\n";
  mount('none', '/', '', $PRIVATE, '') or die "$said\n";
  tmpfs('/run', $BARE, 'mode=755,size=64m') && folders($R, $EMPTY, '/run/low') or die "$said\n";
  open(my $nothing, '>', $NOTHING) && chmod 0444, $NOTHING or die "$NOTHING: $!\n";
  folders(map { "$R/$_" } qw(proc dev sys tmp run root)) or die "$said\n";
  tmpfs("$R/run", $BARE, 'mode=1777,size=16m') && folders("$R/run/lock") or die "$said\n";
  chmod 01777, "$R/run/lock" or die "$R/run/lock: $!\n";
}

# A mount with ids as the user namespace has them (mount_setattr(2), MOUNT_ATTR_IDMAP): a file of number 33 here is number 33's
# inside, and of an unprivileged number to everyone else.
sub ids {
  my ($from, $to) = map { "$_" } @_;
  my $none = '';
  my $tree = syscall(428, -100, $from, 0x80101);
  return failed($from) if $tree < 0;
  open(my $space, '<', $SPACE) or return failed($SPACE);
  my $attributes = pack('QQQQ', 0x100000 | $BARE, 0, 0, fileno($space));
  my $done = syscall(442, $tree, $none, 0x1000, $attributes, 32) == 0 || failed('its file system cannot map ids');
  $done &&= syscall(429, $tree, $none, -100, $to, 4) == 0 || failed($to);
  POSIX::close($tree);
  return $done;
}

sub over { my ($from, $to) = @_; return $MAPPED ? ids($from, $to) : mount($from, $to, '', $BIND, '') }
sub shared { my ($from, $to) = @_; return folders($to) && over($from, $to) }

sub tree {
  my ($owned, $from, $to, $lower, $layer) = @_;
  unless (plain($from) && plain($to)) { $said = 'a link is on the way'; return 0 }
  folders($to) or return 0;
  if ($owned && $MAPPED) {
    $lower = '/run/low/' . ++$lowers;
    folders($lower) && ids($from, $lower) or return 0;
  }
  my $own = $MAPPED ? '' : ',userxattr';
  return defined $layer
    ? mount('overlay', $to, 'overlay', $BARE, "lowerdir=$lower,upperdir=$layer/changes,workdir=$layer/work$own")
    : mount('overlay', $to, 'overlay', $BARE | $RDONLY, "lowerdir=$lower:$EMPTY$own");
}

# A link on the way would lead elsewhere, on the host too: the path must be what it says.
sub plain {
  my $at = '';
  for my $part (grep { $_ ne '' } split m{/}, $_[0]) { $at .= "/$part"; return 0 if -l $at }
  return 1;
}

sub hide {
  my $at = "$R$_[0]";
  return tmpfs($at, $BARE, 'mode=755,size=64k') if -d $at;
  return -e $at || -l $at ? mount($NOTHING, $at, '', $BIND, '') : 1;
}

sub mask {
  my ($path) = @_;
  my $at = "$R$path";
  return 1 unless -e $at || -l $at;
  unless (plain($at)) { $said = 'a link is on the way'; return 0 }
  return -d $at ? tmpfs($at, $BARE | $RDONLY, 'mode=755,size=4k') : hide($path);
}

# Covers the production path with the restored copy; where that fails nothing of production is seen there.
sub place {
  my ($from, $to, @gone) = @_;
  (my $folder = $to) =~ s{/[^/]*$}{};
  my @beside = map { "$folder/$_" } @gone;
  if (defined $from) {
    return if put($from, $to, $folder, @beside);
    note('place', $to);
  }
  plain("$R$to") or return;
  hide($_) for $to, @beside;
}

# Beside the cell, and not in it: a process that is told by the kernel (fanotify(7)) which files of these trees are read. Without the
# right to that, or without an overlay of its own, a tree is not watched.
sub watch {
  my ($file, @trees) = @_;
  my $told = syscall($FAN_INIT, 0x3, 0x88800);
  return if $told < 0;
  my @watched = grep { my $at = "$R$_"; syscall($FAN_MARK, $told, 0x101, 0x1, -100, $at) == 0 } @trees;
  # Whoever dies as nobody may not signal us (PR_SET_PDEATHSIG): it is looked at (pidfd_open(2)).
  my $cell = syscall(434, $$ + 0, 0);
  my $child = @watched && $cell >= 0 && open(my $out, '>>', $file) ? fork() : undef;
  if (!defined $child || $child) {
    waitpid($child, 0) if $child;
    POSIX::close($_) for grep { $_ >= 0 } $told, $cell;
    return;
  }
  # No child of the one that becomes the cell: limits are watched over its only one.
  my $watcher = fork();
  POSIX::_exit(0) if !defined $watcher || $watcher;
  open(STDIN, '<', '/dev/null'); open(STDOUT, '>', '/dev/null'); open(STDERR, '>', '/dev/null');
  my ($ready, %seen) = ('');
  vec($ready, $_, 1) = 1 for $told, $cell;
  for (;;) {
    select(my $some = $ready, undef, undef, undef);
    exit 0 if vec($some, $cell, 1);
    while (my $got = POSIX::read($told, my $events, 65536)) {
      last if $got <= 0;
      for (my $at = 0; $at < $got; ) {
        my ($length, $fd) = (unpack('L', substr($events, $at, 4)), unpack('l', substr($events, $at + 16, 4)));
        $at += $length;
        next if $fd < 0;
        my $path = readlink("/proc/self/fd/$fd");
        POSIX::close($fd);
        next if !defined $path || keys %seen >= 100000 || $seen{$path}++;
        syswrite($out, "$path\0");
      }
    }
  }
}

sub put {
  my ($from, $to, $folder, @beside) = @_;
  if (-l $from || !plain("$R$to")) { $said = 'a link is on the way'; return 0 }
  # An old write-ahead log beside a restored database would be replayed into it.
  for my $path (map { "$R$_" } @beside) { unlink $path or return failed($path) if -e $path || -l $path }
  if (-d $from) { folders("$R$to") or return 0 }
  else {
    folders("$R$folder") or return 0;
    unless (-e "$R$to") { open(my $made, '>', "$R$to") or return failed($to) }
  }
  return over($from, "$R$to");
}`;

function treeLine({ path, layer, owned, bare }: Tree): string {
  if (bare) return `hide(${literal(path)}) or note('tree', ${literal(path)});`;
  const words = [
    owned ? '1' : '0',
    literal(path),
    `$R . ${literal(path)}`,
    lower(path),
    ...(layer === undefined ? [] : [literal(layer)]),
  ];
  // The rest is a convenience: what cannot be taken in is not there, and an application that needs it says so.
  const otherwise = owned ? ` or note('tree', ${literal(path)})` : '';
  return `tree(${words.join(', ')})${otherwise};`;
}

/** As `lowerdir` of an overlay takes it: a comma, a colon or a backslash would end it. */
function lower(path: string): string {
  return literal(path.replace(/[\\,:]/g, '\\$&'));
}

/** A string of Perl. */
function literal(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

/** One word of a shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
