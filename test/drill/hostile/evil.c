/* A library, and a program, that an attacker has put where privileged programs may load or execute them. They note who did. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Written into each copy: whoever loads it has an environment of their own. */
static volatile char lair[256] = "@LAIR@";

static void place(const char *name, char *path) { snprintf(path, 512, "%s/%s", (const char *)lair, name); }

__attribute__((constructor)) static void loaded(void) {
  char line[512], path[512], space[64] = "", home[64] = "";
  unsigned long long caps = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "CapEff: %llx", &caps);
  if (f) fclose(f);
  if (readlink("/proc/self/ns/mnt", space, sizeof space - 1) < 0) strcpy(space, "?");
  place("home", path);
  if ((f = fopen(path, "r"))) {
    if (!fgets(home, sizeof home, f)) *home = 0;
    fclose(f);
  }
  /* Rights to mount, trace, load, make devices; or a place outside of the application's own. */
  int more = (caps & (1ULL << 2 | 1ULL << 12 | 1ULL << 16 | 1ULL << 19 | 1ULL << 21 | 1ULL << 27)) != 0 || strcmp(space, home);
  place(more ? "privileged" : "plain", path);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (fd < 0) return;
  dprintf(fd, "%s caps %llx %s\n", program_invocation_short_name, caps, space);
  close(fd);
}

int main(void) { return 1; }
