/* Moves what a program sees of the day: MOVED_BY seconds are added to the clock, and to the times of files, so that a place's own
 * clock moves along. Who writes a time writes the true one less as much. Preloaded; nothing of the machine is changed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/stat.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long moved(void) {
  static long by, known;
  if (!known) {
    const char *text = getenv("MOVED_BY");
    by = text ? atol(text) : 0;
    known = 1;
  }
  return by;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  long done = syscall(SYS_clock_gettime, clock, now);
  if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += moved();
  return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into) *into = now.tv_sec;
  return now.tv_sec;
}

/* libuv asks the kernel itself. */
long syscall(long number, ...) {
  static long (*next)(long, ...);
  if (!next) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  va_list list;
  va_start(list, number);
  long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
  long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
  va_end(list);
  struct timespec told[2];
  if (number == SYS_utimensat && c) {
    const struct timespec *times = (const struct timespec *)c;
    for (int at = 0; at < 2; at++) {
      told[at] = times[at];
      if (times[at].tv_nsec != UTIME_NOW && times[at].tv_nsec != UTIME_OMIT) told[at].tv_sec -= moved();
    }
    c = (long)told;
  }
  long done = next(number, a, b, c, d, e, f);
  if (number == SYS_statx && done == 0) {
    struct statx *found = (struct statx *)e;
    found->stx_mtime.tv_sec += moved();
    found->stx_ctime.tv_sec += moved();
    found->stx_atime.tv_sec += moved();
    found->stx_btime.tv_sec += moved();
  }
  return done;
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags) {
  return (int)syscall(SYS_utimensat, folder, path, times, flags);
}

int futimens(int file, const struct timespec times[2]) {
  return (int)syscall(SYS_utimensat, file, (const char *)0, times, 0);
}
