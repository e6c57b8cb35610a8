/* fetch.c -- one file of the Hub into its blob: resumed, hashed while it comes, and named only when the hash is right */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "inner.h"

/* A download under way. */
typedef struct download {
	ckpt_hub *hub;
	const ckpt_hub_entry *entry;
	const char *what; /* for messages */
	int fd;
	uint64_t have;    /* bytes written */
	uint64_t asked;   /* where the request under way begins */
	bool begun;       /* its first bytes came */
	ckpt_digest *digest;
	ckpt_error *err;
} download;

static bool fail_write(download *d, int errnum)
{
	if (errnum == ENOSPC || errnum == EDQUOT)
		return ckpt_hub_fail(d->hub, CKPT_HUB_SPACE, d->err, CKPT_E_IO,
		                     "%s: there is no space left on the disk of %s; make some and pull again, it goes on from here", d->what,
		                     d->hub->cache);
	return ckpt_fail_errno(d->err, errnum, "%s: cannot write to the cache", d->what);
}

/* From byte `have` on; the digest begins again when that is less than it has seen. */
static bool restart(download *d, uint64_t have)
{
	d->hub->done -= d->have - have;
	d->have = have;
	ckpt_digest_cancel(d->digest);
	d->digest = NULL;
	if (ftruncate(d->fd, (off_t)have) < 0) return fail_write(d, errno);
	d->digest = ckpt_digest_start(d->fd, d->entry->hash, d->entry->size, have, d->err);
	return d->digest;
}

/* Where does what comes belong? A server that ignores the range begins again, and so do we. */
static bool begin(download *d, const ckpt_http_answer *a)
{
	d->begun = true;
	if (a->status == 206 && a->from == d->asked) return true;
	if (a->status == 206)
		return ckpt_hub_fail(d->hub, CKPT_HUB_CORRUPT, d->err, CKPT_E_FORMAT, "%s: the server sends another range than byte %llu on",
		                     d->what, (unsigned long long)d->asked);
	return d->have == 0 || restart(d, 0);
}

static bool take(void *user, const ckpt_http_answer *a, const void *data, size_t length)
{
	download *d = user;
	const char *from = data;
	d->hub->transferred += length;
	if (!d->begun && !begin(d, a)) return false;
	if (length > d->entry->size - d->have)
		return ckpt_hub_fail(d->hub, CKPT_HUB_CORRUPT, d->err, CKPT_E_FORMAT, "%s: the server sends more than the %llu bytes of the file",
		                     d->what, (unsigned long long)d->entry->size);
	while (length) {
		ssize_t n = pwrite(d->fd, from, length, (off_t)d->have);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return fail_write(d, n < 0 ? errno : EIO);
		from += n;
		length -= (size_t)n;
		d->have += (uint64_t)n;
		d->hub->done += (uint64_t)n;
	}
	ckpt_digest_ready(d->digest, d->have);
	return true;
}

/* Gets the rest of the file; false when it cannot be had. */
static bool receive(download *d, const char *url, const char *commit)
{
	ckpt_http_request request = {.url = url, .sink = take, .user = d};
	ckpt_http_answer answer;
	unsigned attempt = 0;
	bool fresh = false; /* an expired or refused range was tried again from 0 */
	while (d->have < d->entry->size) {
		uint64_t before = d->have;
		request.from = d->asked = d->have;
		d->begun = false;
		if (!ckpt_http_get(d->hub, &request, &answer, d->err)) return false;
		if (ckpt_hub_is_hash(answer.commit) && strcmp(answer.commit, commit) != 0)
			return ckpt_hub_fail(d->hub, CKPT_HUB_CORRUPT, d->err, CKPT_E_FORMAT, "%s: the server answers with commit %s", d->what,
			                     answer.commit);
		if (d->have == d->entry->size) break;
		if (d->have > before) attempt = 0;
		bool ranged = d->asked > 0 && (answer.status == 403 || answer.status == 416);
		if (!answer.cut && ranged && !fresh) {
			/* a partial file that the server does not continue, or an address that ran out */
			fresh = answer.status == 416 || attempt > 0;
			if (fresh && !restart(d, 0)) return false;
			attempt++;
			continue;
		}
		bool well = !answer.cut && (answer.status == 200 || answer.status == 206);
		if (well) {
			answer.cut = true;
			snprintf(answer.trouble, sizeof answer.trouble, "the answer ends at byte %llu of %llu", (unsigned long long)d->have,
			         (unsigned long long)d->entry->size);
		}
		if (!ckpt_http_may_retry(&answer) || attempt + 1 >= CKPT_HUB_TRIES)
			return ckpt_http_fail(d->hub, &answer, d->what, d->err);
		if (!ckpt_http_wait(d->hub, &answer, attempt++, d->what, d->err)) return false;
	}
	return true;
}

/* Opens the partial file and takes over what an earlier try left. */
static bool open_partial(download *d, const char *path, bool force)
{
	struct stat st;
	d->fd = ckpt_hub_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
	if (d->fd < 0) return fail_write(d, errno);
	if (fstat(d->fd, &st) < 0 || !S_ISREG(st.st_mode)) return ckpt_fail(d->err, CKPT_E_IO, "'%s' is no file", path);
	uint64_t found = (uint64_t)st.st_size;
	d->have = force || found > d->entry->size ? 0 : found;
	d->hub->done += d->have;
	if (d->have) ckpt_hub_note(d->hub, "%s: goes on at byte %llu of %llu", d->what, (unsigned long long)d->have,
		                   (unsigned long long)d->entry->size);
	return restart(d, d->have);
}

char *ckpt_hub_url_of(ckpt_hub *hub, const char *repo, const char *commit, const char *file, ckpt_error *err)
{
	ckpt_buffer b = {0};
	ckpt_buffer_printf(&b, "%s/%s/resolve/%s", hub->endpoint, repo, commit);
	for (const char *at = file; *at;) {
		size_t n = strcspn(at, "/");
		char *quoted = curl_easy_escape(hub->easy, at, (int)n);
		ckpt_buffer_printf(&b, "/%s", quoted ? quoted : "");
		if (!quoted) b.failed = true;
		curl_free(quoted);
		at += n + (at[n] == '/');
	}
	if (ckpt_buffer_ok(&b, err)) return b.data;
	ckpt_buffer_free(&b);
	return NULL;
}

/* Receives and verifies; a partial file whose content is wrong is begun again once, then deleted. */
static bool receive_right(download *d, const char *url, const char *commit, const char *path)
{
	bool right = false, resumed = d->have > 0;
	for (int round = 0; !right; round++) {
		if (!receive(d, url, commit)) {
			if (d->hub->why == CKPT_HUB_CORRUPT) unlink(path);
			return false;
		}
		ckpt_digest *digest = d->digest;
		d->digest = NULL;
		if (!ckpt_digest_finish(digest, &right, d->err)) return ckpt_error_prefix(d->err, "%s", d->what);
		if (right) break;
		if (!resumed || round) {
			unlink(path);
			return ckpt_hub_fail(d->hub, CKPT_HUB_CORRUPT, d->err, CKPT_E_FORMAT,
			                     "%s: what came has not the hash %s that the Hub states; it was deleted, pull again", d->what,
			                     d->entry->hash);
		}
		ckpt_hub_note(d->hub, "%s: what an earlier try left has other content; begun again", d->what);
		if (!restart(d, 0)) return false;
	}
	return true;
}

bool ckpt_hub_fetch(ckpt_hub *hub, const ckpt_hub_id *id, const char *folder, const char *commit,
                    const ckpt_hub_entry *entry, bool force, ckpt_error *err)
{
	char what[512];
	snprintf(what, sizeof what, "%s, %.300s", id->repo, entry->path);
	download d = {.hub = hub, .entry = entry, .what = what, .fd = -1, .err = err};
	char *blob = ckpt_hub_path(err, "%s/blobs/%s", folder, entry->hash), *url = NULL, *partial = NULL;
	int lock = -1;
	bool ok = false;
	if (!blob || !ckpt_hub_make_folders(blob, false, err)) goto done;
	lock = ckpt_hub_lock(hub, id->repo, entry->hash, err);
	if (lock < 0) goto done;
	if (!force && ckpt_hub_has(blob, entry->size)) { /* somebody else was faster */
		hub->done += entry->size;
		ok = true;
		goto done;
	}
	partial = ckpt_hub_path(err, "%s.ckpt.incomplete", blob);
	url = ckpt_hub_url_of(hub, id->repo, commit, entry->path, err);
	if (!partial || !url || !open_partial(&d, partial, force) || !receive_right(&d, url, commit, partial)) goto done;
	if (fsync(d.fd) < 0)
		fail_write(&d, errno);
	else if (rename(partial, blob) < 0)
		fail_write(&d, errno);
	else
		ok = true;
done:
	ckpt_digest_cancel(d.digest);
	if (d.fd >= 0) close(d.fd);
	if (lock >= 0) close(lock);
	free(partial);
	free(url);
	free(blob);
	return ok;
}
