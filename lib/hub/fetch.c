/* fetch.c -- one file of the Hub into its blob: resumed, hashed while it comes, and named only when the hash is right */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "download.h"

enum { STEP = 4 << 20 };

/* Opens the partial file and takes over what an earlier try left. */
static bool open_partial(ckpt_download *d, const char *path, bool force)
{
	struct stat st;
	uint64_t have = force ? 0 : ckpt_hub_partial(path, d->entry->size);
	d->fd = ckpt_hub_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
	if (d->fd < 0) return ckpt_download_fail(d, errno);
	if (fstat(d->fd, &st) < 0 || !S_ISREG(st.st_mode)) return ckpt_fail(d->err, CKPT_E_IO, "'%s' is no file", path);
	if (have) ckpt_hub_note(d->hub, "%s: goes on at byte %llu of %llu", d->what, (unsigned long long)have,
		                    (unsigned long long)d->entry->size);
	if (!ckpt_download_restart(d, have)) return false;
	return unlink(d->ranges) == 0 || errno == ENOENT || ckpt_download_fail(d, errno);
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

/* Waits for the hash of all that is there. */
static bool finish_digest(ckpt_download *d, bool *right)
{
	bool ok = true;
	ckpt_digest_ready(d->digest, d->entry->size);
	d->hub->state.checking = true;
	while (ok && !ckpt_digest_wait(d->digest, 100, NULL)) ok = ckpt_hub_tick(d->hub, d->err);
	d->hub->state.checking = false;
	if (!ok) return false;
	ckpt_digest *digest = d->digest;
	d->digest = NULL;
	return ckpt_digest_finish(digest, right, d->err) || ckpt_error_prefix(d->err, "%s", d->what);
}

/* Receives and verifies; a partial file whose content is wrong is begun again once, then deleted. */
static bool receive_right(ckpt_download *d, const char *path)
{
	bool right = false, resumed = d->have > 0;
	for (int round = 0; !right; round++) {
		if (!ckpt_download_receive(d)) {
			if (d->hub->why == CKPT_HUB_CORRUPT) unlink(path);
			return false;
		}
		if (!finish_digest(d, &right)) return false;
		if (right) break;
		if (!resumed || round) {
			unlink(path);
			return ckpt_hub_fail(d->hub, CKPT_HUB_CORRUPT, d->err, CKPT_E_FORMAT,
			                     "%s: what came has not the hash %s that the Hub states; it was deleted, pull again", d->what,
			                     d->entry->hash);
		}
		ckpt_hub_note(d->hub, "%s: what an earlier try left has other content; begun again", d->what);
		if (!ckpt_download_restart(d, 0)) return false;
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
static bool take_copy(ckpt_download *d, const char *from, bool *right)
{
	*right = false;
	int in = ckpt_hub_open(from, O_RDONLY, 0);
	bool ok = in >= 0 && ckpt_download_restart(d, 0);
	while (ok && d->have < d->entry->size) {
		ssize_t n = copy_some(in, d->fd, d->have, d->entry->size - d->have);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT)) ok = ckpt_download_fail(d, errno);
		if (n <= 0) break; /* it is received */
		d->have += (uint64_t)n;
		d->counted += (uint64_t)n;
		ckpt_hub_count(d->hub, n);
		d->hub->state.moved += (uint64_t)n;
		ckpt_digest_ready(d->digest, d->have);
		ok = ckpt_hub_tick(d->hub, d->err);
	}
	if (in >= 0) close(in);
	if (ok && d->have == d->entry->size) return finish_digest(d, right) && (*right || ckpt_download_restart(d, 0));
	return in < 0 || (ok && ckpt_download_restart(d, 0));
}

bool ckpt_hub_fetch(ckpt_hub *hub, const ckpt_hub_job *job, ckpt_error *err)
{
	char what[512];
	snprintf(what, sizeof what, "%s, %.300s", job->repo, job->entry->path);
	char *url = ckpt_hub_url_of(hub, job->repo, job->commit, job->entry->path, err), *ranges = ckpt_download_ranges(job->partial, err);
	ckpt_download d = {.hub = hub, .entry = job->entry, .what = what, .place = job->place, .url = url, .commit = job->commit,
	                   .ranges = ranges, .fd = -1, .err = err};
	bool right = false, ok = url && ranges && ckpt_hub_make_folders(job->partial, false, err) && open_partial(&d, job->partial, job->force);
	if (ok && job->copy && d.have < d.entry->size) ok = take_copy(&d, job->copy, &right);
	ok = ok && (right || receive_right(&d, job->partial));
	if (ok && (!ckpt_hub_sync(d.fd) || rename(job->partial, job->final) < 0)) ok = ckpt_download_fail(&d, errno);
	ckpt_digest_cancel(d.digest);
	if (d.fd >= 0) close(d.fd);
	free(ranges);
	free(url);
	return ok;
}
