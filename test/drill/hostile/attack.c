/*
 * Hostile programs, in one binary: `attack NAME`. Each does what an attacker's code in a restored application would do, and leaves
 * a mark in its last line: what it tried, how each try was refused, and `refused` or `REACHED`. It harms nothing where it gets through:
 * it opens and does not write, or writes to what attack.conf, beside it, names as a canary. What it must know of the host is there too.
 */
#define _GNU_SOURCE
#include "attack.h"

static char marks[8192];
static char reached[1024];
static int tries;

void note(const char *what, int error) {
  const char *how = error == 0 ? "REACHED" : error == UNHEARD ? "unheard" : error == NOTHING ? "nothing" : strerrorname_np(error);
  size_t at = strlen(marks);
  snprintf(marks + at, sizeof marks - at, " %s=%s", what, how ? how : "?");
  if (error == 0 && strlen(reached) < 900) { strcat(reached, " "); strcat(reached, what); }
  tries++;
}

static int finish(const char *name) {
  printf("%s | %s tried %d, %s%s\n", marks, name, tries, tries == 0 ? "UNTRIED" : *reached ? "REACHED" : "refused", reached);
  return 0;
}

char *beside(const char *name) {
  static char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
  if (n < 0) n = 0;
  path[n] = 0;
  char *slash = strrchr(path, '/');
  if (slash) slash[1] = 0;
  return strcat(path, name);
}

/* One line `name value` each. */
const char *conf(const char *name) {
  static char text[16384];
  static char value[4096];
  if (!*text) {
    int fd = open(beside("attack.conf"), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 2);
    if (n < 0) { printf("attack.conf: %s\n", strerror(errno)); exit(3); }
    close(fd);
    memmove(text + 1, text, n);
    *text = '\n';
  }
  char wanted[128];
  snprintf(wanted, sizeof wanted, "\n%s ", name);
  char *found = strstr(text, wanted);
  if (!found) { printf("attack.conf has no %s\n", name); exit(3); }
  found += strlen(wanted);
  snprintf(value, sizeof value, "%.*s", (int)strcspn(found, "\n"), found);
  return value;
}

int conf_number(const char *name) { return atoi(conf(name)); }

/* Rights with which isolation could be undone. */
unsigned long long dangerous(pid_t pid) {
  char path[64], line[256];
  unsigned long long caps = 0;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) if (sscanf(line, "CapEff: %llx", &caps) == 1) break;
  if (f) fclose(f);
  /* dac_read_search, net_admin, net_raw, sys_module, sys_rawio, sys_chroot, sys_ptrace, sys_admin, sys_boot, mknod, bpf */
  return caps & (1ULL << 2 | 1ULL << 12 | 1ULL << 13 | 1ULL << 16 | 1ULL << 17 | 1ULL << 18 | 1ULL << 19 | 1ULL << 21 | 1ULL << 22 | 1ULL << 27 | 1ULL << 39);
}

void each_process(void (*act)(pid_t)) {
  DIR *dir = opendir("/proc");
  struct dirent *entry;
  while (dir && (entry = readdir(dir))) if (atoi(entry->d_name) > 0) act(atoi(entry->d_name));
  if (dir) closedir(dir);
}

/* Whether something can be read: an empty file or folder is as good as none. */
void note_read(const char *what, const char *path) {
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return note(what, errno);
  struct stat st;
  char buffer[256];
  fstat(fd, &st);
  if (S_ISDIR(st.st_mode)) {
    DIR *dir = fdopendir(fd);
    int names = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) names += entry->d_name[0] != '.';
    if (dir) closedir(dir);
    return note(what, names ? 0 : NOTHING);
  }
  ssize_t n = read(fd, buffer, sizeof buffer);
  note(what, n > 0 ? 0 : n == 0 ? NOTHING : errno);
  close(fd);
}

void note_write_open(const char *what, const char *path) {
  int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  note(what, fd < 0 ? errno : 0);
  if (fd >= 0) close(fd);
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  alarm(60);
  for (const struct program *one = programs; one->name; one++) {
    if (strcmp(one->name, name)) continue;
    one->run();
    return finish(name);
  }
  if (!strcmp(name, "serve")) return serve();
  if (!strcmp(name, "victim")) return victim(argc - 2, argv + 2);
  if (!strncmp(name, "bomb-", 5)) return bomb(name + 5);
  if (!strcmp(name, "suid-child")) return dangerous(getpid()) ? 7 : 0;
  printf("%s | UNTRIED\n", name);
  return 0;
}
