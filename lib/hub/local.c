/* local.c -- a folder of the user's own in place of the cache, with the books that huggingface_hub keeps of it
 *
 *   DIR/FILE
 *   DIR/.cache/huggingface/.gitignore                "*"
 *   DIR/.cache/huggingface/CACHEDIR.TAG
 *   DIR/.cache/huggingface/trees/COMMIT.json         the list of all files
 *   DIR/.cache/huggingface/download/FILE.metadata    commit, hash, time of writing in seconds since 1970: a line each
 *   DIR/.cache/huggingface/download/FILE.lock        empty, flock, stays
 *   DIR/.cache/huggingface/download/FOLDERS/KEY.HASH.ckpt.incomplete
 *
 * KEY is the SHA-1 of the last part of "FILE.metadata" in base64. The metadata holds as long as the file is no younger than
 * it; otherwise the content is hashed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../path.h"
#include "inner.h"

static const char books[] = ".cache/huggingface";

typedef struct local_file {
	char *file, *metadata, *lock, *partial;
} local_file;

typedef struct local_notes {
	char commit[41], hash[65];
	bool young; /* younger than the file: they hold */
} local_notes;

static void file_free(local_file *f)
{
	free(f->file);
	free(f->metadata);
	free(f->lock);
	free(f->partial);
}

/* KEY: base64 for URLs of the SHA-1 of text. */
static bool key_of(const char *text, char key[32], ckpt_error *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE], coded[2 * EVP_MAX_MD_SIZE];
	unsigned length = 0;
	if (EVP_Digest(text, strlen(text), digest, &length, EVP_sha1(), NULL) != 1 || length != 20)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "libcrypto offers no SHA-1");
	EVP_EncodeBlock(coded, digest, (int)length);
	snprintf(key, 32, "%.28s", (const char *)coded);
	for (char *c = key; *c; c++) *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return true;
}

static bool find_paths(const char *dir, const ckpt_hub_entry *entry, local_file *f, ckpt_error *err)
{
	char key[32], name[300];
	const char *base = ckpt_path_base(entry->path);
	*f = (local_file){0};
	if (strncasecmp(entry->path, books, sizeof books - 1) == 0 && (entry->path[sizeof books - 1] == '/' || !entry->path[sizeof books - 1]))
		return ckpt_fail(err, CKPT_E_FORMAT, "the repository has a file '%.300s', which stands where the books of the folder are kept",
		                 entry->path);
	snprintf(name, sizeof name, "%s.metadata", base);
	if (!key_of(name, key, err)) return false;
	f->file = ckpt_hub_path(err, "%s/%s", dir, entry->path);
	f->metadata = ckpt_hub_path(err, "%s/%s/download/%s.metadata", dir, books, entry->path);
	f->lock = ckpt_hub_path(err, "%s/%s/download/%s.lock", dir, books, entry->path);
	f->partial = ckpt_hub_path(err, "%s/%s/download/%.*s%s.%s.ckpt.incomplete", dir, books, (int)(base - entry->path), entry->path, key,
	                           entry->hash);
	return f->file && f->metadata && f->lock && f->partial;
}

char *ckpt_local_books(const char *dir, ckpt_error *err)
{
	return ckpt_hub_path(err, "%s/%s", dir, books);
}

bool ckpt_local_begin(const char *dir, ckpt_error *err)
{
	char *folder = ckpt_local_books(dir, err), *ignore = ckpt_hub_path(err, "%s/%s/.gitignore", dir, books);
	bool ok = folder && ignore && ckpt_hub_make_folders(folder, true, err) && ckpt_hub_tag(folder, err) &&
	          (access(ignore, F_OK) == 0 || ckpt_hub_write_small(ignore, "*", err));
	free(ignore);
	free(folder);
	return ok;
}

/* ---- metadata ---- */

/* False when there is none that can be read. */
static bool read_notes(const char *path, const struct stat *file, local_notes *out)
{
	char text[256], *end;
	ssize_t n = ckpt_hub_read_small(path, text, sizeof text - 1);
	if (n <= 0) return false;
	text[n] = '\0';
	char *hash = strchr(text, '\n'), *stamp = hash ? strchr(hash + 1, '\n') : NULL;
	if (!stamp) return false;
	*hash++ = *stamp++ = '\0';
	double time = strtod(stamp, &end);
	if (end == stamp || strlen(text) != 40 || !ckpt_hub_is_hash(text) || !ckpt_hub_is_hash(hash)) return false;
	memcpy(out->commit, text, sizeof out->commit);
	memcpy(out->hash, hash, strlen(hash) + 1);
	/* times of files may be coarse */
	out->young = (double)file->st_mtim.tv_sec + (double)file->st_mtim.tv_nsec * 1e-9 - 1 <= time;
	return true;
}

static bool write_notes(const local_file *f, const char *commit, const ckpt_hub_entry *entry, const struct timespec *when,
                        ckpt_error *err)
{
	char text[256];
	snprintf(text, sizeof text, "%s\n%s\n%lld.%06ld\n", commit, entry->hash, (long long)when->tv_sec, when->tv_nsec / 1000);
	return ckpt_hub_write_small(f->metadata, text, err);
}

bool ckpt_local_commit(const char *dir, char commit[41])
{
	char *folder = ckpt_hub_path(NULL, "%s/%s/trees", dir, books);
	DIR *d = folder ? opendir(folder) : NULL;
	struct timespec newest = {0};
	struct stat st;
	commit[0] = '\0';
	for (struct dirent *e; d && (e = readdir(d));) {
		char name[41];
		snprintf(name, sizeof name, "%.40s", e->d_name);
		if (strlen(name) != 40 || !ckpt_hub_is_hash(name) || strcmp(e->d_name + 40, ".json") != 0) continue;
		if (fstatat(dirfd(d), e->d_name, &st, 0) < 0) continue;
		bool newer = st.st_mtim.tv_sec != newest.tv_sec ? st.st_mtim.tv_sec > newest.tv_sec : st.st_mtim.tv_nsec > newest.tv_nsec;
		if (*commit && !newer) continue;
		newest = st.st_mtim;
		memcpy(commit, name, 41);
	}
	if (d) closedir(d);
	free(folder);
	return *commit;
}

/* ---- the file ---- */

static bool hash_file(const char *path, const ckpt_hub_entry *entry, bool *right, ckpt_error *err)
{
	int fd = ckpt_hub_open(path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0) return ckpt_fail_errno(err, errno, "cannot read '%s'", path);
	ckpt_digest *d = ckpt_digest_start(fd, entry->hash, entry->size, entry->size, false, err);
	bool ok = d && ckpt_digest_finish(d, right, err);
	close(fd);
	return ok;
}

/* What DIR has under that name. */
typedef struct local_state {
	bool there, right, noted; /* noted: the metadata says so already */
	bool changed;             /* here, since it was fetched, or it came from elsewhere */
	bool knew;                /* there is metadata */
} local_state;

static bool look(const local_file *f, const char *commit, const ckpt_hub_entry *entry, local_state *s, ckpt_error *err)
{
	struct stat st;
	local_notes notes = {0};
	*s = (local_state){0};
	if (stat(f->file, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR || ckpt_fail_errno(err, errno, "cannot look at '%s'", f->file);
	if (!S_ISREG(st.st_mode)) return ckpt_fail(err, CKPT_E_IO, "'%s' is no file, and one of that name is to be fetched", f->file);
	s->there = true;
	s->knew = read_notes(f->metadata, &st, &notes);
	bool size = (uint64_t)st.st_size == entry->size;
	if (s->knew && notes.young) {
		s->right = size && strcmp(notes.hash, entry->hash) == 0;
		s->noted = s->right && strcmp(notes.commit, commit) == 0;
		return true;
	}
	s->changed = true;
	return !size || hash_file(f->file, entry, &s->right, err);
}

bool ckpt_local_look(const char *dir, const ckpt_hub_entry *entry, bool *right, ckpt_error *err)
{
	local_file f;
	local_state s = {0};
	bool ok = find_paths(dir, entry, &f, err) && look(&f, "", entry, &s, err);
	*right = s.right;
	file_free(&f);
	return ok;
}

/* What the cache has that should have the same content, malloced; NULL: nothing. */
static char *cached_copy(const ckpt_hub *hub, const char *repo, const char *commit, const ckpt_hub_entry *entry)
{
	char *folder = ckpt_hub_folder(hub, repo, NULL);
	char *blob = folder ? ckpt_hub_path(NULL, "%s/blobs/%s", folder, entry->hash) : NULL;
	char *own = folder ? ckpt_hub_path(NULL, "%s/snapshots/%s/%s", folder, commit, entry->path) : NULL;
	free(folder);
	if (blob && ckpt_hub_has(blob, entry->size)) {
		free(own);
		return blob;
	}
	free(blob);
	if (own && ckpt_hub_has(own, entry->size)) return own;
	free(own);
	return NULL;
}

static bool replace(ckpt_hub *hub, const char *repo, const local_file *f, const char *dir, const char *commit,
                    const ckpt_hub_entry *entry, bool force, ckpt_error *err)
{
	ckpt_hub_job job = {.repo = repo, .commit = commit, .entry = entry, .partial = f->partial, .final = f->file, .place = dir,
	                    .force = force};
	char *copy = force ? NULL : cached_copy(hub, repo, commit, entry);
	job.copy = copy;
	bool ok = ckpt_hub_make_folders(f->file, false, err) && ckpt_hub_fetch(hub, &job, err);
	free(copy);
	return ok;
}

bool ckpt_local_fetch(ckpt_hub *hub, const char *repo, const char *dir, const char *commit, const ckpt_hub_entry *entry,
                      bool force, ckpt_error *err)
{
	local_file f;
	local_state s = {0};
	struct timespec when;
	int lock = -1;
	bool ok = find_paths(dir, entry, &f, err);
	if (ok) lock = ckpt_hub_lock(hub, f.lock, err);
	ok = ok && lock >= 0;
	clock_gettime(CLOCK_REALTIME, &when);
	ok = ok && (force || look(&f, commit, entry, &s, err));
	if (ok && s.right) {
		ckpt_hub_count(hub, (int64_t)entry->size);
	} else if (ok) {
		if (s.changed)
			ckpt_hub_note(hub, s.knew ? "%s/%s was changed here after it was fetched; it is replaced"
			                          : "%s/%s has other content and did not come from the Hub; it is replaced", dir, entry->path);
		ok = replace(hub, repo, &f, dir, commit, entry, force, err);
		clock_gettime(CLOCK_REALTIME, &when);
	}
	ok = ok && (s.noted || write_notes(&f, commit, entry, &when, err));
	if (lock >= 0) close(lock);
	file_free(&f);
	return ok;
}
