/* output.c -- a file that appears whole or not at all
 *
 * Where the file system has O_TMPFILE the content is written to a file without a name, so that not even SIGKILL
 * leaves anything behind; elsewhere to ".ckpt-<16 hex digits>.tmp" in the same folder. The final name is given by
 * linkat or rename, both atomic.
 */
#include "output.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct ckpt_output {
	int fd, folder; /* folder: descriptor of the parent */
	bool force, named, committed;
	char temporary[32]; /* in folder, while named */
	const char *base;   /* last component of path */
	char path[];
};

static void temporary_name(char name[32])
{
	uint64_t r = 0;
	if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r) r = (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)name;
	snprintf(name, 32, ".ckpt-%016llx.tmp", (unsigned long long)r);
}

static bool open_folder(ckpt_output *o, ckpt_error *err)
{
	char *slash = strrchr(o->path, '/');
	o->base = slash ? slash + 1 : o->path;
	char folder[4096] = ".";
	if (slash) {
		size_t n = slash == o->path ? 1 : (size_t)(slash - o->path);
		if (n >= sizeof folder) return ckpt_fail_errno(err, ENAMETOOLONG, "cannot create %s", o->path);
		memcpy(folder, o->path, n);
		folder[n] = '\0';
	}
	if (!*o->base || strcmp(o->base, ".") == 0 || strcmp(o->base, "..") == 0)
		return ckpt_fail(err, CKPT_E_USAGE, "%s names a folder, not a file to write", o->path);
	do
		o->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (o->folder < 0 && errno == EINTR);
	if (o->folder < 0) return ckpt_fail_errno(err, errno, "cannot create %s: folder %s", o->path, folder);
	return true;
}

/* What stands under the final name now must be replaceable. */
static bool check_place(const ckpt_output *o, ckpt_error *err)
{
	struct stat st;
	if (fstatat(o->folder, o->base, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? true : ckpt_fail_errno(err, errno, "cannot create %s", o->path);
	if (S_ISDIR(st.st_mode)) return ckpt_fail(err, CKPT_E_EXISTS, "%s is a folder", o->path);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return ckpt_fail(err, CKPT_E_EXISTS, "%s is no regular file and is not replaced", o->path);
	if (!o->force) return ckpt_fail(err, CKPT_E_EXISTS, "%s exists already (--force replaces it)", o->path);
	return true;
}

static bool can_link(int fd)
{
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	return access(link, F_OK) == 0;
}

static bool open_temporary(ckpt_output *o, ckpt_error *err)
{
#ifdef O_TMPFILE
	o->fd = openat(o->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	if (o->fd >= 0 && can_link(o->fd)) return true;
	if (o->fd >= 0) close(o->fd);
#endif
	for (int attempt = 0; attempt < 16; attempt++) {
		temporary_name(o->temporary);
		o->fd = openat(o->folder, o->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (o->fd >= 0) {
			o->named = true;
			return true;
		}
		if (errno != EEXIST && errno != EINTR) break;
	}
	return ckpt_fail_errno(err, errno, "cannot create %s", o->path);
}

static bool preallocate(ckpt_output *o, uint64_t size, ckpt_error *err)
{
	if (size == 0) return true;
	if (size > INT64_MAX) return ckpt_fail_errno(err, EFBIG, "cannot write %s", o->path);
	int status;
	do
		status = fallocate(o->fd, 0, 0, (off_t)size);
	while (status != 0 && errno == EINTR);
	if (status == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) return true;
	return ckpt_fail_errno(err, errno, "cannot write the %llu bytes of %s", (unsigned long long)size, o->path);
}

ckpt_output *ckpt_output_new(const char *path, uint64_t size, bool force, ckpt_error *err)
{
	size_t length = strlen(path);
	ckpt_output *o = calloc(1, sizeof *o + length + 1);
	if (!o) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	memcpy(o->path, path, length + 1);
	o->fd = o->folder = -1;
	o->force = force;
	if (open_folder(o, err) && check_place(o, err) && open_temporary(o, err) && preallocate(o, size, err)) return o;
	ckpt_output_free(o);
	return NULL;
}

const char *ckpt_output_path(const ckpt_output *o) { return o->path; }
int ckpt_output_fd(const ckpt_output *o) { return o->fd; }

bool ckpt_output_write(ckpt_output *o, uint64_t offset, const void *data, size_t length, ckpt_error *err)
{
	size_t done = 0;
	while (done < length) {
		ssize_t n = pwrite(o->fd, (const char *)data + done, length - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return ckpt_fail_errno(err, errno, "cannot write %s", o->path);
		if (n == 0) return ckpt_fail_errno(err, ENOSPC, "cannot write %s", o->path);
		done += (size_t)n;
	}
	return true;
}

bool ckpt_output_finish(ckpt_output *o, uint64_t size, bool sync, ckpt_error *err)
{
	struct stat st;
	int status = fstat(o->fd, &st);
	if (status == 0 && (uint64_t)st.st_size != size) {
		do
			status = ftruncate(o->fd, (off_t)size);
		while (status != 0 && errno == EINTR);
	}
	if (status != 0) return ckpt_fail_errno(err, errno, "cannot write %s", o->path);
	if (!sync) return true;
	do
		status = fsync(o->fd);
	while (status != 0 && errno == EINTR);
	return status == 0 ? true : ckpt_fail_errno(err, errno, "cannot write %s to disk", o->path);
}

/* Gives the unnamed file a temporary name, or the final one when nothing may be replaced. */
static bool link_as(ckpt_output *o, const char *name)
{
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", o->fd);
	return linkat(AT_FDCWD, link, o->folder, name, AT_SYMLINK_FOLLOW) == 0;
}

static bool commit_unnamed(ckpt_output *o)
{
	if (!o->force) return link_as(o, o->base);
	for (int attempt = 0; attempt < 16; attempt++) {
		temporary_name(o->temporary);
		if (link_as(o, o->temporary)) {
			o->named = true;
			break;
		}
		if (errno != EEXIST) return false;
	}
	if (!o->named || renameat(o->folder, o->temporary, o->folder, o->base) != 0) return false;
	o->named = false;
	return true;
}

static bool commit_named(ckpt_output *o)
{
	if (o->force) {
		if (renameat(o->folder, o->temporary, o->folder, o->base) != 0) return false;
	} else {
		if (linkat(o->folder, o->temporary, o->folder, o->base, 0) != 0) return false;
		unlinkat(o->folder, o->temporary, 0);
	}
	o->named = false;
	return true;
}

bool ckpt_output_commit(ckpt_output *o, bool sync, ckpt_error *err)
{
	if (!check_place(o, err)) return false;
	if (!(o->named ? commit_named(o) : commit_unnamed(o))) {
		if (errno == EEXIST)
			return ckpt_fail(err, CKPT_E_EXISTS, "%s exists already (--force replaces it)", o->path);
		return ckpt_fail_errno(err, errno, "cannot create %s", o->path);
	}
	o->committed = true;
	if (!sync) return true;
	int status;
	do
		status = fsync(o->folder);
	while (status != 0 && errno == EINTR);
	/* some file systems cannot sync a folder; the file itself is durable */
	if (status != 0 && errno != EINVAL && errno != EBADF && errno != ENOTSUP)
		return ckpt_fail_errno(err, errno, "cannot write the folder of %s to disk", o->path);
	return true;
}

void ckpt_output_free(ckpt_output *o)
{
	if (!o) return;
	if (o->named) unlinkat(o->folder, o->temporary, 0);
	if (o->fd >= 0) close(o->fd);
	if (o->folder >= 0) close(o->folder);
	free(o);
}
