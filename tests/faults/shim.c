/* shim.c -- preloaded into the command: the k-th call of one kind fails
 *
 * FAULT_KIND: alloc, open, read, write, mmap, fsync, rename, link (and mkdir), close, space (fallocate,
 * ftruncate), socket, connect, send, recv, poll.
 * FAULT_AT: which call, from 1. FAULT_ERRNO: the number, or 0 for a short count. FAULT_FROM: 1 lets all later ones fail too.
 * FAULT_FD: a descriptor that gets a byte when a call was made to fail. Calls of the command itself and of the libraries
 * for formats and the network count; those that the C library, the OpenMP runtime, libcrypto and sanitizers make for themselves do not.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char kind[16];
static long at, seen;
static int number, from, told = -1;
static bool ready;

__attribute__((constructor)) static void start(void)
{
	const char *k = getenv("FAULT_KIND"), *n = getenv("FAULT_AT"), *e = getenv("FAULT_ERRNO"), *f = getenv("FAULT_FD");
	if (!k || !n || strlen(k) >= sizeof kind) return;
	strcpy(kind, k);
	at = atol(n);
	number = e ? atoi(e) : EIO;
	from = getenv("FAULT_FROM") ? 1 : 0;
	told = f ? atoi(f) : -1;
	ready = true;
}

static bool counts(const void *caller)
{
	static const char *const not[] = {"libc.so", "libgomp", "ld-linux", "libomp", "libcrypto", "libstdc++", "libpthread",
	                                "libasan", "libubsan"};
	Dl_info info;
	if (!dladdr(caller, &info) || !info.dli_fname) return false;
	for (size_t i = 0; i < sizeof not / sizeof *not; i++)
		if (strstr(info.dli_fname, not[i])) return false;
	return true;
}

static bool fails(const char *what, const void *caller)
{
	if (!ready || strcmp(kind, what) != 0 || !counts(caller)) return false;
	long n = __atomic_add_fetch(&seen, 1, __ATOMIC_RELAXED);
	if (n != at && !(from && n > at)) return false;
	if (told >= 0) syscall(SYS_write, told, "x", 1);
	errno = number;
	return true;
}

#define CALLER __builtin_return_address(0)
#define NOMEM(x) (fails("alloc", CALLER) ? (errno = ENOMEM, NULL) : (x))

/* The function behind this one: of the C library, or of a sanitizer, which then knows of the memory. */
static void *behind(void **slot, const char *name)
{
	void *f = __atomic_load_n(slot, __ATOMIC_RELAXED);
	if (!f) __atomic_store_n(slot, f = dlsym(RTLD_NEXT, name), __ATOMIC_RELAXED);
	return f;
}

static void *real_malloc(size_t n)
{
	static void *f;
	return ((void *(*)(size_t))behind(&f, "malloc"))(n);
}

static void *real_calloc(size_t n, size_t m)
{
	static void *f;
	return ((void *(*)(size_t, size_t))behind(&f, "calloc"))(n, m);
}

static void *real_realloc(void *p, size_t n)
{
	static void *f;
	return ((void *(*)(void *, size_t))behind(&f, "realloc"))(p, n);
}

static void *real_aligned(size_t a, size_t n)
{
	static void *f;
	return ((void *(*)(size_t, size_t))behind(&f, "aligned_alloc"))(a, n);
}

void *malloc(size_t n) { return NOMEM(real_malloc(n)); }
void *calloc(size_t n, size_t m) { return NOMEM(real_calloc(n, m)); }
void *realloc(void *p, size_t n) { return NOMEM(real_realloc(p, n)); }
void *aligned_alloc(size_t a, size_t n) { return NOMEM(real_aligned(a, n)); }

void *reallocarray(void *p, size_t n, size_t m)
{
	size_t all;
	if (__builtin_mul_overflow(n, m, &all)) return errno = ENOMEM, NULL;
	return NOMEM(real_realloc(p, all));
}

char *strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = NOMEM(real_malloc(n));
	return copy ? memcpy(copy, s, n) : NULL;
}

char *strndup(const char *s, size_t most)
{
	size_t n = strnlen(s, most);
	char *copy = NOMEM(real_malloc(n + 1));
	if (copy) memcpy(copy, s, n), copy[n] = '\0';
	return copy;
}

static int open_as(int folder, const char *path, int flags, mode_t mode, const void *caller)
{
	return fails("open", caller) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
	va_list a;
	va_start(a, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(a, mode_t) : 0;
	va_end(a);
	return open_as(folder, path, flags, mode, CALLER);
}

int open(const char *path, int flags, ...)
{
	va_list a;
	va_start(a, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(a, mode_t) : 0;
	va_end(a);
	return open_as(AT_FDCWD, path, flags, mode, CALLER);
}

/* A failure, or with number 0 half of what was asked for. */
#define COUNTED(what, whole, half) \
	bool fault = fails(what, CALLER); \
	if (fault && number != 0) return -1; \
	if (fault && n > 1) return (half); \
	return (whole)

ssize_t pread(int fd, void *p, size_t n, off_t o) { COUNTED("read", syscall(SYS_pread64, fd, p, n, o), syscall(SYS_pread64, fd, p, n / 2, o)); }
ssize_t read(int fd, void *p, size_t n) { COUNTED("read", syscall(SYS_read, fd, p, n), syscall(SYS_read, fd, p, n / 2)); }
ssize_t pwrite(int fd, const void *p, size_t n, off_t o) { COUNTED("write", syscall(SYS_pwrite64, fd, p, n, o), syscall(SYS_pwrite64, fd, p, n / 2, o)); }
ssize_t write(int fd, const void *p, size_t n) { COUNTED("write", syscall(SYS_write, fd, p, n), syscall(SYS_write, fd, p, n / 2)); }

ssize_t copy_file_range(int in, off64_t *a, int out, off64_t *b, size_t n, unsigned flags)
{
	COUNTED("write", syscall(SYS_copy_file_range, in, a, out, b, n, flags), syscall(SYS_copy_file_range, in, a, out, b, n / 2, flags));
}

void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t o)
{
	return fails("mmap", CALLER) ? (errno = ENOMEM, MAP_FAILED) : (void *)syscall(SYS_mmap, p, n, prot, flags, fd, o);
}

int fsync(int fd) { return fails("fsync", CALLER) ? -1 : (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return fails("fsync", CALLER) ? -1 : (int)syscall(SYS_fdatasync, fd); }

int rename(const char *a, const char *b)
{
	return fails("rename", CALLER) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 0);
}

int renameat(int fa, const char *a, int fb, const char *b)
{
	return fails("rename", CALLER) ? -1 : (int)syscall(SYS_renameat2, fa, a, fb, b, 0);
}

int linkat(int fa, const char *a, int fb, const char *b, int flags)
{
	return fails("link", CALLER) ? -1 : (int)syscall(SYS_linkat, fa, a, fb, b, flags);
}

int mkdir(const char *path, mode_t mode) { return fails("link", CALLER) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return fails("link", CALLER) ? -1 : (int)syscall(SYS_mkdirat, folder, path, mode); }

/* The descriptor is gone in any case, as on Linux. */
int close(int fd)
{
	bool fault = fails("close", CALLER);
	int result = (int)syscall(SYS_close, fd);
	return fault ? (errno = number, -1) : result;
}

int fallocate(int fd, int mode, off_t o, off_t n) { return fails("space", CALLER) ? -1 : (int)syscall(SYS_fallocate, fd, mode, o, n); }
int ftruncate(int fd, off_t n) { return fails("space", CALLER) ? -1 : (int)syscall(SYS_ftruncate, fd, n); }

/* The wait before another try takes no time. */
int nanosleep(const struct timespec *t, struct timespec *left)
{
	(void)t, (void)left;
	return 0;
}

int socket(int domain, int type, int protocol) { return fails("socket", CALLER) ? -1 : (int)syscall(SYS_socket, domain, type, protocol); }
int connect(int fd, const struct sockaddr *to, socklen_t n) { return fails("connect", CALLER) ? -1 : (int)syscall(SYS_connect, fd, to, n); }
int poll(struct pollfd *p, nfds_t n, int ms) { return fails("poll", CALLER) ? -1 : (int)syscall(SYS_poll, p, n, ms); }

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	COUNTED("send", syscall(SYS_sendto, fd, p, n, flags, NULL, 0), syscall(SYS_sendto, fd, p, n / 2, flags, NULL, 0));
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	COUNTED("recv", syscall(SYS_recvfrom, fd, p, n, flags, NULL, NULL), syscall(SYS_recvfrom, fd, p, n / 2, flags, NULL, NULL));
}
