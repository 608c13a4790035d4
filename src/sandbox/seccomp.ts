/**
 * The seccomp filter for what runs in a sandbox, as bubblewrap's `--seccomp` takes it: an array of struct sock_filter, see
 * seccomp(2) and the kernel's Documentation/userspace-api/seccomp_filter.rst. Namespaces and missing rights already forbid
 * most of this; the filter takes the kernel's less trodden paths away from code that looks for a fault in them.
 */

type Machine = 'x64' | 'arm64';

/** AUDIT_ARCH_…, linux/audit.h. */
const audited: Readonly<Record<Machine, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** Calls that are refused outright: [x86-64, arm64], null where the machine has none. From asm/unistd_64.h and asm-generic/unistd.h. */
const refused: Readonly<Record<string, readonly [number | null, number | null]>> = {
  // What is mounted, old and new.
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_tree_attr: [467, 467],
  swapon: [167, 224],
  swapoff: [168, 225],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  // Namespaces.
  unshare: [272, 97],
  setns: [308, 268],
  // Files by handles go past what is hidden.
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  // Other processes.
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  move_pages: [279, 239],
  migrate_pages: [256, 238],
  // Keyrings know no namespaces.
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  // The kernel itself.
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  create_module: [174, null],
  init_module: [175, 105],
  delete_module: [176, 106],
  finit_module: [313, 273],
  get_kernel_syms: [177, null],
  query_module: [178, null],
  nfsservctl: [180, 42],
  uselib: [134, null],
  ustat: [136, null],
  sysfs: [139, null],
  _sysctl: [156, null],
  lookup_dcookie: [212, 18],
  syslog: [103, 116],
  acct: [163, 89],
  reboot: [169, 142],
  vhangup: [153, 58],
  modify_ldt: [154, null],
  iopl: [172, null],
  ioperm: [173, null],
  // The host's clock and name.
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  sethostname: [170, 161],
  setdomainname: [171, 162],
};

/** Calls whose arguments decide. */
const looked = {
  clone: [56, 220],
  clone3: [435, 435],
  ioctl: [16, 29],
  socket: [41, 198],
  socketpair: [53, 199],
  personality: [135, 92],
  mknod: [133, null],
  mknodat: [259, 33],
} as const satisfies Readonly<Record<string, readonly [number | null, number | null]>>;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const newNamespaces = 0x7e020000;
/** TIOCSTI and TIOCLINUX type into a terminal. */
const typingRequests = [0x5412, 0x541c];
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. Others, AF_VSOCK above all, are not bound to a network namespace. */
const families = [1, 2, 10, 16];
/** PER_LINUX, PER_LINUX32, both with UNAME26, and the question what it is. */
const personalities = [0, 8, 0x20000, 0x20008, 0xffffffff];
const [fileType, characterDevice, blockDevice] = [0o170000, 0o020000, 0o060000];

const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];
const allow = 0x7fff0000;
const fail = (errno: number) => 0x00050000 | errno;

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** BPF_LD|BPF_W|BPF_ABS, BPF_ALU|BPF_AND|BPF_K, BPF_JMP|{JEQ,JSET}|BPF_K, BPF_RET|BPF_K: linux/bpf_common.h. */
const load = (offset: number): Instruction => ({ code: 0x20, jt: 0, jf: 0, k: offset });
const and = (mask: number): Instruction => ({ code: 0x54, jt: 0, jf: 0, k: mask });
const end = (result: number): Instruction => ({ code: 0x06, jt: 0, jf: 0, k: result });
const equals = (k: number, jt: number, jf: number): Instruction => ({ code: 0x15, jt, jf, k });
const hasBits = (k: number, jt: number, jf: number): Instruction => ({ code: 0x45, jt, jf, k });
/** Low half of the n-th argument in struct seccomp_data; both machines are little-endian. */
const argument = (n: number) => load(16 + 8 * n);

/** Only the processors that Lifeboat's own Node comes for have a filter. Undefined elsewhere. */
export function seccompFilter(machine: string = process.arch): Uint8Array | undefined {
  if (machine !== 'x64' && machine !== 'arm64') return undefined;
  const at = machine === 'x64' ? 0 : 1;
  const program: Instruction[] = [
    load(4),
    equals(audited[machine], 1, 0),
    end(fail(ENOSYS)),
    load(0),
    // The x32 calls of x86-64 have other numbers; nothing uses them.
    ...(machine === 'x64' ? [hasBits(0x40000000, 0, 1), end(fail(ENOSYS))] : []),
  ];
  for (const numbers of Object.values(refused)) {
    const number = numbers[at];
    if (number !== null) program.push(equals(number, 0, 1), end(fail(EPERM)));
  }
  for (const [name, numbers] of Object.entries(looked)) {
    const number = numbers[at];
    if (number === null || number === undefined) continue;
    const body = decide(name as keyof typeof looked);
    program.push(equals(number, 0, body.length), ...body);
  }
  program.push(end(allow));
  return encode(program);
}

/** Ends in a result on every way through. */
function decide(call: keyof typeof looked): Instruction[] {
  switch (call) {
    case 'clone':
      return [argument(0), hasBits(newNamespaces, 0, 1), end(fail(EPERM)), end(allow)];
    case 'clone3':
      // Its flags lie in memory, where a filter cannot look; C libraries then use clone.
      return [end(fail(ENOSYS))];
    case 'ioctl':
      return [argument(1), ...oneOf(typingRequests, fail(EPERM), allow)];
    case 'socket':
    case 'socketpair':
      return [argument(0), ...oneOf(families, allow, fail(EAFNOSUPPORT))];
    case 'personality':
      return [argument(0), ...oneOf(personalities, allow, fail(EPERM))];
    case 'mknod':
      return [argument(1), and(fileType), ...oneOf([characterDevice, blockDevice], fail(EPERM), allow)];
    case 'mknodat':
      return [argument(2), and(fileType), ...oneOf([characterDevice, blockDevice], fail(EPERM), allow)];
  }
}

function oneOf(values: readonly number[], then: number, otherwise: number): Instruction[] {
  return [...values.flatMap((value) => [equals(value, 0, 1), end(then)]), end(otherwise)];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [at, { code, jt, jf, k }] of program.entries()) {
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(jt, at * 8 + 2);
    bytes.writeUInt8(jf, at * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, at * 8 + 4);
  }
  return bytes;
}
