#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of <sys/mount.h>, which does not go with <linux/mount.h>. */
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);
#define MNT_DETACH 2
/* Of <sched.h>, which does not go with <linux/sched.h>. */
int unshare(int);
int setns(int, int);

/* Sent, and whether anybody heard it only the host can tell. */
#define UNHEARD -2
/* There, and empty. */
#define NOTHING -3

#define TRY(what, call) do { errno = 0; long result_ = (long)(call); note(what, result_ >= 0 ? 0 : errno ? errno : EINVAL); } while (0)

/* The same on what was opened just now: that it could not be is the refusal. */
#define TRY_ON(what, opened, call) do { if ((opened) < 0) note(what, errno); else TRY(what, call); } while (0)

struct program { const char *name; void (*run)(void); };
extern const struct program programs[];

void note(const char *what, int error);
char *beside(const char *name);
const char *conf(const char *name);
int conf_number(const char *name);
unsigned long long dangerous(pid_t pid);
void each_process(void (*act)(pid_t));
void note_read(const char *what, const char *path);
void note_write_open(const char *what, const char *path);
int serve(void);
int victim(int count, char **places);
int bomb(const char *kind);
void poisoned(void);
