/* cache.c -- the cache on disk, as huggingface_hub lays it out
 *
 *   CACHE/CACHEDIR.TAG
 *   CACHE/.locks/models--ORG--NAME/HASH.lock        empty, flock, stays
 *   CACHE/models--ORG--NAME/blobs/HASH              SHA-256 or git blob SHA-1 of the content
 *   CACHE/models--ORG--NAME/refs/REVISION           40 hex digits, no newline
 *   CACHE/models--ORG--NAME/snapshots/COMMIT/FILE   -> ../../blobs/HASH, one ../ more for each folder in FILE
 *   CACHE/models--ORG--NAME/.no_exist/COMMIT/FILE   empty
 *   CACHE/models--ORG--NAME/trees/COMMIT.json       the list of all files, with sizes and hashes
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../file.h"
#include "inner.h"

char *ckpt_hub_path(ckpt_error *err, const char *format, ...)
{
	char *path = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&path, format, args) < 0) path = NULL;
	va_end(args);
	if (!path) ckpt_fail_nomem(err);
	return path;
}

/* models--org--name */
static void folder_name(const char *repo, char *out, size_t size)
{
	const char *slash = strchr(repo, '/');
	if (slash)
		snprintf(out, size, "models--%.*s--%s", (int)(slash - repo), repo, slash + 1);
	else
		snprintf(out, size, "models--%s", repo);
}

char *ckpt_hub_folder(const ckpt_hub *hub, const char *repo, ckpt_error *err)
{
	char name[256];
	folder_name(repo, name, sizeof name);
	return ckpt_hub_path(err, "%s/%s", hub->cache, name);
}

bool ckpt_hub_make_folders(const char *path, bool last_too, ckpt_error *err)
{
	char *copy = strdup(path);
	bool ok = copy || ckpt_fail_nomem(err);
	for (char *c = copy ? copy + 1 : NULL; ok && c && *c; c++) {
		if (*c != '/') continue;
		*c = '\0';
		if (mkdir(copy, 0777) < 0 && errno != EEXIST) ok = ckpt_fail_errno(err, errno, "cannot make the folder '%s'", copy);
		*c = '/';
	}
	if (ok && last_too && mkdir(path, 0777) < 0 && errno != EEXIST)
		ok = ckpt_fail_errno(err, errno, "cannot make the folder '%s'", path);
	free(copy);
	return ok;
}

/* Up to size bytes, less only at the end of the file; -1 with errno. */
static ssize_t read_whole(int fd, void *data, size_t size)
{
	size_t done = 0;
	while (done < size) {
		ssize_t n = read(fd, (char *)data + done, size - done);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return -1;
		if (n == 0) break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int ckpt_hub_open(const char *path, int flags, mode_t mode)
{
	int fd;
	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

bool ckpt_hub_sync(int fd)
{
	int status;
	do
		status = fsync(fd);
	while (status != 0 && errno == EINTR);
	return status == 0;
}

bool ckpt_hub_resize(int fd, uint64_t size)
{
	int status;
	do
		status = ftruncate(fd, (off_t)size);
	while (status != 0 && errno == EINTR);
	return status == 0;
}

ssize_t ckpt_hub_read_small(const char *path, char *text, size_t size)
{
	int fd = ckpt_hub_open(path, O_RDONLY | O_NONBLOCK, 0);
	ssize_t n = fd >= 0 ? read_whole(fd, text, size) : -1;
	if (fd >= 0) close(fd);
	return n;
}

static bool holds(const char *path, const char *text)
{
	char found[512];
	size_t length = strlen(text);
	ssize_t n = ckpt_hub_read_small(path, found, sizeof found);
	return n >= 0 && (size_t)n == length && memcmp(found, text, length) == 0;
}

bool ckpt_hub_write_small(const char *path, const char *text, ckpt_error *err)
{
	if (holds(path, text)) return true;
	if (!ckpt_hub_make_folders(path, false, err)) return false;
	char *temporary = ckpt_hub_path(err, "%s.%08lx.tmp", path, (unsigned long)getpid());
	int fd = temporary ? ckpt_hub_open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666) : -1;
	bool ok = fd >= 0;
	if (ok && !ckpt_file_write_whole(fd, text, strlen(text))) ok = false;
	if (fd >= 0 && close(fd) < 0) ok = false;
	if (ok && rename(temporary, path) < 0) ok = false;
	if (!ok && temporary) {
		ckpt_fail_errno(err, errno, "cannot write '%s'", path);
		unlink(temporary);
	}
	free(temporary);
	return ok;
}

bool ckpt_hub_tag(const char *folder, ckpt_error *err)
{
	static const char text[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
							   "# This file is a cache directory tag created by huggingface_hub.\n"
							   "# For information about cache directory tags, see:\n"
							   "#\thttps://bford.info/cachedir/\n";
	char *path = ckpt_hub_path(err, "%s/CACHEDIR.TAG", folder);
	bool ok = path && (access(path, F_OK) == 0 || ckpt_hub_write_small(path, text, err));
	free(path);
	return ok;
}

bool ckpt_hub_read_ref(const char *folder, const char *revision, char commit[41])
{
	char text[64] = "";
	char *path = ckpt_hub_path(NULL, "%s/refs/%s", folder, revision);
	errno = ENOMEM;
	ssize_t n = path ? ckpt_hub_read_small(path, text, sizeof text - 1) : -1;
	int why = n < 0 ? errno : 0;
	free(path);
	errno = why;
	if (n < 40) return false;
	text[strcspn(text, "\r\n")] = '\0'; /* other programs may have written a newline */
	if (strlen(text) != 40 || !ckpt_hub_is_hash(text)) return false;
	memcpy(commit, text, 41);
	return true;
}

bool ckpt_hub_has(const char *path, uint64_t size)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

/* A copy of a blob under another name; errno says why not. */
static bool copy_file(const char *from, const char *to)
{
	char block[1 << 15];
	int in = ckpt_hub_open(from, O_RDONLY, 0), out = in < 0 ? -1 : ckpt_hub_open(to, O_WRONLY | O_CREAT | O_EXCL, 0666);
	bool ok = out >= 0;
	for (ssize_t n = 1; ok && n > 0;) {
		n = read_whole(in, block, sizeof block);
		ok = n >= 0 && ckpt_file_write_whole(out, block, (size_t)n);
	}
	if (in >= 0) close(in);
	if (out >= 0 && !ckpt_hub_sync(out)) ok = false;
	if (out >= 0 && close(out) < 0) ok = false;
	return ok;
}

/* The snapshot's file without links; temporary is a free name beside the blob. */
static bool place(const char *blob, const char *temporary, const char *path, bool fresh)
{
	struct stat st;
	if (fresh && lstat(blob, &st) == 0 && S_ISREG(st.st_mode)) return rename(blob, path) == 0;
	return copy_file(blob, temporary) && rename(temporary, path) == 0;
}

static bool link_target(ckpt_buffer *b, const char *file, const char *hash, ckpt_error *err)
{
	ckpt_buffer_str(b, "../../");
	for (const char *c = file; *c; c++)
		if (*c == '/') ckpt_buffer_str(b, "../");
	ckpt_buffer_printf(b, "blobs/%s", hash);
	return ckpt_buffer_ok(b, err);
}

bool ckpt_hub_link(const ckpt_hub *hub, const char *folder, const char *commit, const ckpt_hub_entry *entry, bool fresh,
                   ckpt_error *err)
{
	ckpt_buffer target = {0};
	char found[512];
	struct stat st;
	char *blob = ckpt_hub_path(err, "%s/blobs/%s", folder, entry->hash), *temporary = NULL;
	char *path = ckpt_hub_path(err, "%s/snapshots/%s/%s", folder, commit, entry->path);
	bool ok = blob && path && ckpt_hub_make_folders(path, false, err) && link_target(&target, entry->path, entry->hash, err);
	if (!ok || (!fresh && lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == entry->size)) goto done;
	ssize_t n = readlink(path, found, sizeof found);
	if (!hub->no_links && n == (ssize_t)target.length && memcmp(found, target.data, target.length) == 0) goto done;
	temporary = ckpt_hub_path(err, "%s.%08lx.link", blob, (unsigned long)getpid());
	ok = temporary != NULL;
	if (!ok) goto done;
	unlink(temporary);
	bool linked = !hub->no_links && symlink(target.data, temporary) == 0;
	bool possible = !hub->no_links && (linked || (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP));
	ok = possible ? linked && rename(temporary, path) == 0 : place(blob, temporary, path, fresh);
	if (!ok) {
		ckpt_fail_errno(err, errno, "cannot make '%s'", path);
		unlink(temporary);
	}
done:
	free(temporary);
	free(path);
	free(blob);
	ckpt_buffer_free(&target);
	return ok;
}

/* Whether what was opened is still what has that name. */
static bool is_same(int fd, const char *path)
{
	struct stat here, there;
	return fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

int ckpt_hub_lock_folder(const char *folder, bool alone, bool *busy)
{
	*busy = false;
	for (;;) {
		int fd = ckpt_hub_open(folder, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0) return -1;
		*busy = flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0 && errno == EWOULDBLOCK;
		if (!*busy && is_same(fd, folder)) return fd;
		close(fd); /* held, or removed before it was locked */
		if (*busy) return -1;
	}
}

bool ckpt_hub_folds_case(const char *folder)
{
	struct stat a, b;
	char *upper = ckpt_hub_path(NULL, "%s/CACHEDIR.TAG", folder), *lower = ckpt_hub_path(NULL, "%s/cachedir.tag", folder);
	bool folds = upper && lower && stat(upper, &a) == 0 && stat(lower, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	free(lower);
	free(upper);
	return folds;
}

char *ckpt_hub_lock_of(const ckpt_hub *hub, const char *repo, const char *hash, ckpt_error *err)
{
	char name[256];
	folder_name(repo, name, sizeof name);
	return ckpt_hub_path(err, "%s/.locks/%s/%s.lock", hub->cache, name, hash);
}

int ckpt_hub_lock(ckpt_hub *hub, const char *path, ckpt_error *err)
{
	bool said = false;
	if (!ckpt_hub_make_folders(path, false, err)) return -1;
	mode_t mask = umask(0); /* several users may share the cache; Python gives its locks this mode too */
	int fd = ckpt_hub_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0664);
	umask(mask);
	if (fd < 0) ckpt_fail_errno(err, errno, "cannot open the lock '%s'", path);
	for (unsigned waited = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; waited += 100) {
		if (errno != EWOULDBLOCK && errno != EINTR) break; /* no locks here: names still appear whole or not at all */
		if (waited >= 1000 && !said) {
			ckpt_hub_note(hub, "another process downloads the same file and holds '%s'; waiting for it", path);
			said = true;
		}
		if (ckpt_hub_sleep(hub, 100, err)) continue;
		close(fd);
		fd = -1;
	}
	return fd;
}
