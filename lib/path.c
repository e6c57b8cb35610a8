/* path.c -- the one gate between a string from a file or a server and the file system */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "error.h"
#include "path.h"

enum { MAX_LINKS = 8, MAX_UP = 16 };

static bool is_dots(const char *part, size_t length)
{
	return (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.');
}

bool ckpt_path_is_plain(const char *name, const char *what, ckpt_error *err)
{
	if (!*name) return ckpt_fail(err, CKPT_E_FORMAT, "the %s is empty", what);
	bool letter = (name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z');
	bool plain = !(letter && name[1] == ':');
	for (const char *part = name; plain; part++) {
		size_t length = strcspn(part, "/");
		plain = length > 0 && !is_dots(part, length);
		part += length;
		if (!*part) break;
	}
	for (const char *c = name; plain && *c; c++) plain = *c != '\\' && (unsigned char)*c >= 0x20 && *c != 0x7f;
	if (plain) return true;
	return ckpt_fail(err, CKPT_E_FORMAT, "the %s '%s' is no plain relative path inside the folder", what, name);
}

/* A path on the way down: what is left to open below folder. */
typedef struct walk {
	const char *folder;
	char left[PATH_MAX];
	int links; /* followed so far */
} walk;

static bool fail_outside(const walk *w, const char *name, const char *target, ckpt_error *err)
{
	return ckpt_fail(err, CKPT_E_FORMAT, "'%s' is a symbolic link to '%s', outside the folder '%s'", name, target,
	                 w->folder);
}

static bool same_folder(int a, int b)
{
	struct stat x, y;
	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_hash(const char *text)
{
	size_t n = strspn(text, "0123456789abcdef");
	return text[n] == '\0' && (n == 40 || n == 64);
}

/* folder_fd holds a link to `target`. When it has the form ../../blobs/HASH and the folder really lies in
 * snapshots/REVISION beside that blobs, opens the blob; -1 otherwise. */
static int open_hub_blob(int folder_fd, const char *target)
{
	size_t up = 0;
	const char *rest = target;
	for (; strncmp(rest, "../", 3) == 0; rest += 3) up++;
	if (up < 2 || up > MAX_UP || strncmp(rest, "blobs/", 6) != 0 || !is_hash(rest + 6)) return -1;
	char path[3 * MAX_UP + 16];
	int above = -1, snapshots = -1, blobs = -1, fd = -1;
	snprintf(path, sizeof path, "%.*s", (int)(3 * (up - 1)), target);
	above = openat(folder_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof path, "%.*ssnapshots", (int)(3 * up), target);
	snapshots = openat(folder_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	snprintf(path, sizeof path, "%.*sblobs", (int)(3 * up), target);
	if (above >= 0 && snapshots >= 0 && same_folder(above, snapshots))
		blobs = openat(folder_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (blobs >= 0) fd = openat(blobs, rest + 6, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (above >= 0) close(above);
	if (snapshots >= 0) close(snapshots);
	if (blobs >= 0) close(blobs);
	return fd;
}

/* `part`, the first `length` bytes of what is left, is a link in the folder at_fd, which lies `prefix` below the start.
 * Puts the link's target in its place, or opens the blob of a Hub cache it points to. */
static bool follow_link(walk *w, int at_fd, const char *prefix, size_t length, int *blob, ckpt_error *err)
{
	char part[NAME_MAX + 1], target[PATH_MAX], next[PATH_MAX];
	snprintf(part, sizeof part, "%.*s", (int)length, w->left);
	ssize_t n = readlinkat(at_fd, part, target, sizeof target - 1);
	if (n < 0) return ckpt_fail_errno(err, errno, "cannot read the symbolic link '%s'", part);
	target[n] = '\0';
	if (!w->left[length]) *blob = open_hub_blob(at_fd, target);
	if (*blob >= 0) return true;
	if (!ckpt_path_is_plain(target, "link", NULL) || w->links++ == MAX_LINKS)
		return fail_outside(w, part, target, err);
	int written = snprintf(next, sizeof next, "%s%s%s", prefix, target, w->left + length);
	if (written < 0 || (size_t)written >= sizeof next)
		return ckpt_fail_errno(err, ENAMETOOLONG, "cannot follow the symbolic link '%.200s'", part);
	memcpy(w->left, next, (size_t)written + 1);
	return true;
}

/* One attempt to walk down from start; -1 with *again when a link changed what is left. */
static int walk_down(walk *w, int start, bool *again, ckpt_error *err)
{
	int at = dup(start);
	char prefix[PATH_MAX] = "";
	*again = false;
	while (at >= 0) {
		size_t length = strcspn(w->left, "/");
		bool last = !w->left[length];
		char part[NAME_MAX + 1];
		if (length > NAME_MAX) {
			errno = ENAMETOOLONG;
			break;
		}
		snprintf(part, sizeof part, "%.*s", (int)length, w->left);
		int fd =
			openat(at, part, O_NOFOLLOW | O_CLOEXEC | (last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY));
		if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
			struct stat st;
			int blob = -1;
			if (fstatat(at, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)) {
				*again = follow_link(w, at, prefix, length, &blob, err) && blob < 0;
				close(at);
				return blob;
			}
			errno = ENOTDIR;
		}
		if (fd < 0) break;
		close(at);
		if (last) return fd;
		at = fd;
		strcat(strcat(prefix, part), "/"); /* prefix + left never outgrow PATH_MAX together */
		memmove(w->left, w->left + length + 1, strlen(w->left + length + 1) + 1);
	}
	ckpt_fail_errno(err, errno, "cannot open '%.200s%.200s'", prefix, w->left);
	if (at >= 0) close(at);
	return -1;
}

ckpt_file *ckpt_path_open_below(const char *folder, const char *name, ckpt_error *err)
{
	if (!ckpt_path_is_plain(name, "file name", err)) return NULL;
	walk w = {.folder = folder};
	char *path = NULL;
	ckpt_file *file = NULL;
	int fd = -1, start = -1;
	if (strlen(name) >= sizeof w.left) {
		ckpt_fail_errno(err, ENAMETOOLONG, "cannot open '%.200s'", name);
		goto done;
	}
	strcpy(w.left, name);
	start = open(*folder ? folder : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (start < 0) {
		ckpt_fail_errno(err, errno, "cannot open the folder '%s'", folder);
		goto done;
	}
	bool again;
	do fd = walk_down(&w, start, &again, err);
	while (again);
	path = fd >= 0 ? ckpt_path_join(folder, name, err) : NULL;
	if (path) {
		file = ckpt_file_from_fd(fd, path, err);
		fd = -1;
	}
done:
	if (fd >= 0) close(fd);
	if (start >= 0) close(start);
	free(path);
	return file;
}

char *ckpt_path_join(const char *folder, const char *name, ckpt_error *err)
{
	size_t length = strlen(folder), more = strlen(name);
	bool slash = length > 0 && folder[length - 1] != '/';
	char *path = malloc(length + slash + more + 1);
	if (!path) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	memcpy(path, folder, length);
	if (slash) path[length] = '/';
	memcpy(path + length + slash, name, more + 1);
	return path;
}

char *ckpt_path_folder(const char *path, ckpt_error *err)
{
	const char *base = ckpt_path_base(path);
	size_t length = (size_t)(base - path);
	while (length > 1 && path[length - 1] == '/') length--;
	char *folder = length ? strndup(path, length) : strdup(".");
	if (!folder) ckpt_fail_nomem(err);
	return folder;
}

const char *ckpt_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* A message names the path where it begins with it, or where it speaks of that path or of a file below it: "cannot
 * create out/x: ..." */
static bool is_named(const char *text, const char *path, size_t length)
{
	for (const char *at = strstr(text, path); at; at = strstr(at + 1, path)) {
		const char *rest = at + length;
		if (at == text && (path[length - 1] == '/' || (*rest && strchr(":/ ", *rest)))) return true;
		if (at > text && at[-1] == ' ' && (*rest == ':' || *rest == '/')) return true;
	}
	return false;
}

bool ckpt_path_prefix(ckpt_error *err, const char *path)
{
	char safe[CKPT_ERROR_TEXT];
	if (!err) return false;
	size_t length = ckpt_escape(safe, sizeof safe, path, strlen(path));
	if (length && is_named(err->text, safe, length)) return false;
	return ckpt_error_prefix(err, "%s", *path ? path : "''");
}
