/* store.c -- what the cache of the Hub holds, whoever put it there: listing, verifying, removing */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "store.h"
#include "inner.h"

/* One more zeroed element at the end of an array whose capacity is the power of two above its count. */
static void *grow(void *array, size_t *count, size_t size, ckpt_error *err)
{
	char **at = array;
	if ((*count & (*count + (*count == 0) - 1)) == 0) {
		char *more = reallocarray(*at, *count ? *count * 2 : 1, size);
		if (!more) {
			ckpt_fail_nomem(err);
			return NULL;
		}
		*at = more;
	}
	void *last = *at + *count * size;
	memset(last, 0, size);
	++*count;
	return last;
}

static bool is_folder(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* NULL in tree, and success, when there is no such folder. */
static bool walk(const char *folder, FTS **tree, ckpt_error *err)
{
	char *const roots[] = {(char *)(uintptr_t)folder, NULL};
	*tree = NULL;
	if (!folder) return false;
	if (!is_folder(folder)) return true;
	*tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	return *tree || ckpt_fail_errno(err, errno, "cannot read '%s'", folder);
}

/* ---- reading ---- */

static bool read_blob(ckpt_store_repo *r, const FTSENT *e, ckpt_error *err)
{
	struct stat st;
	size_t length = strlen(e->fts_name);
	ckpt_store_blob *b = grow(&r->blobs, &r->blob_count, sizeof *b, err);
	if (!b || !(b->name = strdup(e->fts_name))) return ckpt_fail_nomem(err);
	b->partial = length > 11 && !strcmp(e->fts_name + length - 11, ".incomplete");
	b->missing = stat(e->fts_path, &st) < 0 || !S_ISREG(st.st_mode);
	b->reach = b->missing ? 0 : (uint64_t)st.st_size;
	b->bytes = e->fts_info == FTS_F ? b->reach : 0;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const ckpt_store_blob *)a)->name, ((const ckpt_store_blob *)b)->name);
}

static bool read_blobs(ckpt_store_repo *r, ckpt_error *err)
{
	char *path = ckpt_hub_path(err, "%s/blobs", r->folder);
	FTS *tree;
	bool ok = walk(path, &tree, err);
	for (FTSENT *e; ok && tree && (e = fts_read(tree));) {
		if (e->fts_level > 1) fts_set(tree, e, FTS_SKIP);
		else if (e->fts_level == 1 && (e->fts_info == FTS_F || e->fts_info == FTS_SL)) ok = read_blob(r, e, err);
	}
	if (tree) fts_close(tree);
	free(path);
	if (ok && r->blob_count) qsort(r->blobs, r->blob_count, sizeof *r->blobs, by_name);
	return ok;
}

static size_t revision_of(ckpt_store_repo *r, const char *commit, ckpt_error *err)
{
	for (size_t i = 0; i < r->revision_count; i++)
		if (!strcmp(r->revisions[i].commit, commit)) return i;
	ckpt_store_revision *v = grow(&r->revisions, &r->revision_count, sizeof *v, err);
	if (!v) return SIZE_MAX;
	snprintf(v->commit, sizeof v->commit, "%s", commit);
	return r->revision_count - 1;
}

static bool read_file(ckpt_store_repo *r, const FTSENT *e, size_t revision, const char *name, ckpt_error *err)
{
	char target[2048];
	ckpt_store_file *f = grow(&r->files, &r->file_count, sizeof *f, err);
	if (!f || !(f->name = strdup(name))) return ckpt_fail_nomem(err);
	f->revision = revision;
	if (e->fts_info == FTS_F) {
		f->bytes = (uint64_t)e->fts_statp->st_size;
		return true;
	}
	ssize_t n = readlink(e->fts_path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	const char *slash = strrchr(target, '/');
	const ckpt_store_blob key = {.name = slash ? (char *)(uintptr_t)(slash + 1) : target};
	ckpt_store_blob *b = r->blob_count ? bsearch(&key, r->blobs, r->blob_count, sizeof key, by_name) : NULL;
	f->broken = !b || b->missing;
	if (b) b->linked = true;
	if (b && r->revisions[revision].named) b->needed = true;
	if (ckpt_hub_is_hash(key.name)) memcpy(f->hash, key.name, strlen(key.name) + 1);
	return true;
}

static bool read_snapshots(ckpt_store_repo *r, ckpt_error *err)
{
	char *path = ckpt_hub_path(err, "%s/snapshots", r->folder);
	FTS *tree;
	bool ok = walk(path, &tree, err);
	size_t revision = SIZE_MAX;
	for (FTSENT *e; ok && tree && (e = fts_read(tree));) {
		if (e->fts_level == 1 && e->fts_info == FTS_D) {
			bool is_commit = strlen(e->fts_name) == 40 && ckpt_hub_is_hash(e->fts_name);
			revision = is_commit ? revision_of(r, e->fts_name, err) : SIZE_MAX;
			ok = !is_commit || revision != SIZE_MAX;
			if (!is_commit) fts_set(tree, e, FTS_SKIP);
		} else if (e->fts_level > 1 && revision != SIZE_MAX &&
		           (e->fts_info == FTS_F || e->fts_info == FTS_SL || e->fts_info == FTS_SLNONE)) {
			ok = read_file(r, e, revision, e->fts_path + strlen(path) + 42, err);
		}
	}
	if (tree) fts_close(tree);
	free(path);
	return ok;
}

/* NAME.8HEX.tmp: a ref on its way to its name, or left behind there. */
static bool is_aside(const char *name)
{
	size_t n = strlen(name);
	return n > 13 && !strcmp(name + n - 4, ".tmp") && name[n - 13] == '.' && strspn(name + n - 12, "0123456789abcdef") == 8;
}

/* Before the snapshots: which of them somebody can name. */
static bool read_refs(ckpt_store_repo *r, ckpt_error *err)
{
	char *path = ckpt_hub_path(err, "%s/refs", r->folder), commit[41];
	FTS *tree;
	ckpt_buffer names = {0};
	bool ok = walk(path, &tree, err);
	ckpt_buffer_str(&names, "");
	for (FTSENT *e; ok && tree && (e = fts_read(tree));) {
		if (e->fts_info != FTS_F || e->fts_level < 1) continue;
		const char *name = e->fts_path + strlen(path) + 1;
		if (is_aside(name)) continue;
		if (!ckpt_hub_read_ref(r->folder, name, commit)) {
			/* what it names must not be taken for unused */
			if (errno && errno != ENOENT) ok = ckpt_fail_errno(err, errno, "cannot read '%s'", e->fts_path);
			continue;
		}
		size_t at = revision_of(r, commit, err);
		ok = at != SIZE_MAX;
		if (ok) r->revisions[at].named = true;
		ckpt_buffer_printf(&names, "%s%s", names.length ? ", " : "", name);
	}
	if (tree) fts_close(tree);
	free(path);
	ok = ok && ckpt_buffer_ok(&names, err);
	if (!ok) ckpt_buffer_free(&names);
	r->refs = names.data;
	return ok;
}

/* "models--org--name" -> "org/name"; NULL in name, and success, for another folder. */
static bool name_of(const char *folder, char **name, ckpt_error *err)
{
	static const char *const kinds[] = {"models--", "datasets--", "spaces--"};
	ckpt_buffer b = {0};
	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(kinds[i]);
		if (strncmp(folder, kinds[i], n) != 0 || !folder[n]) continue;
		if (i) ckpt_buffer_printf(&b, "%.*s/", (int)n - 2, kinds[i]);
		for (const char *c = folder + n; *c; c++) {
			bool gap = c[0] == '-' && c[1] == '-';
			ckpt_buffer_char(&b, gap ? '/' : *c);
			c += gap;
		}
	}
	bool ok = ckpt_buffer_ok(&b, err);
	if (!ok) ckpt_buffer_free(&b);
	*name = b.data;
	return ok;
}

static bool read_repo(const ckpt_hub *hub, ckpt_store *s, const char *folder, ckpt_error *err)
{
	char *name;
	if (!name_of(folder, &name, err)) return false;
	if (!name) return true;
	ckpt_store_repo *r = grow(&s->repos, &s->count, sizeof *r, err);
	if (!r) {
		free(name);
		return false;
	}
	r->name = name;
	r->folder = ckpt_hub_path(err, "%s/%s", hub->cache, folder);
	return r->folder && read_blobs(r, err) && read_refs(r, err) && read_snapshots(r, err);
}

static int by_repo(const void *a, const void *b)
{
	return strcmp(((const ckpt_store_repo *)a)->name, ((const ckpt_store_repo *)b)->name);
}

bool ckpt_store_read(const ckpt_hub *hub, ckpt_store *out, ckpt_error *err)
{
	*out = (ckpt_store){0};
	DIR *d = opendir(hub->cache);
	if (!d) return errno == ENOENT || ckpt_fail_errno(err, errno, "cannot read the cache '%s'", hub->cache);
	bool ok = true;
	for (struct dirent *e; ok && (e = readdir(d));) {
		char *path = ckpt_hub_path(err, "%s/%s", hub->cache, e->d_name);
		ok = path && (!is_folder(path) || read_repo(hub, out, e->d_name, err));
		free(path);
	}
	closedir(d);
	if (out->count) qsort(out->repos, out->count, sizeof *out->repos, by_repo);
	return ok;
}

void ckpt_store_free(ckpt_store *s)
{
	for (size_t i = 0; i < s->count; i++) {
		ckpt_store_repo *r = &s->repos[i];
		for (size_t k = 0; k < r->blob_count; k++) free(r->blobs[k].name);
		for (size_t k = 0; k < r->file_count; k++) free(r->files[k].name);
		free(r->blobs);
		free(r->files);
		free(r->revisions);
		free(r->refs);
		free(r->folder);
		free(r->name);
	}
	free(s->repos);
	*s = (ckpt_store){0};
}

const ckpt_store_repo *ckpt_store_find(const ckpt_store *s, const char *name)
{
	static const char *const starts[] = {"hf://", "models/", "model/"};
	for (size_t i = 0; i < 3; i++)
		if (!strncmp(name, starts[i], strlen(starts[i]))) name += strlen(starts[i]);
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->repos[i].name, name)) return &s->repos[i];
	return NULL;
}

/* ---- sizes ---- */

uint64_t ckpt_store_freed(const ckpt_store_repo *r)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < r->blob_count; i++) sum += r->blobs[i].bytes;
	for (size_t i = 0; i < r->file_count; i++) sum += r->files[i].bytes;
	return sum;
}

uint64_t ckpt_store_bytes(const ckpt_store_repo *r)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < r->blob_count; i++) sum += r->blobs[i].reach;
	for (size_t i = 0; i < r->file_count; i++) sum += r->files[i].bytes;
	return sum;
}

uint64_t ckpt_store_prunable(const ckpt_store_repo *r)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < r->blob_count; i++)
		if (!r->blobs[i].needed) sum += r->blobs[i].bytes;
	for (size_t i = 0; i < r->file_count; i++)
		if (!r->revisions[r->files[i].revision].named) sum += r->files[i].bytes;
	return sum;
}

/* ---- verifying ---- */

void ckpt_store_begin_checks(ckpt_hub *hub, size_t count, uint64_t bytes)
{
	hub->state = (ckpt_hub_state){.count = count, .all = bytes};
}

bool ckpt_store_can_check(const ckpt_store_blob *b)
{
	return !b->partial && !b->missing && ckpt_hub_is_hash(b->name);
}

static bool hash_blob(ckpt_hub *hub, ckpt_digest *d, bool *right, ckpt_error *err)
{
	bool ok = d, done = false;
	while (ok && !done) {
		uint64_t at = 0;
		done = ckpt_digest_wait(d, 100, &at);
		if (done) at = hub->state.size;
		hub->state.moved += at - hub->state.done;
		ckpt_hub_count(hub, (int64_t)(at - hub->state.done));
		ok = ckpt_hub_tick(hub, err);
	}
	if (ok) return ckpt_digest_finish(d, right, err);
	ckpt_digest_cancel(d);
	return false;
}

bool ckpt_store_check(ckpt_hub *hub, const ckpt_store_repo *r, const ckpt_store_blob *b, const char *file, bool *right, ckpt_error *err)
{
	struct stat st;
	*right = false;
	char *path = ckpt_hub_path(err, "%s/blobs/%s", r->folder, b->name);
	int fd = path ? ckpt_hub_open(path, O_RDONLY | O_NONBLOCK, 0) : -1;
	bool ok = fd >= 0 && fstat(fd, &st) == 0;
	if (path && !ok) ckpt_fail_errno(err, errno, "cannot read '%s'", path);
	if (ok) {
		uint64_t size = (uint64_t)st.st_size;
		ckpt_hub_work_on(hub, file, size);
		ok = hash_blob(hub, ckpt_digest_start(fd, b->name, size, size, false, err), right, err);
		hub->state.file = NULL;
	}
	if (fd >= 0) close(fd);
	free(path);
	return ok;
}

/* ---- removing ---- */

static bool remove_tree(const char *folder, ckpt_error *err)
{
	if (!is_folder(folder)) return access(folder, F_OK) != 0 || ckpt_fail(err, CKPT_E_IO, "'%s' is no folder", folder);
	FTS *tree;
	bool ok = walk(folder, &tree, err);
	for (FTSENT *e; ok && tree && (e = fts_read(tree));) {
		if (e->fts_info == FTS_D) continue;
		bool gone = (e->fts_info == FTS_DP || e->fts_info == FTS_DNR ? rmdir(e->fts_path) : unlink(e->fts_path)) == 0;
		if (!gone && errno != ENOENT) ok = ckpt_fail_errno(err, errno, "cannot remove '%s'", e->fts_path);
	}
	if (tree) fts_close(tree);
	return ok;
}

/* Whether a process holds the lock of some file of the repository, as Python does while it fetches it; when that cannot be known, one does. */
static bool is_fetched(const char *locks)
{
	DIR *d = opendir(locks);
	bool held = !d && errno != ENOENT;
	for (struct dirent *e; d && !held && (e = readdir(d));) {
		size_t n = strlen(e->d_name);
		if (n < 5 || strcmp(e->d_name + n - 5, ".lock") != 0) continue;
		int fd = openat(dirfd(d), e->d_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		held = fd >= 0 ? flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK : errno != ENOENT && errno != ELOOP;
		if (fd >= 0) close(fd);
	}
	if (d) closedir(d);
	return held;
}

/* The repository's folder, locked for one alone; -1 with *busy when somebody pulls into it, or when it is gone. */
static int lock_alone(const ckpt_store_repo *r, const char *locks, bool *busy)
{
	int fd = ckpt_hub_lock_folder(r->folder, true, busy);
	if (fd < 0 || !is_fetched(locks)) return fd;
	close(fd);
	*busy = true;
	return -1;
}

bool ckpt_store_remove(const ckpt_hub *hub, const ckpt_store_repo *r, bool *busy, ckpt_error *err)
{
	char *locks = ckpt_hub_path(err, "%s/.locks%s", hub->cache, strrchr(r->folder, '/'));
	int lock = locks ? lock_alone(r, locks, busy) : -1;
	bool ok = locks && (*busy || (remove_tree(r->folder, err) && remove_tree(locks, err)));
	if (lock >= 0) close(lock);
	free(locks);
	return ok;
}

static bool remove_file(char *path, ckpt_error *err)
{
	bool ok = path && (unlink(path) == 0 || errno == ENOENT || ckpt_fail_errno(err, errno, "cannot remove '%s'", path));
	free(path);
	return ok;
}

static bool prune_now(const ckpt_store_repo *r, ckpt_error *err)
{
	static const char *const parts[] = {"snapshots", ".no_exist"};
	bool ok = true;
	for (size_t i = 0; ok && i < 2 * r->revision_count; i++) {
		if (r->revisions[i / 2].named) continue;
		char *path = ckpt_hub_path(err, "%s/%s/%s", r->folder, parts[i % 2], r->revisions[i / 2].commit);
		ok = path && remove_tree(path, err);
		free(path);
	}
	for (size_t i = 0; ok && i < r->revision_count; i++)
		ok = r->revisions[i].named || remove_file(ckpt_hub_path(err, "%s/trees/%s.json", r->folder, r->revisions[i].commit), err);
	for (size_t i = 0; ok && i < r->blob_count; i++)
		ok = r->blobs[i].needed || remove_file(ckpt_hub_path(err, "%s/blobs/%s", r->folder, r->blobs[i].name), err);
	return ok;
}

bool ckpt_store_prune(const ckpt_hub *hub, const ckpt_store_repo *r, bool *busy, ckpt_error *err)
{
	const char *name = strrchr(r->folder, '/') + 1;
	ckpt_store now = {0};
	char *locks = ckpt_hub_path(err, "%s/.locks/%s", hub->cache, name);
	int lock = locks ? lock_alone(r, locks, busy) : -1;
	bool ok = locks && (*busy || (read_repo(hub, &now, name, err) && now.count == 1 && prune_now(&now.repos[0], err)));
	ckpt_store_free(&now);
	if (lock >= 0) close(lock);
	free(locks);
	return ok;
}
