/* test_hub_faults.c -- pulling from servers that fail, stall, lie, never end or send elsewhere */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include "files.h"
#include "hub_repo.h"
#include "unit.h"

enum { FAULTS = 12 };

/* ---- faults ---- */

static void cut(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from, "");
	unit_server_put(client, r->data + from, (HUB_SIZE - from) / 2);
}

static void cut_late(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from, "");
	if (from < HUB_SIZE - 6000) unit_server_put(client, r->data + from, HUB_SIZE - 6000 - from);
}

static void hang_up(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)client, (void)from;
}

static void stall(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from, "");
	unit_server_put(client, r->data + from, 500);
	unit_server_wait(client, 20000);
}

static void say_nothing(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_wait(client, 20000);
}

/* Bytes of a step of 50 ms; then nothing more is held back. */
static void in_steps(hub_repo *r, int client, uint64_t from, size_t step)
{
	hub_repo_head(client, from, HUB_SIZE - from, "");
	for (size_t at = from; at < HUB_SIZE; at += step) {
		if (!unit_server_put(client, r->data + at, HUB_SIZE - at < step ? HUB_SIZE - at : step) || !unit_server_wait(client, 50)) return;
	}
}

static void drip(hub_repo *r, int client, uint64_t from)
{
	in_steps(r, client, from, 10);
}

static void trickle(hub_repo *r, int client, uint64_t from)
{
	in_steps(r, client, from, 200);
}

static void ignore_range(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	hub_repo_well(r, client, 0);
}

static void forbid(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 403 Forbidden\r\n" HUB_CLOSE "\r\n<Error>Request has expired</Error>");
}

static void past_end(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 416 Range\r\nContent-Range: bytes */3\r\n" HUB_CLOSE "\r\n");
}

static void busy(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 503 Busy\r\n" HUB_CLOSE "\r\n");
}

static void limit(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 429 Many\r\nRetry-After: -1\r\nRateLimit: \"api\";r=0;t=-5\r\n" HUB_CLOSE "\r\n");
}

static void bad_chunks(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" HUB_CLOSE "\r\nfffffffffffffffffff\r\nx");
}

static void flip(hub_repo *r, int client, uint64_t from)
{
	unsigned char wrong = (unsigned char)(r->data[HUB_SIZE - 1] ^ 1);
	hub_repo_head(client, from, HUB_SIZE - from, "");
	unit_server_put(client, r->data + from, HUB_SIZE - 1 - from);
	unit_server_put(client, &wrong, 1);
}

static void shorter(hub_repo *r, int client, uint64_t from)
{
	if (from) return past_end(r, client, from);
	hub_repo_head(client, 0, HUB_SIZE - 1, "");
	unit_server_put(client, r->data, HUB_SIZE - 1);
}

static void longer(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from + 1, "");
	unit_server_put(client, r->data + from, HUB_SIZE - from);
	unit_server_put(client, "x", 1);
}

static void other_range(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from + 1, HUB_SIZE - from - 1, "");
	unit_server_put(client, r->data + from + 1, HUB_SIZE - from - 1);
}

static void endless(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\n" HUB_CLOSE "\r\n");
	while (unit_server_put(client, r->data, HUB_SIZE)) continue;
}

static void endless_error(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 404 No\r\nX-Error-Code: EntryNotFound\r\n" HUB_CLOSE "\r\n");
	while (unit_server_put(client, r->data, HUB_SIZE)) continue;
}

static void endless_headers(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\n");
	while (unit_server_say(client, "X-More: and more and more and more and more and more and more\r\n")) continue;
}

static void endless_line(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\nX-More: ");
	while (unit_server_say(client, "and more and more and more and more and more and more and more ")) continue;
}

static void gzip(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from, "Content-Encoding: gzip\r\n");
	unit_server_put(client, r->data + from, HUB_SIZE - from);
}

/* Names that would lead out of the cache, were they made of what the server says. */
static void hostile_headers(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from, "ETag: \"../../../../evil\"\r\nX-Linked-Etag: \"../../../../evil\"\r\nX-Linked-Size: 7\r\n"
	                                "X-Repo-Commit: ../../evil\r\nContent-Disposition: attachment; filename=../../evil\r\n");
	unit_server_put(client, r->data + from, HUB_SIZE - from);
}

static void redirect(int client, const char *where)
{
	unit_server_say(client, "HTTP/1.1 302 Found\r\nLocation: %s\r\n" HUB_CLOSE "\r\n", where);
}

static void to_itself(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	redirect(client, "/org/m/resolve/" HUB_COMMIT "/model.safetensors");
}

static void to_itself_at_length(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 302 Found\r\nLocation: ?next\r\n" HUB_CLOSE "\r\n");
	while (unit_server_put(client, r->data, HUB_SIZE)) continue;
}

static void to_nothing(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	redirect(client, "");
}

static void to_a_file(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	redirect(client, "file:///etc/passwd");
}

static void to_a_long_address(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 302 Found\r\nLocation: https://example.com/");
	for (int i = 0; i < 90000; i += 100) {
		char letters[101];
		snprintf(letters, sizeof letters, "%0100d", r->gets);
		if (!unit_server_put(client, letters, 100)) return;
	}
	unit_server_say(client, "\r\n" HUB_CLOSE "\r\n");
}

static void to_plain_http(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	redirect(client, "http://example.com/model.safetensors");
}

static void with_a_password(hub_repo *r, int client, uint64_t from)
{
	char text[128];
	(void)from;
	snprintf(text, sizeof text, "http://user:sesame@127.0.0.1:%d/", r->http.port);
	redirect(client, text);
}

typedef struct row {
	const char *name;
	hub_fault faults[FAULTS];
	ckpt_hub_cause why;
	int gets;         /* requests of the file */
	const char *says; /* somewhere in the error or the remarks */
} row;

static void run(const row *rows, size_t count)
{
	hub_repo r;
	hub_repo_start(&r);
	for (size_t i = 0; i < count; i++) {
		const row *x = &rows[i];
		char name[32];
		snprintf(name, sizeof name, "faults-%.20s", x->name);
		for (char *c = name; *c; c++) *c = *c == ' ' ? '-' : *c;
		const char *folder = unit_mkdir(name);
		hub_outcome o = hub_repo_pull(folder, &r, x->faults);
		bool said = !x->says || strstr(o.text, x->says) || strstr(o.notes, x->says);
		if (o.ok != (x->why == CKPT_HUB_FINE) || o.why != x->why || r.gets != x->gets || !said)
			printf("# %s: cause %d, %d requests, error: %s, remarks: %s\n", x->name, (int)o.why, r.gets, o.text, o.notes);
		CU_ASSERT_EQUAL(o.ok, x->why == CKPT_HUB_FINE);
		CU_ASSERT_EQUAL(o.why, x->why);
		CU_ASSERT_EQUAL(r.gets, x->gets);
		CU_ASSERT_TRUE(said);
		CU_ASSERT_PTR_NULL(strstr(o.text, "sesame"));
		CU_ASSERT_EQUAL(hub_repo_has_blob(folder, &r), o.ok);
		hub_repo_check(folder, &r);
		CU_ASSERT(o.transferred < 20 * HUB_SIZE);
		o = hub_repo_pull(folder, &r, NULL); /* the next clean pull succeeds at once */
		CU_ASSERT_TRUE(o.ok);
		CU_ASSERT_PTR_NULL(strstr(o.notes, "next try"));
		CU_ASSERT(r.gets <= 1 && hub_repo_has_blob(folder, &r));
		hub_repo_check(folder, &r);
	}
	hub_repo_stop(&r);
}

static void test_overcome(void)
{
	static const row rows[] = {
		{"cut", {cut}, CKPT_HUB_FINE, 2, "next try"},
		{"cut seven times", {cut, cut, cut, cut, cut, cut, cut}, CKPT_HUB_FINE, 8, NULL},
		{"no answer", {hang_up}, CKPT_HUB_FINE, 2, NULL},
		{"range ignored", {cut, ignore_range}, CKPT_HUB_FINE, 2, NULL},
		{"range ignored and cut", {cut, hang_up, ignore_range}, CKPT_HUB_FINE, 3, NULL},
		{"address expired", {cut, forbid}, CKPT_HUB_FINE, 3, NULL},
		{"ranges refused", {cut, forbid, forbid}, CKPT_HUB_FINE, 4, NULL},
		{"past the end", {cut, past_end}, CKPT_HUB_FINE, 3, NULL},
		{"one byte short", {shorter}, CKPT_HUB_FINE, 2, "the answer ends at byte 299999 of 300000"},
		{"busy", {busy, busy, busy, busy}, CKPT_HUB_FINE, 5, "503"},
		{"limited", {limit, cut, limit}, CKPT_HUB_FINE, 4, "429 (too many requests)"},
		{"bad chunks", {bad_chunks}, CKPT_HUB_FINE, 2, NULL},
		{"hostile headers", {hostile_headers}, CKPT_HUB_FINE, 1, NULL},
		{"a redirect that goes on", {to_itself_at_length, to_itself}, CKPT_HUB_FINE, 3, NULL},
	};
	run(rows, sizeof rows / sizeof *rows);
}

static void test_refused(void)
{
	static const row rows[] = {
		{"one bit", {flip}, CKPT_HUB_CORRUPT, 1, "has not the hash"},
		{"one bit after a cut", {cut, flip}, CKPT_HUB_CORRUPT, 2, "has not the hash"},
		{"always short", {shorter, shorter, shorter, shorter, shorter}, CKPT_HUB_CORRUPT, 4, "no more than 299999 of the 300000 bytes"},
		{"longer", {longer}, CKPT_HUB_CORRUPT, 1, "more than the 300000 bytes"},
		{"longer after a cut", {cut, longer}, CKPT_HUB_CORRUPT, 2, "more than the 300000 bytes"},
		{"endless", {endless}, CKPT_HUB_CORRUPT, 1, "more than the 300000 bytes"},
		{"endless error", {endless_error}, CKPT_HUB_ABSENT, 1, "no such file"},
		{"endless headers", {endless_headers}, CKPT_HUB_NETWORK, 1, "bytes of headers"},
		{"endless line", {endless_line, endless_line, endless_line, endless_line, endless_line}, CKPT_HUB_NETWORK, 5, NULL},
		{"gzip", {gzip}, CKPT_HUB_CORRUPT, 1, "gzip"},
		{"gzip after a cut", {cut, gzip}, CKPT_HUB_CORRUPT, 2, "gzip"},
		{"another range", {cut, other_range}, CKPT_HUB_CORRUPT, 2, "another range"},
		{"always busy", {busy, busy, busy, busy, busy}, CKPT_HUB_NETWORK, 5, "503"},
		{"always limited", {limit, limit, limit, limit, limit}, CKPT_HUB_NETWORK, 5, "limits the rate of requests (429)"},
		{"always cut at once", {hang_up, hang_up, hang_up, hang_up, hang_up}, CKPT_HUB_NETWORK, 5, NULL},
		{"always forbidden", {forbid}, CKPT_HUB_REFUSED, 1, "refused"},
		{"loop", {to_itself, to_itself, to_itself, to_itself, to_itself, to_itself, to_itself, to_itself, to_itself, to_itself, to_itself},
	     CKPT_HUB_NETWORK, 11, "too many redirects"},
		{"to nothing", {to_nothing}, CKPT_HUB_NETWORK, 1, "redirect to no usable address"},
		{"to a file", {to_a_file}, CKPT_HUB_OTHER, 1, "only https"},
		{"to a long address", {to_a_long_address}, CKPT_HUB_NETWORK, 1, "redirect to no usable address"},
		{"to plain http", {to_plain_http}, CKPT_HUB_OTHER, 1, "only https"},
		{"with a password", {with_a_password}, CKPT_HUB_OTHER, 1, "only https"},
	};
	run(rows, sizeof rows / sizeof *rows);
}

static void test_too_slow(void)
{
	static const row rows[] = {
		{"stall", {stall}, CKPT_HUB_FINE, 2, "too slow"},
		{"silence", {say_nothing}, CKPT_HUB_FINE, 2, "too slow"},
		{"drip", {drip}, CKPT_HUB_FINE, 2, "too slow"},
		{"slow but steady", {cut_late, trickle}, CKPT_HUB_FINE, 2, NULL},
	};
	setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1", 1);
	run(rows, sizeof rows / sizeof *rows);
	unsetenv("HF_HUB_DOWNLOAD_TIMEOUT");
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double stalled_at;

static void fast_then_stall(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from, "");
	unit_server_put(client, r->data + from, HUB_SIZE - from - 1);
	stalled_at = seconds();
	unit_server_wait(client, 20000);
	stalled_at = seconds() - stalled_at;
}

/* However fast it began, a stall is broken off after the time that is asked for, and not long after. */
static void test_stall_time(void)
{
	static const hub_fault faults[] = {fast_then_stall, NULL};
	hub_repo r;
	setenv("HF_HUB_DOWNLOAD_TIMEOUT", "2", 1);
	hub_repo_start(&r);
	hub_outcome o = hub_repo_pull(unit_mkdir("faults-stall-time"), &r, faults);
	hub_repo_stop(&r);
	unsetenv("HF_HUB_DOWNLOAD_TIMEOUT");
	CU_ASSERT(o.ok && r.gets == 2 && o.transferred == HUB_SIZE);
	if (stalled_at < 1.9 || stalled_at > 3) printf("# broken off after %.2f s\n", stalled_at);
	CU_ASSERT(stalled_at >= 1.9 && stalled_at <= 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.notes, "too slow: less than 1024 bytes a second came for 2 s; next try"));
}

/* ---- the Hub is away ---- */

static hub_outcome pull_away(const char *folder, const char *endpoint, const ckpt_hub_wish *wish, double *took)
{
	const ckpt_hub_id id = {.repo = "org/m"};
	hub_outcome out = {0};
	ckpt_error err = {0};
	ckpt_hub_result result = {0};
	const ckpt_hub_options options = {.cache_dir = folder, .endpoint = endpoint, .token = "", .note = hub_repo_note, .note_user = &out, .retry_ms = 200};
	ckpt_hub *hub = ckpt_hub_new(&options, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hub);
	*took = seconds();
	out.ok = ckpt_hub_pull(hub, &id, wish, &result, &err);
	*took = seconds() - *took;
	out.why = ckpt_hub_why(hub);
	snprintf(out.text, sizeof out.text, "%s", err.text);
	ckpt_hub_result_free(&result);
	ckpt_hub_free(hub);
	return out;
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, what)); at++) count++;
	return count;
}

/* What the cache has is used at once, with one remark; without it the Hub is asked with patience. */
static void test_away(void)
{
	static const char *const nowhere[] = {"http://127.0.0.1:1", "https://no-such-host.invalid"}, *const all[] = {"*"};
	const ckpt_hub_wish usual = {0}, whole = {.whole = true, .include = all, .include_count = 1}, force = {.force = true};
	const char *folder = unit_mkdir("faults-away");
	double took;
	hub_repo r;
	hub_repo_start(&r);
	CU_ASSERT_TRUE(hub_repo_pull(folder, &r, NULL).ok);
	hub_repo_stop(&r);
	for (size_t i = 0; i < 2; i++) {
		hub_outcome o = pull_away(folder, nowhere[i], &usual, &took);
		if (!o.ok || took > 2) printf("# %s: %.1f s, %s %s\n", nowhere[i], took, o.text, o.notes);
		CU_ASSERT(o.ok && count_of(o.notes, "\n") == 1 && strstr(o.notes, "the cache has commit " HUB_COMMIT ", which is used"));
		CU_ASSERT(i || took < 0.15); /* a name may take its time not to be found */
		CU_ASSERT_TRUE(pull_away(folder, nowhere[i], &whole, &took).ok);
	}
	hub_outcome o = pull_away(folder, nowhere[0], &force, &took);
	CU_ASSERT(!o.ok && o.why == CKPT_HUB_NETWORK && count_of(o.notes, "next try") == CKPT_HUB_TRIES - 1);
	/* a snapshot that its list shows not to be whole: good enough for a look, not for a pull */
	unlink(hub_repo_path(folder, "snapshots/" HUB_COMMIT "/model.safetensors"));
	o = pull_away(folder, nowhere[0], &usual, &took);
	CU_ASSERT(o.ok && strstr(o.notes, "the snapshot in the cache is not whole, it lacks 'model.safetensors'"));
	o = pull_away(folder, nowhere[0], &whole, &took);
	CU_ASSERT(!o.ok && o.why == CKPT_HUB_NETWORK && count_of(o.notes, "next try") == CKPT_HUB_TRIES - 1);
	setenv("HF_HUB_OFFLINE", "1", 1);
	o = pull_away(folder, nowhere[0], &whole, &took);
	CU_ASSERT(!o.ok && o.why == CKPT_HUB_OFFLINE && strstr(o.text, "org/m, model.safetensors at main is not in the cache"));
	unsetenv("HF_HUB_OFFLINE");
}

/* What came before a fault is not asked for again. */
static void test_goes_on(void)
{
	static const hub_fault faults[] = {cut, forbid, cut, NULL};
	hub_repo r;
	hub_repo_start(&r);
	hub_outcome o = hub_repo_pull(unit_mkdir("faults-on"), &r, faults);
	CU_ASSERT(o.ok && r.gets == 4 && o.transferred == HUB_SIZE);
	CU_ASSERT(!r.ranged[0] && r.from[1] == HUB_SIZE / 2 && r.from[2] == HUB_SIZE / 2 && r.from[3] == HUB_SIZE / 4 * 3);
	hub_repo_stop(&r);
}

/* ---- of which file a range is ---- */

static void cut_with(hub_repo *r, int client, uint64_t from, const char *header)
{
	hub_repo_head(client, from, HUB_SIZE - from, header);
	unit_server_put(client, r->data + from, (HUB_SIZE - from) / 2);
}

static void cut_strong(hub_repo *r, int client, uint64_t from)
{
	cut_with(r, client, from, "ETag: \"one\"\r\n");
}

static void cut_weak(hub_repo *r, int client, uint64_t from)
{
	cut_with(r, client, from, "ETag: W/\"one\"\r\n");
}

static void cut_dated(hub_repo *r, int client, uint64_t from)
{
	cut_with(r, client, from, "Last-Modified: Sun, 29 Nov 2026 17:00:00 GMT\r\n");
}

static void whole_of_another(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	hub_repo_head(client, 0, HUB_SIZE, "ETag: \"two\"\r\n");
	unit_server_put(client, r->data, HUB_SIZE);
}

/* What goes on behind a strong ETag asks for the whole when the file is another one by now. */
static void test_if_range(void)
{
	static const struct {
		hub_fault faults[4];
		int gets, conditions;
		uint64_t transferred;
	} rows[] = {
		{{cut_strong}, 2, 1, HUB_SIZE},
		{{cut_strong, cut_strong}, 3, 2, HUB_SIZE},
		{{cut_strong, whole_of_another}, 2, 1, HUB_SIZE / 2 + HUB_SIZE},
		{{cut_strong, cut_weak}, 3, 1, HUB_SIZE},
		{{cut_weak}, 2, 0, HUB_SIZE},
		{{cut_dated}, 2, 0, HUB_SIZE},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		hub_repo r;
		int conditions = 0;
		char name[32];
		hub_repo_start(&r);
		snprintf(name, sizeof name, "faults-range%zu", i);
		hub_outcome o = hub_repo_pull(unit_mkdir(name), &r, rows[i].faults);
		hub_repo_stop(&r);
		for (const char *at = r.http.log; (at = strstr(at, "If-Range: ")); at++) {
			conditions++;
			CU_ASSERT(strncmp(at, "If-Range: \"one\"\r\n", 17) == 0);
		}
		if (!o.ok || r.gets != rows[i].gets || conditions != rows[i].conditions || o.transferred != rows[i].transferred)
			printf("# row %zu: %d requests, %d conditions, %llu bytes, %s %s\n", i, r.gets, conditions, (unsigned long long)o.transferred, o.text,
			       o.notes);
		CU_ASSERT(o.ok && r.gets == rows[i].gets && conditions == rows[i].conditions && o.transferred == rows[i].transferred);
	}
}

/* ---- waits ---- */

static void wait_says(int client, const char *header)
{
	unit_server_say(client, "HTTP/1.1 429 Many\r\n%s\r\n" HUB_CLOSE "\r\n", header);
}

static void wait_ages(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "Retry-After: 1000000000");
}

static void wait_ages_by_rate(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "RateLimit: \"api\";r=0;t=9999999999");
}

static void wait_seconds(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "Retry-After: 4");
}

static void wait_overflow(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "Retry-After: 99999999999999999999999999");
}

static void wait_date(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT");
}

/* Whatever the server asks for, at most a minute is waited, which is said; and the user may stop meanwhile. */
static void test_waits(void)
{
	static const struct {
		hub_fault faults[2];
		const char *says;
	} rows[] = {
		{{wait_ages}, "next try in 60.0 s"},
		{{wait_ages_by_rate}, "next try in 60.0 s"},
		{{wait_seconds}, "next try in 5.0 s"},
		{{wait_overflow}, "next try in 0.0 s"},
		{{wait_date}, "next try in 0.0 s"},
	};
	hub_repo r;
	hub_repo_start(&r);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		time_t began = time(NULL);
		hub_outcome o = hub_repo_pull_with(unit_mkdir("faults-wait"), &r, rows[i].faults, true, false);
		if (!strstr(o.notes, rows[i].says)) printf("# row %zu: %s", i, o.notes);
		CU_ASSERT_PTR_NOT_NULL(strstr(o.notes, rows[i].says));
		CU_ASSERT(!o.ok && o.code == CKPT_E_CANCELLED && time(NULL) - began < 3);
	}
	hub_repo_stop(&r);
}

/* ---- lists that do not end ---- */

static void next_page(hub_repo *r, int client, const char *more)
{
	unit_server_say(client, "HTTP/1.1 200 OK\r\nLink: <%s/api/models/org/m/tree/" HUB_COMMIT "%s>; rel=\"next\"\r\n" HUB_CLOSE "\r\n[]",
	                r->http.url, more);
}

static void same_page(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	next_page(r, client, "?recursive=true&expand=false");
}

static void page_elsewhere(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\nLink: <http://localhost:%d/api/models/org/m/tree/" HUB_COMMIT ">; rel=\"next\"\r\n" HUB_CLOSE
	                "\r\n[]", r->http.port);
}

static void page_again(hub_repo *r, int client, uint64_t from)
{
	char more[32];
	(void)from;
	snprintf(more, sizeof more, "?cursor=%d", r->http.count);
	r->list_faults--; /* and once more */
	next_page(r, client, more);
}

static void test_lists(void)
{
	static const struct {
		hub_fault faults[2];
		ckpt_hub_cause why;
		const char *says;
	} rows[] = {
		{{same_page}, CKPT_HUB_CORRUPT, "no new page"},
		{{page_elsewhere}, CKPT_HUB_CORRUPT, "no new page"},
		{{page_again}, CKPT_HUB_CORRUPT, "no new page"},
		{{endless}, CKPT_HUB_NETWORK, "more than 67108864 bytes"},
		{{to_plain_http}, CKPT_HUB_OTHER, "only https"},
		{{gzip}, CKPT_HUB_CORRUPT, "gzip"},
		{{endless_headers}, CKPT_HUB_NETWORK, "bytes of headers"},
	};
	hub_repo r;
	hub_repo_start(&r);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *folder = unit_mkdir("faults-list");
		r.list_faults = rows[i].faults;
		hub_outcome o = hub_repo_pull(folder, &r, NULL);
		r.list_faults = NULL;
		if (o.ok || o.why != rows[i].why || !strstr(o.text, rows[i].says)) printf("# row %zu: %d, %s\n", i, (int)o.why, o.text);
		CU_ASSERT(!o.ok && o.why == rows[i].why && r.gets == 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(o.text, rows[i].says));
		CU_ASSERT_FALSE(unit_exists(hub_repo_path(folder, "")));
		CU_ASSERT(r.http.count < 2000);
	}
	hub_repo_stop(&r);
}

/* ---- the token ---- */

static void to_other_name(hub_repo *r, int client, uint64_t from)
{
	char where[128];
	(void)from;
	snprintf(where, sizeof where, "http://localhost:%d/other/name", r->http.port);
	redirect(client, where);
}

static void back_home(hub_repo *r, int client, uint64_t from)
{
	char where[128];
	(void)from;
	snprintf(where, sizeof where, "%s/home", r->http.url);
	redirect(client, where);
}

/* Of each request in the log: does it carry the token? */
static bool has_token(const char *log, const char *path)
{
	const char *here = strstr(log, path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(here);
	const char *end = strstr(here, "\r\n\r\n"), *token = strcasestr(here, "hf_secret");
	return token && token < end;
}

static void test_token(void)
{
	static const hub_fault faults[] = {to_other_name, back_home, NULL};
	hub_repo r;
	hub_repo_start(&r);
	hub_outcome o = hub_repo_pull(unit_mkdir("faults-token"), &r, faults);
	CU_ASSERT(o.ok && r.gets == 3);
	CU_ASSERT_TRUE(has_token(r.http.log, "GET /api/models/org/m/revision/main"));
	CU_ASSERT_TRUE(has_token(r.http.log, "GET /org/m/resolve/"));
	CU_ASSERT_FALSE(has_token(r.http.log, "GET /other/name")); /* the same port under another name */
	CU_ASSERT_TRUE(has_token(r.http.log, "GET /home"));
	hub_repo_stop(&r);
}

static const unit_case cases[] = {
	{"faults that are overcome", test_overcome},
	{"faults that are not leave nothing under a final name", test_refused},
	{"stalls and slow drips", test_too_slow},
	{"a stall is broken off in time", test_stall_time},
	{"the Hub is away", test_away},
	{"what came is not asked for again", test_goes_on},
	{"ranges of the same file", test_if_range},
	{"waits are bounded and said", test_waits},
	{"lists without end or elsewhere", test_lists},
	{"the token stays with its origin", test_token},
	{0},
};
const unit_suite unit_hub_faults = {"hub_faults", cases};
