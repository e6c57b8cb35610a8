/* file.c -- an open input file with positioned reads */
#include "file.h"
#include "checked.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ckpt_file {
	int fd;
	atomic_int references;
	uint64_t size;
	struct timespec changed;
	const ckpt_file_remote *remote; /* NULL: all of it is here */
	void *user;
	char path[];
};

static const char *kind_of(mode_t mode)
{
	return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISCHR(mode) ? "a device" : "no regular file";
}

ckpt_file *ckpt_file_from_fd(int fd, const char *path, ckpt_error *err)
{
	struct stat st;
	ckpt_file *f = NULL;
	if (fstat(fd, &st) != 0)
		ckpt_fail_errno(err, errno, "cannot look at the file");
	else if (!S_ISREG(st.st_mode))
		ckpt_fail(err, CKPT_E_IO, "is %s, not a regular file", kind_of(st.st_mode));
	else if (!(f = malloc(sizeof *f + strlen(path) + 1)))
		ckpt_fail_nomem(err);
	if (!f) {
		close(fd);
		return NULL;
	}
	f->fd = fd;
	atomic_init(&f->references, 1);
	f->size = (uint64_t)st.st_size;
	f->changed = st.st_mtim;
	f->remote = NULL;
	f->user = NULL;
	memcpy(f->path, path, strlen(path) + 1);
	return f;
}

ckpt_file *ckpt_file_open(const char *path, ckpt_error *err)
{
	int fd;
	do
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		ckpt_fail_errno(err, errno, "cannot open");
		if (err && errno == ENOENT) err->code = CKPT_E_NOT_FOUND;
		return NULL;
	}
	return ckpt_file_from_fd(fd, path, err);
}

ckpt_file *ckpt_file_ref(ckpt_file *f)
{
	atomic_fetch_add(&f->references, 1);
	return f;
}

void ckpt_file_unref(ckpt_file *f)
{
	if (!f || atomic_fetch_sub(&f->references, 1) != 1) return;
	if (f->remote) f->remote->drop(f->user);
	close(f->fd);
	free(f);
}

const char *ckpt_file_path(const ckpt_file *f) { return f->path; }
uint64_t ckpt_file_size(const ckpt_file *f) { return f->size; }
int ckpt_file_fd(const ckpt_file *f) { return f->fd; }
bool ckpt_file_is_remote(const ckpt_file *f) { return f->remote; }

void ckpt_file_set_remote(ckpt_file *f, const ckpt_file_remote *remote, void *user)
{
	f->remote = remote;
	f->user = user;
}

ckpt_file *ckpt_file_beside(ckpt_file *f, const char *name, ckpt_error *err)
{
	return f->remote->beside(f->user, name, err);
}

bool ckpt_file_fetch(ckpt_file *f, uint64_t offset, uint64_t length, uint64_t until, ckpt_error *err)
{
	uint64_t end;
	if (!f->remote || offset >= f->size) return true;
	if (!ckpt_add_u64(offset, length, &end) || end > f->size) end = f->size;
	return f->remote->fetch(f->user, offset, end, until < end ? end : until > f->size ? f->size : until, err);
}

bool ckpt_file_write_whole(int fd, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const char *)data + done, size - done);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return false;
		done += (size_t)n;
	}
	return true;
}

int ckpt_file_temporary(void)
{
	const char *folders[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (!folders[i] || !*folders[i]) continue;
		int fd = -1;
#ifdef O_TMPFILE
		fd = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0) return fd;
#endif
		char name[4096];
		size_t n = strlen(folders[i]);
		if (n + 16 > sizeof name) continue;
		memcpy(name, folders[i], n);
		memcpy(name + n, "/ckpt-XXXXXX", 13);
		fd = mkostemp(name, O_CLOEXEC);
		if (fd < 0) continue;
		unlink(name);
		return fd;
	}
	return -1;
}

bool ckpt_file_read_some(ckpt_file *f, uint64_t offset, size_t length, void *destination, size_t *got, ckpt_error *err)
{
	size_t done = 0;
	uint64_t end;
	if (!ckpt_add_u64(offset, length, &end) || end > INT64_MAX)
		return ckpt_fail(err, CKPT_E_FORMAT, "offset %llu with length %zu lies past any file",
				 (unsigned long long)offset, length);
	if (!ckpt_file_fetch(f, offset, length, end, err)) return false;
	while (done < length) {
		ssize_t n = pread(f->fd, (char *)destination + done, length - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return ckpt_fail_errno(err, errno, "cannot read %s", f->path);
		if (n == 0) break;
		done += (size_t)n;
	}
	*got = done;
	return true;
}

bool ckpt_file_read(ckpt_file *f, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	size_t got;
	if (!ckpt_file_read_some(f, offset, length, destination, &got, err)) return false;
	if (got == length) return true;
	if (offset + length <= f->size)
		return ckpt_fail(err, CKPT_E_CHANGED,
				 "%s changed while it was read: it had %llu bytes and now ends at %llu", f->path,
				 (unsigned long long)f->size, (unsigned long long)(offset + got));
	return ckpt_fail(err, CKPT_E_FORMAT, "%s is truncated: bytes %llu to %llu are wanted, the file has %llu", f->path,
			 (unsigned long long)offset, (unsigned long long)(offset + length),
			 (unsigned long long)f->size);
}

bool ckpt_file_unchanged(const ckpt_file *f, ckpt_error *err)
{
	struct stat st;
	if (f->remote) return true; /* each answer was compared with the first one */
	if (fstat(f->fd, &st) != 0) return ckpt_fail_errno(err, errno, "cannot look at %s", f->path);
	if ((uint64_t)st.st_size != f->size)
		return ckpt_fail(err, CKPT_E_CHANGED, "%s changed while it was read: it had %llu bytes and now has %llu",
				 f->path, (unsigned long long)f->size, (unsigned long long)st.st_size);
	if (st.st_mtim.tv_sec != f->changed.tv_sec || st.st_mtim.tv_nsec != f->changed.tv_nsec)
		return ckpt_fail(err, CKPT_E_CHANGED, "%s was written to while it was read", f->path);
	return true;
}
