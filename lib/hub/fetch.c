/* fetch.c -- one file of the Hub into its blob: resumed, hashed while it comes, and named only when the hash is right */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "inner.h"

enum { STEP = 4 << 20 };

/* A download under way. */
typedef struct download {
	ckpt_hub *hub;
	const ckpt_hub_entry *entry;
	const char *what, *place; /* for messages */
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
		                     d->place);
	return ckpt_fail_errno(d->err, errnum, "%s: cannot write to %s", d->what, d->place);
}

/* From byte `have` on; the digest begins again when that is less than it has seen. */
static bool restart(download *d, uint64_t have)
{
	d->hub->done -= d->have - have;
	d->have = have;
	ckpt_digest_cancel(d->digest);
	d->digest = NULL;
	if (!ckpt_hub_resize(d->fd, have)) return fail_write(d, errno);
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
	bool renewed = false, fresh = false; /* a range was refused: it was asked for again; all was, from 0 on */
	while (d->have < d->entry->size) {
		uint64_t before = d->have;
		request.from = d->asked = d->have;
		d->begun = false;
		if (!ckpt_http_get(d->hub, &request, &answer, d->err)) return false;
		if (ckpt_hub_is_hash(answer.commit) && strcmp(answer.commit, commit) != 0)
			return ckpt_hub_fail(d->hub, CKPT_HUB_CORRUPT, d->err, CKPT_E_FORMAT, "%s: the server answers with commit %s", d->what,
			                     answer.commit);
		if (d->have == d->entry->size) break;
		if (d->have > before) {
			attempt = 0;
			renewed = false;
		}
		bool ranged = !answer.cut && d->asked > 0;
		if (ranged && answer.status == 403 && !renewed) { /* the address that the last redirect led to may have run out */
			renewed = true;
			continue;
		}
		if (ranged && (answer.status == 403 || answer.status == 416) && !fresh) { /* a partial file that the server does not continue */
			fresh = true;
			if (!restart(d, 0)) return false;
			continue;
		}
		if (ranged && answer.status == 416)
			return ckpt_hub_fail(d->hub, CKPT_HUB_CORRUPT, d->err, CKPT_E_FORMAT,
			                     "%s: the server has no more than %llu of the %llu bytes that the Hub states", d->what,
			                     (unsigned long long)d->have, (unsigned long long)d->entry->size);
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

/* Some bytes from `in` to the same place of `out`; 0: none are left, -1 with errno. */
static ssize_t copy_some(int in, int out, uint64_t at, uint64_t length)
{
	char block[1 << 16];
	off_t from = (off_t)at, to = (off_t)at;
	ssize_t n = copy_file_range(in, &from, out, &to, length < STEP ? length : STEP, 0); /* the disk may share the bytes */
	if (n >= 0 || (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)) return n;
	n = pread(in, block, length < sizeof block ? length : sizeof block, (off_t)at);
	return n > 0 ? pwrite(out, block, (size_t)n, (off_t)at) : n;
}

/* What is said to be the content, copied instead of received; *right: it is. */
static bool take_copy(download *d, const char *from, bool *right)
{
	*right = false;
	int in = ckpt_hub_open(from, O_RDONLY, 0);
	bool ok = in >= 0 && restart(d, 0);
	while (ok && d->have < d->entry->size) {
		ssize_t n = copy_some(in, d->fd, d->have, d->entry->size - d->have);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT)) ok = fail_write(d, errno);
		if (n <= 0) break; /* it is received */
		d->have += (uint64_t)n;
		d->hub->done += (uint64_t)n;
		ckpt_digest_ready(d->digest, d->have);
		ok = ckpt_hub_tick(d->hub, d->err);
	}
	if (in >= 0) close(in);
	if (ok && d->have == d->entry->size) {
		ckpt_digest *digest = d->digest;
		d->digest = NULL;
		return ckpt_digest_finish(digest, right, d->err) && (*right || restart(d, 0));
	}
	return in < 0 || (ok && restart(d, 0));
}

bool ckpt_hub_fetch(ckpt_hub *hub, const ckpt_hub_job *job, ckpt_error *err)
{
	char what[512];
	snprintf(what, sizeof what, "%s, %.300s", job->repo, job->entry->path);
	download d = {.hub = hub, .entry = job->entry, .what = what, .place = job->place, .fd = -1, .err = err};
	char *url = ckpt_hub_url_of(hub, job->repo, job->commit, job->entry->path, err);
	bool right = false, ok = url && ckpt_hub_make_folders(job->partial, false, err) && open_partial(&d, job->partial, job->force);
	if (ok && job->copy && d.have < d.entry->size) ok = take_copy(&d, job->copy, &right);
	ok = ok && (right || receive_right(&d, url, job->commit, job->partial));
	if (ok && (!ckpt_hub_sync(d.fd) || rename(job->partial, job->final) < 0)) ok = fail_write(&d, errno);
	ckpt_digest_cancel(d.digest);
	if (d.fd >= 0) close(d.fd);
	free(url);
	return ok;
}
