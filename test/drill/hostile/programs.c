/* The programs of `attack` that try to get out. */
#define _GNU_SOURCE
#include "attack.h"

static long syscall6(long n, long a, long b, long c, long d, long e) { return syscall(n, a, b, c, d, e); }

/* ---- rights ---- */

static int armed;
static void look_at_rights(pid_t pid) { if (dangerous(pid)) armed++; }

static void rights(void) {
  each_process(look_at_rights);
  note("no-process-holds-dangerous-rights", armed ? 0 : EPERM);
  unsigned long long bound = 0;
  int new_privileges = -1, seccomp = -1;
  char line[256];
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f)) {
    sscanf(line, "CapBnd: %llx", &bound);
    sscanf(line, "NoNewPrivs: %d", &new_privileges);
    sscanf(line, "Seccomp: %d", &seccomp);
  }
  if (f) fclose(f);
  note("no-new-privileges", new_privileges == 1 ? EPERM : 0);
  note("seccomp", seccomp == 2 ? EPERM : 0);
  note("bounding-set", bound & (1ULL << 21 | 1ULL << 27 | 1ULL << 19 | 1ULL << 12 | 1ULL << 16 | 1ULL << 2) ? 0 : EPERM);
  struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct data[2] = { { 1u << CAP_SYS_ADMIN, 1u << CAP_SYS_ADMIN, 0 } };
  TRY("capset", syscall(SYS_capset, &header, data));
}

/* ---- mounts ---- */

static char *scratch(const char *name) {
  static char path[512];
  const char *base = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/%s-%d", base ? base : "/tmp", name, getpid());
  mkdir(path, 0700);
  return path;
}

static void mounts(void) {
  char *at = scratch("mnt");
  TRY("tmpfs", mount("x", at, "tmpfs", 0, 0));
  TRY("bind", mount("/", at, 0, MS_BIND, 0));
  TRY("rbind", mount("/", at, 0, MS_BIND | MS_REC, 0));
  TRY("proc", mount("proc", at, "proc", 0, 0));
  TRY("sysfs", mount("sysfs", at, "sysfs", 0, 0));
  TRY("cgroup", mount("x", at, "cgroup2", 0, 0));
  TRY("remount-root", mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0));
  TRY("remount-usr", mount(0, "/usr", 0, MS_REMOUNT | MS_BIND, 0));
  TRY("propagation", mount(0, "/", 0, MS_REC | MS_SHARED, 0));
  TRY("move", mount("/proc", at, 0, MS_MOVE, 0));
  char options[1400];
  char upper[600], work[600];
  snprintf(upper, sizeof upper, "%s-upper", at);
  snprintf(work, sizeof work, "%s-work", at);
  mkdir(upper, 0700);
  mkdir(work, 0700);
  snprintf(options, sizeof options, "lowerdir=/usr,upperdir=%s,workdir=%s", upper, work);
  TRY("overlay", mount("overlay", at, "overlay", 0, options));
}

static void mounts_new(void) {
  char *at = scratch("new");
  TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 1));
  TRY("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 1));
  int tree = syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  note("open_tree", tree < 0 ? errno : 0);
  TRY("move_mount", syscall(SYS_move_mount, tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH));
  struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };
  TRY("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attr, sizeof attr));
}

static void unmounts(void) {
  char line[4096], id[32], target[2048];
  int all = 0, error = 0;
  conf("identity"); /* read while it is there */
  FILE *f = fopen("/proc/self/mountinfo", "r");
  while (f && fgets(line, sizeof line, f)) {
    if (sscanf(line, "%31s %*s %*s %*s %2047s", id, target) != 2) continue;
    if (umount2(target, MNT_DETACH) == 0) error = -1;
    else if (error == 0) error = errno;
    all++;
  }
  if (f) fclose(f);
  if (all) note("every-mount", error == -1 ? 0 : error);
  TRY("identity", umount2(conf("identity"), MNT_DETACH));
  TRY("state", umount2(conf("state"), MNT_DETACH));
  TRY("pivot_root", syscall(SYS_pivot_root, "/", "/"));
  TRY("chroot", chroot("/"));
}

/* ---- other processes ---- */

static long attach(int how, pid_t pid) {
  if (ptrace(how, pid, 0, 0) < 0) return -1;
  /* It goes on at once: what counts is that it could be held. */
  if (how == PTRACE_SEIZE) ptrace(PTRACE_INTERRUPT, pid, 0, 0);
  waitpid(pid, 0, __WALL);
  ptrace(PTRACE_DETACH, pid, 0, 0);
  kill(pid, SIGCONT);
  return 0;
}

static void tracing(void) {
  TRY("attach-first", attach(PTRACE_ATTACH, 1));
  TRY("seize-first", attach(PTRACE_SEIZE, 1));
  TRY("attach-parent", attach(PTRACE_ATTACH, getppid()));
  TRY("attach-host", attach(PTRACE_ATTACH, conf_number("victim")));
  char byte = 'x';
  struct iovec here = { &byte, 1 }, there = { (void *)&programs, 1 };
  TRY("vm-write-first", process_vm_writev(1, &here, 1, &there, 1, 0) < 0 && errno != EFAULT ? -1 : 0);
  TRY("vm-read-first", process_vm_readv(1, &here, 1, &there, 1, 0) < 0 && errno != EFAULT ? -1 : 0);
  TRY("vm-write-host", process_vm_writev(conf_number("victim"), &here, 1, &there, 1, 0) < 0 && errno != EFAULT ? -1 : 0);
  note_write_open("mem-first", "/proc/1/mem");
  TRY("kcmp", syscall6(SYS_kcmp, getpid(), 1, 0, 0, 0));
  int fd = syscall(SYS_pidfd_open, 1, 0);
  TRY_ON("pidfd_getfd", fd, syscall(SYS_pidfd_getfd, fd, 1, 0));
}

static const char *searched;
static int found_in;
static void search(pid_t pid) {
  static char buffer[1 << 18];
  const char *files[] = { "environ", "cmdline" };
  for (int i = 0; i < 2; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
    int fd = open(path, O_RDONLY);
    if (fd < 0) continue;
    ssize_t n = read(fd, buffer, sizeof buffer);
    close(fd);
    if (n > 0 && memmem(buffer, n, searched, strlen(searched))) found_in++;
  }
}

static void environments(void) {
  searched = strdup(conf("environment"));
  each_process(search);
  note("production-environment", found_in ? 0 : NOTHING);
  found_in = 0;
  searched = strdup(conf("identity"));
  each_process(search);
  note("identity-in-arguments", found_in ? 0 : NOTHING);
}

/* What hidden things look like from another process's root, folder and descriptors. */
static void other_roots(void) {
  char path[4096];
  const char *ways[] = { "/proc/1/root", "/proc/1/cwd", "/proc/self/root", "/proc/1/task/1/root", "/proc/self/cwd/../../../../../../../../.." };
  char what[64];
  for (int i = 0; i < 5; i++) {
    snprintf(path, sizeof path, "%s%s", ways[i], conf("identity"));
    snprintf(what, sizeof what, "way-%d", i + 1);
    note_read(what, path);
  }
  int error = ENOENT, reachable = 0;
  DIR *dir = opendir("/proc/1/fd");
  if (!dir) error = errno;
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    snprintf(path, sizeof path, "/proc/1/fd/%s", entry->d_name);
    int fd = entry->d_name[0] == '.' ? -1 : open(path, O_WRONLY | O_NONBLOCK);
    if (fd >= 0) reachable++, close(fd);
  }
  note("descriptors-of-the-first", reachable ? 0 : error);
}

/* Nothing may be inherited but the three. */
static void descriptors(void) {
  int more = 0;
  int through = 0;
  for (int fd = 3; fd < 1024; fd++) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    more++;
    if (openat(fd, conf("identity") + 1, O_RDONLY) >= 0) through++;
  }
  note("inherited", more ? 0 : EBADF);
  note("identity-through-it", through ? 0 : ENOENT);
  struct stat st;
  note("terminal", isatty(0) || isatty(1) || isatty(2) ? 0 : ENOTTY);
  note("input", fstat(0, &st) == 0 && !S_ISCHR(st.st_mode) ? 0 : NOTHING);
}

static void signals(void) {
  int victim = conf_number("victim");
  TRY("host", kill(victim, SIGUSR1));
  TRY("host-group", kill(-victim, SIGUSR1));
  TRY("host-thread", syscall(SYS_tgkill, victim, victim, SIGUSR1));
  TRY("host-drill", kill(conf_number("tester"), 0));
  int fd = syscall(SYS_pidfd_open, victim, 0);
  TRY_ON("host-pidfd", fd, syscall(SYS_pidfd_send_signal, fd, SIGUSR1, 0, 0));
  TRY("host-queue", sigqueue(victim, SIGUSR1, (union sigval){ 0 }));
  struct rlimit limit = { 0, 0 };
  TRY("host-limits", syscall(SYS_prlimit64, victim, RLIMIT_CPU, &limit, 0));
}

/* ---- namespaces ---- */

static long clone_with(unsigned long flags) {
  long child = syscall6(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  if (child > 0) waitpid(child, 0, 0);
  return child;
}

static long clone3_with(unsigned long flags) {
  struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
  long child = syscall(SYS_clone3, &args, sizeof args);
  if (child == 0) _exit(0);
  if (child > 0) waitpid(child, 0, 0);
  return child;
}

static long unshare_in_child(int flags) {
  pid_t child = fork();
  if (child == 0) _exit(unshare(flags) < 0 ? errno : 0);
  int status;
  waitpid(child, &status, 0);
  errno = WEXITSTATUS(status);
  return errno ? -1 : 0;
}

static void userns(void) {
  TRY("unshare-user", unshare_in_child(CLONE_NEWUSER));
  TRY("unshare-user-mount", unshare_in_child(CLONE_NEWUSER | CLONE_NEWNS));
  TRY("unshare-mount", unshare_in_child(CLONE_NEWNS));
  TRY("unshare-net", unshare_in_child(CLONE_NEWNET));
  TRY("unshare-time", unshare_in_child(0x80));
  TRY("clone-user", clone_with(CLONE_NEWUSER));
  /* The low byte of the flags is a signal's number: nothing may slip by beside it. */
  TRY("clone-user-pid", clone_with(CLONE_NEWUSER | CLONE_NEWPID));
  TRY("clone3-user", clone3_with(CLONE_NEWUSER));
  TRY("clone3-mount", clone3_with(CLONE_NEWUSER | CLONE_NEWNS));
}

/* A filter must not be got around by another calling convention, nor by bits that the kernel throws away. */
#ifdef __x86_64__
static long old_call(long number, long a) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a) : "memory", "r8", "r9", "r10", "r11");
  return result;
}
#endif

static int in_child(long (*act)(void)) {
  pid_t child = fork();
  if (child == 0) {
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    long result = act();
    _exit(result >= 0 ? 0 : -result < 255 ? -result : 254);
  }
  int status;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? ENOSYS : WEXITSTATUS(status);
}

#ifdef __x86_64__
static long old_unshare(void) { return old_call(310, CLONE_NEWUSER); }
static long old_mount(void) { return old_call(21, 0) == -EFAULT ? 0 : -EPERM; }
static long old_keyctl(void) { return old_call(288, 1) == -ENOSYS ? -ENOSYS : old_call(288, 1); }
static long x32_unshare(void) { long r = syscall(0x40000000 + SYS_unshare, CLONE_NEWUSER); return r < 0 ? -errno : r; }
#endif
static long high_clone(void) {
  long child = syscall6(SYS_clone, 0x7f00000000 | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return child < 0 ? -errno : 0;
}

static void other_calls(void) {
  note("clone-with-high-bits", in_child(high_clone));
#ifdef __x86_64__
  note("old-unshare", in_child(old_unshare));
  note("old-mount", in_child(old_mount));
  note("old-keyctl", in_child(old_keyctl));
  note("x32-unshare", in_child(x32_unshare));
#endif
}

/* Memory and queues that processes share by a number or a name. */
static void shared(void) {
  TRY("segment", shmget(conf_number("victim"), 0, 0));
  TRY("queue", syscall(SYS_msgget, conf_number("victim"), 0));
  TRY("semaphore", syscall(SYS_semget, conf_number("victim"), 0, 0));
  TRY("posix-queue", syscall(SYS_mq_open, conf("abstract"), O_WRONLY, 0, 0));
}

static void setting_namespaces(void) {
  const char *kinds[] = { "mnt", "pid", "user", "net", "ipc", "uts", "cgroup" };
  char path[64];
  for (int i = 0; i < 7; i++) {
    snprintf(path, sizeof path, "/proc/1/ns/%s", kinds[i]);
    int fd = open(path, O_RDONLY);
    TRY_ON(kinds[i], fd, setns(fd, 0));
  }
  int fd = syscall(SYS_pidfd_open, 1, 0);
  TRY_ON("pidfd", fd, setns(fd, CLONE_NEWNS));
}

/* ---- kernel ---- */

static void keys(void) {
  TRY("add_key", syscall6(SYS_add_key, (long)"user", (long)"lifeboat-corpus", (long)"x", 1, -3));
  TRY("request_key", syscall6(SYS_request_key, (long)"user", (long)conf("key"), 0, -3, 0));
  TRY("keyctl-session", syscall6(SYS_keyctl, 0, -3, 1, 0, 0));
  TRY("keyctl-search", syscall6(SYS_keyctl, 10, -5, (long)"user", (long)conf("key"), 0));
  TRY("keyctl-join", syscall6(SYS_keyctl, 1, 0, 0, 0, 0));
}

static void kernel_calls(void) {
  char log_text[64];
  union bpf_attr bpf = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
  TRY("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &bpf, sizeof bpf));
  struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE, .size = sizeof perf, .config = PERF_COUNT_SW_CPU_CLOCK };
  TRY("perf", syscall6(SYS_perf_event_open, (long)&perf, 0, -1, -1, 0));
  struct io_uring_params ring = { 0 };
  TRY("io_uring", syscall(SYS_io_uring_setup, 1, &ring));
  TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
  TRY("fanotify", syscall(SYS_fanotify_init, 0, 0));
  TRY("syslog", syscall(SYS_syslog, 3, log_text, sizeof log_text));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  TRY("clock", clock_settime(CLOCK_REALTIME, &now));
  struct timex slow = { .modes = ADJ_OFFSET, .offset = 0 };
  TRY("adjtimex", adjtimex(&slow));
  TRY("hostname", sethostname("", 0));
#ifdef __x86_64__
  TRY("iopl", syscall(SYS_iopl, 3));
#endif
}

static void kernel_code(void) {
  /* Nothing that is named exists: with the right, another error would come than the one for lack of it. */
  long error;
#define LACKS(what, call) errno = 0; error = (call) < 0 ? errno : 0; note(what, error == EPERM || error == ENOSYS || error == EACCES ? error : 0)
  LACKS("init_module", syscall(SYS_init_module, 0, 0, ""));
  LACKS("finit_module", syscall(SYS_finit_module, -1, "", 0));
  LACKS("delete_module", syscall(SYS_delete_module, "lifeboat_corpus", O_NONBLOCK));
  LACKS("kexec", syscall6(SYS_kexec_load, 0, 0, 0, ~0L, 0));
  LACKS("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
  LACKS("swapon", syscall(SYS_swapon, "/lifeboat-corpus", 0));
  LACKS("acct", syscall(SYS_acct, "/lifeboat-corpus"));
#undef LACKS
}

static int writable;
static char first_writable[1024];
static void walk_for_writable(const char *folder, int depth, int *left) {
  DIR *dir = depth > 6 ? 0 : opendir(folder);
  for (struct dirent *entry; dir && *left > 0 && (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') continue;
    char path[1024];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path || lstat(path, &st)) continue;
    if (S_ISDIR(st.st_mode)) { walk_for_writable(path, depth + 1, left); continue; }
    if (!S_ISREG(st.st_mode)) continue;
    (*left)--;
    /* Process files of our own are ours to write; of others' and of the kernel's none is. */
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    if (!writable++) snprintf(first_writable, sizeof first_writable, "%s", path);
    close(fd);
  }
  if (dir) closedir(dir);
}

static void kernel_files(void) {
  const char *files[][2] = {
    { "core_pattern", "/proc/sys/kernel/core_pattern" }, { "modprobe", "/proc/sys/kernel/modprobe" },
    { "sysrq", "/proc/sysrq-trigger" }, { "hotplug", "/proc/sys/kernel/hotplug" }, { "uevent_helper", "/sys/kernel/uevent_helper" },
    { "binfmt", "/proc/sys/fs/binfmt_misc/register" }, { "power", "/sys/power/state" }, { "rescan", "/sys/bus/pci/rescan" },
    { "release_agent", "/sys/fs/cgroup/release_agent" }, { "firmware", "/sys/class/firmware/timeout" }, { "mtrr", "/proc/mtrr" },
    { "kcore", "/proc/kcore" }, { "swappiness", "/proc/sys/vm/swappiness" } };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) note_write_open(files[i][0], files[i][1]);
  const char *folders[] = { "/sys", "/proc/sys", "/proc/irq", "/proc/fs", "/proc/bus", "/proc/driver" };
  for (int i = 0; i < 6; i++) {
    int left = 3000;
    walk_for_writable(folders[i], 0, &left);
  }
  note(writable ? first_writable : "any-of-sys-and-proc", writable ? 0 : EACCES);
  note_read("kcore-read", "/proc/kcore");
  note_read("keys", "/proc/keys");
}

/* ---- devices ---- */

static void devices(void) {
  const char *names[] = { "/dev/kmsg", "/dev/mem", "/dev/port", "/dev/fuse", "/dev/kvm", "/dev/loop-control", "/dev/net/tun", "/dev/vda", "/dev/sda", "/dev/console", "/dev/tty", "/dev/ptp0", "/dev/rtc0" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    int fd = open(names[i], O_RDWR | O_NONBLOCK | O_NOCTTY);
    note(names[i] + 5, fd < 0 ? errno : 0);
    if (fd >= 0) close(fd);
  }
  char path[512];
  const char *places[] = { getenv("HOME"), getenv("TMPDIR"), "/tmp", "/dev/shm" };
  /* The kernel's log: every machine has it, and looking at it harms nothing. */
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/device-%d", places[i] ? places[i] : "/tmp", getpid());
    unlink(path);
    int error = mknod(path, S_IFCHR | 0600, makedev(1, 11)) < 0 ? errno : 0;
    int fd = error ? -1 : open(path, O_RDONLY | O_NONBLOCK);
    note(i == 0 ? "made-at-home" : i == 1 ? "made-in-tmpdir" : i == 2 ? "made-in-tmp" : "made-in-shm", error ? error : fd < 0 ? errno : 0);
  }
  snprintf(path, sizeof path, "%s", beside("device"));
  int fd = open(path, O_RDONLY | O_NONBLOCK);
  note("restored", fd < 0 ? errno : 0);
}

static void terminals(void) {
  char byte = 'x';
  for (int fd = 0; fd < 3; fd++) if (ioctl(fd, TIOCSTI, &byte) == 0) note("own", 0);
  const char *names[] = { "/dev/tty", "/dev/console", "/dev/tty0", "/dev/pts/0" };
  for (int i = 0; i < 4; i++) {
    int fd = open(names[i], O_RDWR | O_NONBLOCK | O_NOCTTY);
    TRY_ON(names[i] + 5, fd, ioctl(fd, TIOCSTI, &byte));
  }
}

/* The way of "shocker": files by their number, past every mount. */
static void handles(void) {
  struct { struct file_handle head; unsigned char bytes[128]; } handle = { .head = { .handle_bytes = 8, .handle_type = 1 } };
  unsigned root[2] = { 2, 0 };
  memcpy(handle.bytes, root, 8);
  int at = open("/", O_RDONLY);
  TRY("root-by-number", open_by_handle_at(at, &handle.head, O_RDONLY));
  int id;
  handle.head.handle_bytes = 128;
  if (name_to_handle_at(AT_FDCWD, "/etc/hostname", &handle.head, &id, 0)) handle.head.handle_bytes = 8;
  TRY("by-handle", open_by_handle_at(at, &handle.head, O_RDONLY));
}

/* ---- files of the host ---- */

static void secrets(void) {
  const char *names[] = { "identity", "state", "vault", "ssh", "home-of-another", "config-secret" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) note_read(names[i], conf(names[i]));
  note_read("shadow", "/etc/shadow");
  note_read("gshadow", "/etc/gshadow-");
  note_read("root", "/root");
}

static void canaries(void) {
  char name[32], path[4096];
  for (int i = 0; i < conf_number("canaries"); i++) {
    snprintf(name, sizeof name, "canary-%d", i);
    snprintf(path, sizeof path, "%s", conf(name));
    /* In a layer that goes with the sandbox this may well succeed: the host tells. */
    int fd = open(path, O_WRONLY | O_TRUNC);
    if (fd >= 0 && write(fd, "attacked", 8) < 0) fd = -1;
    note(name, fd < 0 ? errno : UNHEARD);
    unlink(path);
    strcat(path, "-new");
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd >= 0) close(fd);
  }
}

static void runtime(void) {
  note_write_open("agent", conf("agent"));
  note_write_open("node", conf("node"));
  char path[4096];
  snprintf(path, sizeof path, "%s-planted", conf("agent"));
  TRY("beside-agent", open(path, O_WRONLY | O_CREAT, 0755));
  snprintf(path, sizeof path, "%s-planted", conf("node"));
  TRY("beside-node", open(path, O_WRONLY | O_CREAT, 0755));
  TRY("rename-agent", rename(conf("agent"), path));
}

/* The way of CVE-2019-5736. */
static void executables(void) {
  note_write_open("first", "/proc/1/exe");
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/exe", getppid());
  note_write_open("parent", path);
  snprintf(path, sizeof path, "/proc/self/fd/%d", open("/proc/1/exe", O_PATH));
  int fd = open("/proc/1/exe", O_PATH);
  TRY_ON("first-by-descriptor", fd, open(path, O_WRONLY));
  note_write_open("shell", "/bin/sh");
  note_write_open("loader", "/lib64/ld-linux-x86-64.so.2");
}

static void set_user(void) {
  char path[4096];
  snprintf(path, sizeof path, "%s", beside("attack-suid"));
  struct stat st;
  if (stat(path, &st)) return;
  pid_t child = fork();
  if (child == 0) { execl(path, path, "suid-child", (char *)0); _exit(errno == EACCES || errno == EPERM ? 0 : 9); }
  int status;
  waitpid(child, &status, 0);
  note("restored", WEXITSTATUS(status) == 7 ? 0 : EPERM);
  TRY("setuid", dangerous(getpid()) ? 0 : (errno = EPERM, -1));
}

/* ---- sockets ---- */

static void to_unix(const char *what, int type, const char *path, int abstract) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
  if (fd < 0) return note(what, errno);
  strncpy(address.sun_path + abstract, path, sizeof address.sun_path - 2);
  socklen_t length = offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path) + (abstract ? 0 : 1);
  TRY(what, type == SOCK_DGRAM ? sendto(fd, "attacked", 8, 0, (void *)&address, length) : connect(fd, (void *)&address, length));
  close(fd);
}

static void sockets(void) {
  char name[32];
  for (int i = 0; i < conf_number("sockets"); i++) {
    snprintf(name, sizeof name, "stream-%d", i);
    to_unix(name, SOCK_STREAM, conf(name), 0);
    snprintf(name, sizeof name, "dgram-%d", i);
    to_unix(name, SOCK_DGRAM, conf(name), 0);
  }
  to_unix("late", SOCK_STREAM, conf("late"), 0);
  to_unix("abstract", SOCK_STREAM, conf("abstract"), 1);
}

static void fifos(void) {
  char name[32];
  for (int i = 0; i < conf_number("sockets"); i++) {
    snprintf(name, sizeof name, "fifo-%d", i);
    int fd = open(conf(name), O_WRONLY | O_NONBLOCK);
    TRY_ON(name, fd, write(fd, "attacked", 8));
  }
}

static void network(void) {
  struct sockaddr_in host = { .sin_family = AF_INET, .sin_port = htons(conf_number("tcp")) };
  struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(conf_number("tcp")), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  inet_pton(AF_INET, "127.0.0.1", &host.sin_addr);
  TRY("tcp", connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&host, sizeof host));
  TRY("tcp6", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&six, sizeof six));
  host.sin_port = htons(conf_number("udp"));
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  note("udp", sendto(udp, "attacked", 8, 0, (void *)&host, sizeof host) < 0 ? errno : UNHEARD);
  inet_pton(AF_INET, "192.0.2.1", &host.sin_addr);
  TRY("outside", connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&host, sizeof host) < 0 && errno != EINPROGRESS ? -1 : 0);
  TRY("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  TRY("packet", socket(AF_PACKET, SOCK_RAW, 0));
  TRY("vsock", connect(socket(40, SOCK_STREAM, 0), (void *)&host, sizeof host));
  struct ifreq request = { .ifr_name = "lo" };
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  TRY("interface-down", ioctl(fd, SIOCSIFFLAGS, &request));
  struct { unsigned length; unsigned short type, flags; unsigned sequence, pid; unsigned char body[32]; } change = { 32, 16, 5, 1, 0, { [4] = 1 } };
  int netlink = socket(AF_NETLINK, SOCK_RAW, 0);
  char answer[256] = { 0 };
  errno = 0;
  if (netlink < 0 || send(netlink, &change, 32, 0) < 0 || recv(netlink, answer, sizeof answer, 0) < 0) note("netlink", errno);
  else note("netlink", *(int *)(answer + 16) < 0 ? -*(int *)(answer + 16) : 0);
}

/* More than any pipe, log or report should keep. */
static void flood(void) {
  static char line[65536];
  memset(line, 'f', sizeof line);
  for (int i = 0; i < 4096; i++) if (write(i < 2048 ? 2 : 1, line, sizeof line) < 0) break;
  write(1, "\n", 1);
  note("256-mebibytes", UNHEARD);
}

/* Leaves processes that want to outlive the drill. */
static void daemons(void) {
  for (int i = 0; i < 3; i++) {
    if (fork()) continue;
    setsid();
    if (fork()) _exit(0);
    for (int signal = 1; signal < 64; signal++) sigaction(signal, &(struct sigaction){ .sa_handler = SIG_IGN }, 0);
    prctl(PR_SET_PDEATHSIG, 0);
    if (i < 2) for (int fd = 0; fd < 1024; fd++) close(fd);
    alarm(0);
    for (;;) sleep(1000);
  }
  note("three-daemons", UNHEARD);
}

/* The supervisor held instead of ended: whoever waits for it must not wait for ever. */
static void freeze_all(void) {
  kill(getppid(), SIGSTOP);
  kill(1, SIGSTOP);
  kill(-1, SIGSTOP);
  for (;;) pause();
}

/* Everybody that can be signalled, the supervisor too. Nothing of the drill may be believed after that. */
static void kill_all(void) {
  kill(getppid(), SIGKILL);
  kill(1, SIGTERM);
  kill(1, SIGKILL);
  kill(-1, SIGKILL);
  note("everybody", UNHEARD);
}

const struct program programs[] = {
  { "rights", rights }, { "mounts", mounts }, { "mounts-new", mounts_new }, { "unmounts", unmounts }, { "tracing", tracing },
  { "environments", environments }, { "other-roots", other_roots }, { "descriptors", descriptors }, { "signals", signals },
  { "userns", userns }, { "namespaces", setting_namespaces }, { "keys", keys }, { "kernel-calls", kernel_calls },
  { "kernel-code", kernel_code }, { "kernel-files", kernel_files }, { "devices", devices }, { "terminals", terminals },
  { "handles", handles }, { "secrets", secrets }, { "canaries", canaries }, { "runtime", runtime }, { "executables", executables },
  { "set-user", set_user }, { "sockets", sockets }, { "fifos", fifos }, { "network", network }, { "flood", flood },
  { "daemons", daemons }, { "freeze-all", freeze_all }, { "kill-all", kill_all },
  { "other-calls", other_calls }, { "shared", shared }, { "poisoned", poisoned }, { 0, 0 } };
