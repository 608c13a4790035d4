import { dirname, join } from 'node:path';
import type { Isolated, Placement } from './protocol.ts';

/** A folder of this host as a cell sees it: through an overlay, so that its sockets and pipes lead nowhere. */
export interface Tree {
  /** Absolute, without links. */
  readonly path: string;
  /** Where changes go, on the host: a folder with `changes` and `work`. Absent: nothing can be changed. */
  readonly layer?: string;
  /** Owners are seen by their own numbers. Else files are nobody's: only what everyone may read can be read. */
  readonly owned: boolean;
}

/** What a cell's file system is made of. All paths are the host's. */
export interface TreePlan {
  readonly footing: Isolated;
  /** Path to the user namespace. */
  readonly user: string;
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
}

/** Where the cell's root is put together, in a mount namespace of its own. */
export const treeRoot = '/run/root';
const empty = '/run/empty';
const nothing = '/run/nothing';

/**
 * Makes a mount with ids as a user namespace has them (mount_setattr(2), MOUNT_ATTR_IDMAP): a file of number 33 here is number
 * 33's inside, and of an unprivileged number to everyone else. util-linux can do it since 2.39 only; perl is part of every Debian.
 */
const mapIds = `my ($from, $to, $space) = @ARGV; my $none = "";
my $tree = syscall(428, -100, $from, 0x80101); die "open_tree: $!\\n" if $tree < 0;
open(my $ids, "<", $space) or die "$!\\n";
my $attributes = pack("QQQQ", 0x100000, 0, 0, fileno($ids));
syscall(442, $tree, $none, 0x1000, $attributes, 32) == 0 or die "its file system cannot map ids: $!\\n";
syscall(429, $tree, $none, -100, $to, 4) == 0 or die "move_mount: $!\\n";`;

/**
 * The shell script that puts a cell's file system together below `treeRoot`, with all rights but before anything restored runs:
 * it starts from nothing and takes in what is needed, so what nobody thought of stays out. A step that fails is noted and
 * leaves its part out.
 */
export function treeScript(plan: TreePlan): string {
  const lines = [
    'set -u',
    `NOTES=${quote(plan.notes)}; SPACE=${quote(plan.user)}; R=${treeRoot}; N=0`,
    'mount -t tmpfs -o mode=755,size=64m,nosuid,nodev tmpfs /run || exit 1',
    `mkdir -p $R ${empty} /run/low && : > ${nothing} && chmod 444 ${nothing} || exit 1`,
    'note() { printf "%s\\t%s\\t%s\\n" "$1" "$2" "$(tr "\\n\\t" "  " < /run/said)" >> "$NOTES"; }',
    `ids() { perl -e ${quote(mapIds)} "$1" "$2" "$SPACE"; }`,
    ...functions(plan.footing),
    'mkdir -p $R/proc $R/dev $R/sys $R/tmp $R/run $R/root; chmod 755 $R/root',
    'mount -t tmpfs -o mode=1777,size=16m,nosuid,nodev tmpfs $R/run && mkdir $R/run/lock && chmod 1777 $R/run/lock || exit 1',
    `mount -t tmpfs -o mode=1777,size=${plan.temporaryBytes},nosuid,nodev tmpfs $R/tmp || exit 1`,
    ...plan.links.map(([name, target]) => `ln -s ${quote(target)} $R/${quote(name)}`),
    ...plan.trees.map((tree) => treeLine(tree)),
    ...plan.shared.map(([from, to]) => `shared ${quote(from)} $R${quote(to)} || exit 1`),
    ...plan.tools.map(([from, to]) => `tree yes ${quote(from)} $R${quote(to)} ${lower(from)} || exit 1`),
    ...plan.places.flatMap((place) => placeLines(place)),
    ...plan.masked.map((path) => `mask ${quote(path)} 2>/run/said || note mask ${quote(path)}`),
  ];
  return `${lines.join('\n')}\n`;
}

function functions(footing: Isolated): string[] {
  const mapped = footing === 'root';
  return [
    // tree OWNED FROM TO AS-A-LOWER-FOLDER [LAYER]
    'tree() {',
    '  [ -d "$3" ] || mkdir -p "$3"; N=$((N+1)); L=$4',
    mapped
      ? '  if [ "$1" = yes ]; then mkdir /run/low/$N && ids "$2" /run/low/$N || return 1; L=/run/low/$N; fi'
      : '  :',
    `  O=nosuid,nodev${mapped ? '' : ',userxattr'}`,
    `  if [ $# -lt 5 ]; then mount -t overlay -o "ro,$O,lowerdir=$L:${empty}" overlay "$3"`,
    '  else mount -t overlay -o "$O,lowerdir=$L,upperdir=$5/changes,workdir=$5/work" overlay "$3"; fi',
    '}',
    mapped ? 'shared() { mkdir -p "$2" && ids "$1" "$2"; }' : 'shared() { mkdir -p "$2" && mount --bind "$1" "$2"; }',
    mapped ? 'over() { ids "$1" "$2"; }' : 'over() { mount --bind "$1" "$2"; }',
    // A link on the way would lead to the host's own path, where nothing may be covered: the path must be what it says.
    'plain() {',
    '  P=$R$1; [ ! -L "$P" ] || return 1',
    `  while [ ! -d "$P" ]; do P=\${P%/*}; [ ! -L "$P" ] || return 1; done`,
    // A folder that may not be entered is asked about in another way, which costs a process.
    '  (cd -P "$P" 2>/dev/null && [ "$PWD" = "$P" ]) || [ "$(realpath -m "$R$1")" = "$R$1" ]',
    '}',
    'hide() {',
    '  if [ -d "$R$1" ]; then mount -t tmpfs -o mode=755,size=64k,nosuid,nodev tmpfs "$R$1"',
    `  elif [ -e "$R$1" ] || [ -L "$R$1" ]; then mount --bind ${nothing} "$R$1"; fi`,
    '}',
    'mask() {',
    // Most of what is named is not here, and each look costs a process.
    '  [ -e "$R$1" ] || [ -L "$R$1" ] || return 0',
    '  plain "$1" || { echo a link is on the way >&2; return 1; }',
    '  if [ -d "$R$1" ]; then mount -t tmpfs -o ro,mode=755,size=4k tmpfs "$R$1"; else hide "$1"; fi',
    '}',
  ];
}

function treeLine({ path, layer, owned }: Tree): string {
  const words = [
    owned ? 'yes' : 'no',
    quote(path),
    `$R${quote(path)}`,
    lower(path),
    ...(layer === undefined ? [] : [quote(layer)]),
  ];
  // The rest is a convenience: what cannot be taken in is not there, and an application that needs it says so.
  const otherwise = owned ? `note tree ${quote(path)}` : ':';
  return `tree ${words.join(' ')} 2>/run/said || ${otherwise}`;
}

/** Covers the production path with the restored copy; where that fails nothing of production is seen there. */
function placeLines({ from, to, gone }: Placement): string[] {
  const beside = gone.map((name) => quote(join(dirname(to), name)));
  const hideAll = [quote(to), ...beside].map((path) => `hide ${path}`).join('; ');
  if (from === null) return [`if plain ${quote(to)}; then ${hideAll}; fi`];
  const [source, target, folder] = [quote(from), `$R${quote(to)}`, `$R${quote(dirname(to))}`];
  // An old write-ahead log beside a restored database would be replayed into it.
  const clear = gone.map((name) => `rm -f ${folder}/${quote(name)}`);
  const make = `if [ -d ${source} ]; then mkdir -p ${target}; else mkdir -p ${folder} && { [ -e ${target} ] || : > ${target}; }; fi`;
  const work = [`[ ! -L ${source} ]`, `plain ${quote(to)}`, ...clear, `{ ${make}; }`, `over ${source} ${target}`].join(
    ' && ',
  );
  return [`{ ${work}; } 2>/run/said || { note place ${quote(to)}; if plain ${quote(to)}; then ${hideAll}; fi; }`];
}

/** As `lowerdir` of an overlay takes it: a comma, a colon or a backslash would end it. */
function lower(path: string): string {
  return quote(path.replace(/[\\,:]/g, '\\$&'));
}

/** One word of a shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
