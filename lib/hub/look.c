/* look.c -- a file of the Hub, or of any URL, that is read by ranges, so that a header need not cost a download
 *
 * What came lies in a sparse temporary file at its place, and a sorted list says what is there. A request asks for what is
 * missing of a read, and for more where more is likely to be read: the first one for enough to hold most headers, small ones
 * for LEAST bytes, and reads that follow each other for ever more, as long as the reader is known to go there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../checked.h"
#include "../file.h"
#include "inner.h"

enum { FIRST = 64 << 10, LEAST = 4 << 10, MOST = 8 << 20, WHOLE_MOST = 1 << 20, RANGES_MOST = 1 << 20 };

typedef struct range {
	uint64_t begin, end;
} range;

typedef struct look {
	ckpt_hub *hub;
	char *url, *label; /* label: for messages */
	int fd;            /* of the sparse file; the ckpt_file closes it */
	uint64_t size;     /* UINT64_MAX: not known yet */
	char stamp[160];   /* of the first answer */
	range *ranges;     /* sorted, apart from each other */
	size_t count, capacity;
	uint64_t last, window; /* where the last request ended and how long it was */
} look;

/* One request under way. */
typedef struct piece {
	look *l;
	uint64_t begin, end;
	ckpt_buffer body;
	ckpt_error *err;
} piece;

/* ---- what is there ---- */

/* The first range that ends behind offset. */
static size_t find(const look *l, uint64_t offset)
{
	size_t low = 0, high = l->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->ranges[middle].end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool add_range(look *l, uint64_t begin, uint64_t end, ckpt_error *err)
{
	size_t at = find(l, begin);
	if (at && l->ranges[at - 1].end == begin) {
		l->ranges[--at].end = end;
	} else {
		if (l->count == RANGES_MOST) return ckpt_fail(err, CKPT_E_LIMIT, "%s is read in more than %d pieces", l->label, RANGES_MOST);
		if (l->count == l->capacity) {
			size_t capacity = l->capacity ? 2 * l->capacity : 64;
			range *grown = reallocarray(l->ranges, capacity, sizeof *grown);
			if (!grown) return ckpt_fail_nomem(err);
			l->ranges = grown;
			l->capacity = capacity;
		}
		memmove(l->ranges + at + 1, l->ranges + at, (l->count - at) * sizeof *l->ranges);
		l->ranges[at] = (range){begin, end};
		l->count++;
	}
	while (at + 1 < l->count && l->ranges[at + 1].begin <= l->ranges[at].end) {
		if (l->ranges[at + 1].end > l->ranges[at].end) l->ranges[at].end = l->ranges[at + 1].end;
		memmove(l->ranges + at + 1, l->ranges + at + 2, (l->count - at - 2) * sizeof *l->ranges);
		l->count--;
	}
	return true;
}

/* ---- one request ---- */

static bool fail_changed(const look *l, ckpt_error *err)
{
	l->hub->why = CKPT_HUB_CORRUPT;
	return ckpt_fail(err, CKPT_E_CHANGED, "%s was replaced by another file while it was read", l->label);
}

/* The answer must be of the file that the first one was of, and be the range or, when that is small, all of it. */
static bool check_answer(piece *p, const ckpt_http_answer *a)
{
	look *l = p->l;
	bool first = l->size == UINT64_MAX;
	uint64_t size = a->status == 206 ? a->total : a->length;
	if (!first && *l->stamp && *a->stamp && strcmp(l->stamp, a->stamp) != 0) return fail_changed(l, p->err);
	if (!first && size != UINT64_MAX && size != l->size) return fail_changed(l, p->err);
	if (a->status == 200 && size > WHOLE_MOST) {
		char total[64] = "";
		if (size != UINT64_MAX) snprintf(total, sizeof total, " %llu bytes", (unsigned long long)size);
		return ckpt_hub_fail(l->hub, CKPT_HUB_OTHER, p->err, CKPT_E_UNSUPPORTED,
		                     "%s: the server gives no ranges but the whole file,%s; fetch it first", l->label, total);
	}
	if (size == UINT64_MAX || size > INT64_MAX)
		return ckpt_hub_fail(l->hub, CKPT_HUB_CORRUPT, p->err, CKPT_E_FORMAT, "%s: the server does not say how long the file is",
		                     l->label);
	if (a->status == 206 && a->from != p->begin)
		return ckpt_hub_fail(l->hub, CKPT_HUB_CORRUPT, p->err, CKPT_E_FORMAT, "%s: the server sends another range than from byte %llu on",
		                     l->label, (unsigned long long)p->begin);
	if (a->status == 200) { /* all of it came */
		p->begin = 0;
		p->end = size;
	}
	if (!first) return true;
	l->size = size;
	snprintf(l->stamp, sizeof l->stamp, "%s", a->stamp);
	if (p->end > size) p->end = size;
	return true;
}

static bool take(void *user, const ckpt_http_answer *a, const void *data, size_t length)
{
	piece *p = user;
	p->l->hub->transferred += length;
	if (p->body.length == 0 && !check_answer(p, a)) return false;
	if (length > p->end - p->begin - p->body.length)
		return ckpt_hub_fail(p->l->hub, CKPT_HUB_CORRUPT, p->err, CKPT_E_FORMAT, "%s: the server sends more than the %llu bytes asked for",
		                     p->l->label, (unsigned long long)(p->end - p->begin));
	ckpt_buffer_add(&p->body, data, length);
	return ckpt_buffer_ok(&p->body, p->err);
}

static bool store(look *l, const piece *p, ckpt_error *err)
{
	if (l->fd < 0) {
		l->fd = ckpt_file_temporary();
		if (l->fd < 0 || !ckpt_hub_resize(l->fd, l->size))
			return ckpt_fail_errno(err, errno, "%s: cannot make a temporary file of its size", l->label);
	}
	for (size_t done = 0; done < p->body.length;) {
		ssize_t n = pwrite(l->fd, p->body.data + done, p->body.length - done, (off_t)(p->begin + done));
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return ckpt_fail_errno(err, n < 0 ? errno : ENOSPC, "%s: cannot write a temporary file", l->label);
		done += (size_t)n;
	}
	return add_range(l, p->begin, p->end, err);
}

/* Gets begin .. end, with retries; *got is where what came ends. */
static bool request(look *l, uint64_t begin, uint64_t end, ckpt_error *err)
{
	piece p = {.l = l, .err = err};
	ckpt_http_answer answer;
	const ckpt_http_request request = {.url = l->url, .from = begin, .length = end - begin, .sink = take, .user = &p};
	bool ok = false;
	for (unsigned attempt = 0;; attempt++) {
		ckpt_buffer_free(&p.body);
		p.body = (ckpt_buffer){0};
		p.begin = begin;
		p.end = end;
		if (!ckpt_http_get(l->hub, &request, &answer, err)) break;
		bool good = answer.status == 200 || answer.status == 206;
		if (good && p.body.length && p.body.length == p.end - p.begin) {
			ok = store(l, &p, err);
			break;
		}
		if (answer.status == 416 || (good && !answer.cut && answer.length == 0)) {
			if (l->size != UINT64_MAX)
				fail_changed(l, err);
			else
				ckpt_hub_fail(l->hub, CKPT_HUB_OTHER, err, CKPT_E_FORMAT, "%s: the file is empty", l->label);
			break;
		}
		if (good && !answer.cut) {
			answer.cut = true;
			snprintf(answer.trouble, sizeof answer.trouble, "the answer ends after %zu bytes", p.body.length);
		}
		if (!ckpt_http_may_retry(&answer) || attempt + 1 >= CKPT_HUB_TRIES) {
			ckpt_http_fail(l->hub, &answer, l->label, err);
			break;
		}
		if (!ckpt_hub_wait(l->hub, ckpt_http_pause(l->hub, &answer, attempt, l->label), err)) break;
	}
	ckpt_buffer_free(&p.body);
	return ok;
}

/* ---- the file ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One request for the first gap in offset .. end; *there says that there is none. */
static bool fill_gap(look *l, uint64_t offset, uint64_t end, uint64_t until, bool *there, ckpt_error *err)
{
	size_t at = find(l, offset);
	uint64_t begin = at < l->count && l->ranges[at].begin <= offset ? l->ranges[at].end : offset;
	if (begin >= end) {
		*there = true;
		return true;
	}
	at = find(l, begin);
	uint64_t free_until = at < l->count ? l->ranges[at].begin : l->size;
	bool follows = begin == l->last && end - begin >= LEAST;
	uint64_t ahead = follows ? least(2 * l->window, MOST) : LEAST; /* window is at most MOST */
	uint64_t stop = end;
	if (follows && until > stop) stop = least(until, begin + ahead);
	if (stop < end) stop = end;
	if (stop - begin < LEAST) stop = begin + LEAST;
	stop = least(least(stop, begin + MOST), free_until);
	if (!request(l, begin, stop, err)) return false;
	l->last = stop;
	l->window = stop - begin;
	return true;
}

static bool look_fetch(void *user, uint64_t offset, uint64_t end, uint64_t until, ckpt_error *err)
{
	look *l = user;
	bool there = false, ok = true;
	pthread_mutex_lock(&l->hub->lock);
	while (ok && !there) ok = fill_gap(l, offset, end, until, &there, err);
	pthread_mutex_unlock(&l->hub->lock);
	return ok;
}

static void look_drop(void *user)
{
	look *l = user;
	free(l->url);
	free(l->label);
	free(l->ranges);
	free(l);
}

static ckpt_file *look_new(ckpt_hub *hub, char *url, char *label, ckpt_error *err);

/* The same URL with another last part, which is what the label ends in too. */
static char *sibling(ckpt_hub *hub, const char *path, const char *name, bool quote)
{
	ckpt_buffer b = {0};
	size_t whole = quote ? strcspn(path, "?#") : strlen(path);
	size_t length = whole;
	while (length && path[length - 1] != '/') length--;
	ckpt_buffer_add(&b, path, length);
	for (const char *at = name; *at;) {
		size_t n = strcspn(at, "/");
		char *part = quote ? curl_easy_escape(hub->easy, at, (int)n) : strndup(at, n);
		if (part)
			ckpt_buffer_printf(&b, "%s%s", at > name ? "/" : "", part);
		else
			b.failed = true;
		if (quote)
			curl_free(part);
		else
			free(part);
		at += n + (at[n] == '/');
	}
	if (!b.failed) return b.data;
	ckpt_buffer_free(&b);
	return NULL;
}

static ckpt_file *look_beside(void *user, const char *name, ckpt_error *err)
{
	look *l = user;
	pthread_mutex_lock(&l->hub->lock);
	ckpt_file *file = look_new(l->hub, sibling(l->hub, l->url, name, true), sibling(l->hub, l->label, name, false), err);
	pthread_mutex_unlock(&l->hub->lock);
	return file;
}

static const ckpt_file_remote remote = {look_fetch, look_beside, look_drop};

/* Takes url and label over. The first request says how long the file is. */
static ckpt_file *look_new(ckpt_hub *hub, char *url, char *label, ckpt_error *err)
{
	look *l = calloc(1, sizeof *l);
	ckpt_file *file = NULL;
	if (!l || !url || !label) {
		ckpt_fail_nomem(err);
		free(url);
		free(label);
		free(l);
		return NULL;
	}
	*l = (look){.hub = hub, .url = url, .label = label, .fd = -1, .size = UINT64_MAX};
	if (request(l, 0, FIRST, err)) {
		file = ckpt_file_from_fd(l->fd, l->label, err);
		l->last = l->ranges[0].end;
		l->window = l->last;
	} else if (l->fd >= 0) {
		close(l->fd);
	}
	if (file)
		ckpt_file_set_remote(file, &remote, l);
	else
		look_drop(l);
	return file;
}

ckpt_file *ckpt_hub_look(ckpt_hub *hub, const char *repo, const char *commit, const char *file, ckpt_error *err)
{
	char *url = ckpt_hub_url_of(hub, repo, commit, file, err);
	return url ? look_new(hub, url, ckpt_hub_path(err, "%s/%s", repo, file), err) : NULL;
}

ckpt_file *ckpt_hub_look_url(ckpt_hub *hub, const char *url, ckpt_error *err)
{
	if (!ckpt_http_allowed(hub, url, err)) return NULL;
	char *label = strndup(url, strcspn(url, "?#")); /* what follows may be a signature */
	return look_new(hub, strdup(url), label, err);
}
