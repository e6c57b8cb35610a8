/* receive.c -- the bytes of one file, over one connection or, when it is large, as ranges over several
 *
 * Ranges are handed out in order, so that what is there from the beginning on grows steadily and can be hashed while the rest
 * comes. A large file begins with its first range alone; only when the server has answered with a range of a file of the right
 * size do the others follow, straight to where the first was led. Whatever is odd about an answer to one of several (another
 * file by its ETag, the whole file, a refusal, too many failures) ends them all but one, which goes on behind what is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "download.h"

enum { PARTS = 4, RANGE = 16 << 20, LEAST = 4 * RANGE, BLOCK = 1 << 18, NOTE = 1 << 20, CHANGES = 2 };

struct receiving;

/* One connection and the range that it gets. */
typedef struct part {
	struct receiving *r;
	ckpt_http_exchange *x; /* NULL: none under way */
	ckpt_http_request request;
	ckpt_http_answer answer;
	uint64_t at, end; /* of the range, at .. end is not written yet; at == end: idle */
	unsigned char *block;
	size_t filled;    /* bytes of the block, which belong behind at */
	unsigned attempt;
	double again;     /* when to ask, seconds */
	bool begun;       /* the first bytes of the answer came */
	bool renewed;     /* a refused range is asked for again, by the way through the Hub */
} part;

typedef struct receiving {
	ckpt_download *d;
	part parts[PARTS];
	size_t count;
	uint64_t next;    /* where the next range begins */
	uint64_t noted;   /* d->have as d->ranges says it; UINT64_MAX: there is no such file */
	char *direct;     /* where redirects have led */
	char stamp[160];  /* of the file that comes */
	bool strong;
	double flushed, told;
	bool alone;       /* no more ranges beside each other */
	bool odd, changed; /* an answer that ends them: it is to go on alone, from 0 when the file is another one */
	bool begun_again; /* after a refused range, from 0 */
	unsigned changes;
} receiving;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t size_of(const receiving *r)
{
	return r->d->entry->size;
}

static bool corrupt(const receiving *r, const char *format, uint64_t number)
{
	char text[200];
	snprintf(text, sizeof text, format, (unsigned long long)number);
	return ckpt_hub_fail(r->d->hub, CKPT_HUB_CORRUPT, r->d->err, CKPT_E_FORMAT, "%s: %s", r->d->what, text);
}

/* ---- what came ---- */

static bool flush(part *p)
{
	ckpt_download *d = p->r->d;
	for (size_t done = 0; done < p->filled;) {
		ssize_t n = pwrite(d->fd, p->block + done, p->filled - done, (off_t)p->at);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) {
			memmove(p->block, p->block + done, p->filled -= done);
			return ckpt_download_fail(d, n < 0 ? errno : EIO);
		}
		done += (size_t)n;
		p->at += (uint64_t)n;
	}
	p->filled = 0;
	return true;
}

/* How much is there without a hole. */
static uint64_t prefix(const receiving *r)
{
	uint64_t least = r->next;
	for (size_t i = 0; i < r->count; i++)
		if (r->parts[i].at < r->parts[i].end && r->parts[i].at < least) least = r->parts[i].at;
	return least;
}

static bool advance(receiving *r)
{
	ckpt_download *d = r->d;
	uint64_t have = prefix(r);
	if (have > d->have) ckpt_digest_ready(d->digest, have);
	d->have = have;
	if (r->noted == UINT64_MAX || have - r->noted < NOTE) return true;
	r->noted = have;
	return ckpt_download_note(d);
}

/* ---- answers ---- */

/* Stops this exchange and, when the step returns, all of them. */
static bool stop(receiving *r, bool changed)
{
	r->odd = true;
	r->changed = changed;
	return false;
}

static bool begin_whole(part *p)
{
	receiving *r = p->r;
	if (r->count > 1) return stop(r, false);
	p->end = r->next = size_of(r);
	if (p->at == 0) return true;
	p->at = 0;
	return ckpt_download_restart(r->d, 0);
}

/* The server gives ranges of the right file: then several may come at once. */
static bool spread(part *p)
{
	receiving *r = p->r;
	if (r->alone || p->answer.total != size_of(r)) return true;
	if (!r->direct && strcmp(ckpt_http_url(p->x), r->d->url) != 0) r->direct = strdup(ckpt_http_url(p->x));
	if (r->count > 1 || r->next == size_of(r)) return true;
	r->count = PARTS;
	r->noted = r->d->have;
	return ckpt_download_note(r->d);
}

/* Where does what comes belong? */
static bool begin(part *p, const ckpt_http_answer *a)
{
	receiving *r = p->r;
	p->begun = true;
	if (ckpt_hub_is_hash(a->commit) && strcmp(a->commit, r->d->commit) != 0)
		return ckpt_hub_fail(r->d->hub, CKPT_HUB_CORRUPT, r->d->err, CKPT_E_FORMAT, "%s: the server answers with commit %s", r->d->what,
		                     a->commit);
	bool other = *r->stamp && *a->stamp && strcmp(r->stamp, a->stamp) != 0 && r->changes < CHANGES; /* then the hash decides */
	if (other && (r->count > 1 || (p->at > 0 && a->status == 206))) return stop(r, true);
	if (*a->stamp) {
		memcpy(r->stamp, a->stamp, sizeof r->stamp);
		r->strong = a->strong;
	}
	if (a->status == 200) return begin_whole(p);
	if (a->from != p->request.from) return corrupt(r, "the server sends another range than byte %llu on", p->request.from);
	if (a->total != UINT64_MAX && a->total != size_of(r))
		return corrupt(r, "the file has %llu bytes on the server, which is not the size that the Hub states", a->total);
	return spread(p);
}

static bool take(void *user, const ckpt_http_answer *a, const void *data, size_t length)
{
	part *p = user;
	receiving *r = p->r;
	const char *from = data;
	r->d->hub->transferred += length;
	if (!p->begun && !begin(p, a)) return false;
	if (length > p->end - p->at - p->filled)
		return corrupt(r, p->request.length && a->status == 206 ? "the server sends more than the range from byte %llu on that was asked for"
		                                                        : "the server sends more than the %llu bytes of the file",
		               p->request.length && a->status == 206 ? p->request.from : size_of(r));
	ckpt_hub_count(r->d->hub, (int64_t)length);
	r->d->hub->state.moved += length;
	r->d->counted += length;
	while (length) {
		size_t n = BLOCK - p->filled < length ? BLOCK - p->filled : length;
		memcpy(p->block + p->filled, from, n);
		p->filled += n;
		from += n;
		length -= n;
		if (p->filled == BLOCK && !(flush(p) && advance(r))) return false;
	}
	return true;
}

/* ---- requests ---- */

static void drop(part *p)
{
	ckpt_http_end(p->x);
	p->x = NULL;
}

/* Ends all exchanges; what came of the first range stays. */
static bool settle(receiving *r)
{
	bool ok = true;
	for (size_t i = 0; i < r->count; i++) {
		drop(&r->parts[i]);
		if (r->parts[i].filled && !flush(&r->parts[i])) ok = false;
		r->parts[i].filled = 0;
	}
	ckpt_download *d = r->d;
	uint64_t have = prefix(r);
	if (have < size_of(r) && !ckpt_download_restart(d, have)) ok = false;
	if (ok && r->noted != UINT64_MAX) unlink(d->ranges);
	if (ok) r->noted = UINT64_MAX;
	return ok;
}

static void assign(receiving *r, part *p, uint64_t from)
{
	uint64_t left = size_of(r) - from;
	bool all = r->alone || left < LEAST / 2 || (r->count == 1 && left < LEAST);
	p->at = from;
	p->end = r->next = all && r->count == 1 ? size_of(r) : from + (left < RANGE ? left : RANGE);
	p->attempt = 0;
	p->again = 0;
	p->renewed = false;
}

/* One connection from here on: behind what is there, or from `from` on. */
static bool go_alone(receiving *r, bool from_start)
{
	if (!settle(r) || (from_start && !ckpt_download_restart(r->d, 0))) return false;
	r->alone = true;
	r->odd = r->changed = false;
	r->count = 1;
	assign(r, &r->parts[0], r->d->have);
	return true;
}

static bool ask(part *p)
{
	receiving *r = p->r;
	bool rest = r->count == 1 && p->end == size_of(r);
	p->request = (ckpt_http_request){.url = r->direct && p->attempt == 0 && !p->renewed ? r->direct : r->d->url, .from = p->at,
	                                 .length = rest ? 0 : p->end - p->at, .sink = take, .user = p,
	                                 .if_range = r->strong && (p->at || !rest) ? r->stamp : NULL};
	p->begun = false;
	p->x = ckpt_http_begin(r->d->hub, &p->request, &p->answer, r->d->err);
	return p->x;
}

/* Gives idle connections ranges, and asks for what is due. */
static bool feed(receiving *r)
{
	for (size_t i = 0; i < r->count; i++) {
		part *p = &r->parts[i];
		if (!p->block && !(p->block = malloc(BLOCK))) return ckpt_fail_nomem(r->d->err);
		if (p->x) continue;
		/* what is there beyond the first hole is bounded */
		if (p->at == p->end && r->next < size_of(r) && r->next - r->d->have < 2 * PARTS * (uint64_t)RANGE) assign(r, p, r->next);
		if (p->at < p->end && p->again <= now() && !ask(p)) return false;
	}
	return true;
}

/* ---- when one ends ---- */

/* An answer that brought nothing: whether, and how, to go on. */
static bool failed(part *p)
{
	receiving *r = p->r;
	ckpt_http_answer *a = &p->answer;
	ckpt_hub *hub = r->d->hub;
	bool several = r->count > 1, refused = !a->cut && p->request.from > 0 && (a->status == 403 || a->status == 416);
	if (refused && a->status == 403 && !p->renewed) { /* the address that the last redirect led to may have run out */
		free(r->direct);
		r->direct = NULL;
		p->renewed = true;
		return true;
	}
	if (refused && several) return go_alone(r, false);
	if (refused && !r->begun_again) { /* a partial file that the server does not continue */
		r->begun_again = true;
		return go_alone(r, true);
	}
	if (refused && a->status == 416)
		return ckpt_hub_fail(hub, CKPT_HUB_CORRUPT, r->d->err, CKPT_E_FORMAT,
		                     "%s: the server has no more than %llu of the %llu bytes that the Hub states", r->d->what,
		                     (unsigned long long)p->at, (unsigned long long)size_of(r));
	if (!a->cut && (a->status == 200 || a->status == 206)) {
		a->cut = true;
		snprintf(a->trouble, sizeof a->trouble, "the answer ends at byte %llu of %llu", (unsigned long long)p->at,
		         (unsigned long long)size_of(r));
	}
	if (!ckpt_http_may_retry(a) || p->attempt + 1 >= CKPT_HUB_TRIES)
		return several ? go_alone(r, false) : ckpt_http_fail(hub, a, r->d->what, r->d->err);
	double t = now();
	p->again = t + ckpt_http_pause(hub, a, p->attempt++, t - r->told > 1 || !several ? r->d->what : NULL) / 1000.0;
	r->told = t;
	return true;
}

static bool finished(receiving *r, ckpt_http_exchange *x)
{
	part *p = r->parts;
	while (p->x != x) p++;
	drop(p);
	if (!flush(p) || !advance(r)) return false;
	if (p->at == p->end) return true;
	if (p->at > p->request.from) {
		p->attempt = 0;
		p->renewed = false;
	}
	return failed(p);
}

/* What waits in the blocks is written now and then, for who is killed, or looks. */
static bool flush_all(receiving *r)
{
	double t = now();
	if (t - r->flushed < 0.005) return true;
	r->flushed = t;
	for (size_t i = 0; i < r->count; i++)
		if (!flush(&r->parts[i])) return false;
	return advance(r);
}

/* Seconds until something is asked for again, when nothing else is under way. */
static double waiting(const receiving *r)
{
	double least = 0, t = now();
	for (size_t i = 0; i < r->count; i++) {
		const part *p = &r->parts[i];
		if (p->x) return 0;
		if (p->at < p->end && p->again > t && (least == 0 || p->again - t < least)) least = p->again - t;
	}
	return least;
}

static bool run(receiving *r)
{
	ckpt_http_exchange *x;
	while (prefix(r) < size_of(r)) {
		if (!feed(r)) return false;
		r->d->hub->state.wait = waiting(r);
		if (ckpt_http_step(r->d->hub, 100, &x, r->d->err)) {
			if (!(x ? finished(r, x) : flush_all(r))) return false;
		} else if (!r->odd) {
			return false;
		} else {
			if (r->changed) ckpt_hub_note(r->d->hub, "%s: the server has another file now; begun again", r->d->what);
			r->changes += r->changed;
			if (!go_alone(r, r->changed)) return false;
		}
	}
	return true;
}

bool ckpt_download_receive(ckpt_download *d)
{
	receiving r = {.d = d, .count = 1, .noted = UINT64_MAX, .next = d->have};
	for (size_t i = 0; i < PARTS; i++) r.parts[i].r = &r;
	if (d->have < d->entry->size) assign(&r, &r.parts[0], d->have);
	bool ok = run(&r);
	d->hub->state.wait = 0;
	ok = settle(&r) && ok;
	for (size_t i = 0; i < PARTS; i++) free(r.parts[i].block);
	free(r.direct);
	return ok;
}
