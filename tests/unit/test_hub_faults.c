/* test_hub_faults.c -- pulling from servers that fail, stall, lie, never end or send elsewhere, and being killed meanwhile */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../lib/hash.h"
#include "../../lib/hub/inner.h"
#include "files.h"
#include "server.h"
#include "unit.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define REPO "models--org--m"
#define CLOSE "Connection: close\r\n"

enum { SIZE = 300000, FAULTS = 12 };

/* ---- a repository of one file, whose server does what it is told ---- */

typedef struct repo repo;
/* Answers a request for the file from byte `from` on. */
typedef void (*fault)(repo *r, int client, uint64_t from);

struct repo {
	unit_server http;
	unsigned char data[SIZE];
	char hash[65];
	const fault *faults; /* one for each request of the file; NULL: all is well from there on */
	const fault *elsewhere; /* the same for the list of files */
	int gets;            /* requests of the file, with where they begin */
	uint64_t from[64];
	bool ranged[64];
};

static void head(int client, uint64_t from, uint64_t length, const char *more)
{
	if (from)
		unit_server_say(client, "HTTP/1.1 206 Part\r\nContent-Range: bytes %llu-%d/%d\r\nContent-Length: %llu\r\n%s" CLOSE "\r\n",
		                (unsigned long long)from, SIZE - 1, SIZE, (unsigned long long)length, more);
	else
		unit_server_say(client, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n%s" CLOSE "\r\n", (unsigned long long)length, more);
}

static void well(repo *r, int client, uint64_t from)
{
	head(client, from, SIZE - from, "");
	unit_server_put(client, r->data + from, SIZE - from);
}

static void serve(unit_server *http, int client, int number, const char *request)
{
	repo *r = http->user;
	unsigned long long from = 0;
	(void)number;
	if (!strncmp(request, "GET /api/models/org/m/revision/main ", 36)) {
		unit_server_say(client, "HTTP/1.1 200 OK\r\n" CLOSE "\r\n{\"sha\":\"" COMMIT "\"}");
	} else if (!strncmp(request, "GET /api/models/org/m/tree/" COMMIT, 67)) {
		if (r->elsewhere && *r->elsewhere)
			(*r->elsewhere++)(r, client, 0);
		else
			unit_server_say(client, "HTTP/1.1 200 OK\r\n" CLOSE "\r\n[{\"type\":\"file\",\"path\":\"model.safetensors\",\"size\":%d,\"oid\":"
			                "\"" COMMIT "\",\"lfs\":{\"oid\":\"%s\",\"size\":%d}}]", SIZE, r->hash, SIZE);
	} else {
		const char *range = strstr(request, "Range: bytes=");
		if (range) sscanf(range, "Range: bytes=%llu-", &from);
		if (r->gets < 64) {
			r->from[r->gets] = from;
			r->ranged[r->gets] = range;
		}
		r->gets++;
		if (r->faults && *r->faults)
			(*r->faults++)(r, client, from);
		else
			well(r, client, from);
	}
}

static void repo_start(repo *r)
{
	uint8_t digest[32];
	*r = (repo){0};
	for (size_t i = 0; i < SIZE; i++) r->data[i] = (unsigned char)(i * 2654435761u >> 13);
	ckpt_sha256 *h = ckpt_sha256_new(NULL);
	CU_ASSERT_FATAL(h && ckpt_sha256_update(h, r->data, SIZE, NULL) && ckpt_sha256_final(h, digest, NULL));
	ckpt_sha256_free(h);
	ckpt_hex(digest, 32, r->hash);
	unit_server_start(&r->http, serve, r);
}

/* ---- one pull ---- */

typedef struct outcome {
	bool ok, stop; /* stop: progress says so once a note with a wait of a minute came */
	ckpt_hub_cause why;
	ckpt_code code;
	char text[CKPT_ERROR_TEXT], notes[8192];
	uint64_t transferred;
} outcome;

static void note(void *user, const char *text)
{
	outcome *o = user;
	size_t n = strlen(o->notes);
	snprintf(o->notes + n, sizeof o->notes - n, "%s\n", text);
}

static bool progress(void *user, uint64_t done, uint64_t total)
{
	const outcome *o = user;
	(void)done, (void)total;
	return !o->stop || !*o->notes;
}

static outcome pull_with(const char *folder, repo *r, const fault *faults, bool stop, bool force)
{
	const ckpt_hub_wish wish = {.force = force};
	const ckpt_hub_id id = {.repo = "org/m"};
	outcome out = {.stop = stop};
	ckpt_error err = {0};
	ckpt_hub_result result = {0};
	r->faults = faults;
	r->gets = 0;
	const ckpt_hub_options options = {.cache_dir = folder, .endpoint = r->http.url, .token = "hf_secret", .retry_ms = 1,
	                                  .note = note, .note_user = &out, .progress = progress, .user = &out};
	ckpt_hub *hub = ckpt_hub_new(&options, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hub);
	out.ok = ckpt_hub_pull(hub, &id, &wish, &result, &err);
	out.why = ckpt_hub_why(hub);
	out.code = err.code;
	out.transferred = ckpt_hub_transferred(hub);
	snprintf(out.text, sizeof out.text, "%s", err.text);
	ckpt_hub_result_free(&result);
	ckpt_hub_free(hub);
	return out;
}

static outcome pull(const char *folder, repo *r, const fault *faults)
{
	return pull_with(folder, r, faults, false, false);
}

static bool holds_data(const char *path, const repo *r)
{
	size_t length = 0;
	char *found = unit_read(path, &length);
	bool same = found && length == SIZE && memcmp(found, r->data, SIZE) == 0;
	free(found);
	return same;
}

static const char *in_cache(const char *folder, const char *name)
{
	static char path[4096];
	snprintf(path, sizeof path, "%s/" REPO "/%s", folder, name);
	return path;
}

static bool blob_there(const char *folder, const repo *r)
{
	char name[128];
	snprintf(name, sizeof name, "blobs/%s", r->hash);
	return unit_exists(in_cache(folder, name));
}

/* A final name stands for the right content or for none at all, in each place that has one. */
static void check_names(const char *folder, const repo *r)
{
	char name[200];
	size_t length = 0;
	if (blob_there(folder, r)) {
		snprintf(name, sizeof name, "blobs/%s", r->hash);
		CU_ASSERT_TRUE(holds_data(in_cache(folder, name), r));
	}
	const char *link = in_cache(folder, "snapshots/" COMMIT "/model.safetensors");
	if (unit_exists(link)) CU_ASSERT_TRUE(holds_data(link, r));
	char *ref = unit_read(in_cache(folder, "refs/main"), &length);
	if (ref) {
		CU_ASSERT_STRING_EQUAL(ref, COMMIT);
		CU_ASSERT_TRUE(unit_exists(in_cache(folder, "snapshots/" COMMIT)));
	}
	free(ref);
	DIR *d = opendir(in_cache(folder, "blobs"));
	for (struct dirent *e; d && (e = readdir(d));) {
		bool fine = *e->d_name == '.' || !strncmp(e->d_name, r->hash, 64);
		if (!fine) printf("# %s in blobs\n", e->d_name);
		CU_ASSERT_TRUE(fine);
	}
	if (d) closedir(d);
	d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		static const char *const known[] = {".", "..", ".locks", "CACHEDIR.TAG", REPO};
		bool fine = false;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++) fine = fine || !strcmp(e->d_name, known[i]);
		if (!fine) printf("# %s in the cache\n", e->d_name);
		CU_ASSERT_TRUE(fine);
	}
	if (d) closedir(d);
}

/* ---- faults ---- */

static void cut(repo *r, int client, uint64_t from)
{
	head(client, from, SIZE - from, "");
	unit_server_put(client, r->data + from, (SIZE - from) / 2);
}

static void cut_late(repo *r, int client, uint64_t from)
{
	head(client, from, SIZE - from, "");
	if (from < SIZE - 6000) unit_server_put(client, r->data + from, SIZE - 6000 - from);
}

static void hang_up(repo *r, int client, uint64_t from)
{
	(void)r, (void)client, (void)from;
}

static void stall(repo *r, int client, uint64_t from)
{
	head(client, from, SIZE - from, "");
	unit_server_put(client, r->data + from, 500);
	unit_server_wait(client, 20000);
}

static void say_nothing(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_wait(client, 20000);
}

/* Bytes of a step of 50 ms; then nothing more is held back. */
static void in_steps(repo *r, int client, uint64_t from, size_t step)
{
	head(client, from, SIZE - from, "");
	for (size_t at = from; at < SIZE; at += step) {
		if (!unit_server_put(client, r->data + at, SIZE - at < step ? SIZE - at : step) || !unit_server_wait(client, 50)) return;
	}
}

static void drip(repo *r, int client, uint64_t from)
{
	in_steps(r, client, from, 10);
}

static void trickle(repo *r, int client, uint64_t from)
{
	in_steps(r, client, from, 200);
}

static void ignore_range(repo *r, int client, uint64_t from)
{
	(void)from;
	well(r, client, 0);
}

static void forbid(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 403 Forbidden\r\n" CLOSE "\r\n<Error>Request has expired</Error>");
}

static void past_end(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 416 Range\r\nContent-Range: bytes */3\r\n" CLOSE "\r\n");
}

static void busy(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 503 Busy\r\n" CLOSE "\r\n");
}

static void limit(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 429 Many\r\nRetry-After: -1\r\nRateLimit: \"api\";r=0;t=-5\r\n" CLOSE "\r\n");
}

static void bad_chunks(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" CLOSE "\r\nfffffffffffffffffff\r\nx");
}

static void flip(repo *r, int client, uint64_t from)
{
	unsigned char wrong = (unsigned char)(r->data[SIZE - 1] ^ 1);
	head(client, from, SIZE - from, "");
	unit_server_put(client, r->data + from, SIZE - 1 - from);
	unit_server_put(client, &wrong, 1);
}

static void shorter(repo *r, int client, uint64_t from)
{
	if (from) return past_end(r, client, from);
	head(client, 0, SIZE - 1, "");
	unit_server_put(client, r->data, SIZE - 1);
}

static void longer(repo *r, int client, uint64_t from)
{
	head(client, from, SIZE - from + 1, "");
	unit_server_put(client, r->data + from, SIZE - from);
	unit_server_put(client, "x", 1);
}

static void other_range(repo *r, int client, uint64_t from)
{
	head(client, from + 1, SIZE - from - 1, "");
	unit_server_put(client, r->data + from + 1, SIZE - from - 1);
}

static void endless(repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\n" CLOSE "\r\n");
	while (unit_server_put(client, r->data, SIZE)) continue;
}

static void endless_error(repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 404 No\r\nX-Error-Code: EntryNotFound\r\n" CLOSE "\r\n");
	while (unit_server_put(client, r->data, SIZE)) continue;
}

static void endless_headers(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\n");
	while (unit_server_say(client, "X-More: and more and more and more and more and more and more\r\n")) continue;
}

static void endless_line(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\nX-More: ");
	while (unit_server_say(client, "and more and more and more and more and more and more and more ")) continue;
}

static void gzip(repo *r, int client, uint64_t from)
{
	head(client, from, SIZE - from, "Content-Encoding: gzip\r\n");
	unit_server_put(client, r->data + from, SIZE - from);
}

/* Names that would lead out of the cache, were they made of what the server says. */
static void hostile_headers(repo *r, int client, uint64_t from)
{
	head(client, from, SIZE - from, "ETag: \"../../../../evil\"\r\nX-Linked-Etag: \"../../../../evil\"\r\nX-Linked-Size: 7\r\n"
	                                "X-Repo-Commit: ../../evil\r\nContent-Disposition: attachment; filename=../../evil\r\n");
	unit_server_put(client, r->data + from, SIZE - from);
}

static void redirect(int client, const char *where)
{
	unit_server_say(client, "HTTP/1.1 302 Found\r\nLocation: %s\r\n" CLOSE "\r\n", where);
}

static void to_itself(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	redirect(client, "/org/m/resolve/" COMMIT "/model.safetensors");
}

static void to_itself_at_length(repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 302 Found\r\nLocation: ?next\r\n" CLOSE "\r\n");
	while (unit_server_put(client, r->data, SIZE)) continue;
}

static void to_nothing(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	redirect(client, "");
}

static void to_a_file(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	redirect(client, "file:///etc/passwd");
}

static void to_a_long_address(repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 302 Found\r\nLocation: https://example.com/");
	for (int i = 0; i < 90000; i += 100) {
		char letters[101];
		snprintf(letters, sizeof letters, "%0100d", r->gets);
		if (!unit_server_put(client, letters, 100)) return;
	}
	unit_server_say(client, "\r\n" CLOSE "\r\n");
}

static void to_plain_http(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	redirect(client, "http://example.com/model.safetensors");
}

static void with_a_password(repo *r, int client, uint64_t from)
{
	char text[128];
	(void)from;
	snprintf(text, sizeof text, "http://user:sesame@127.0.0.1:%d/", r->http.port);
	redirect(client, text);
}

typedef struct row {
	const char *name;
	fault faults[FAULTS];
	ckpt_hub_cause why;
	int gets;         /* requests of the file */
	const char *says; /* somewhere in the error or the remarks */
} row;

static void run(const row *rows, size_t count)
{
	repo r;
	repo_start(&r);
	for (size_t i = 0; i < count; i++) {
		const row *x = &rows[i];
		char name[32];
		snprintf(name, sizeof name, "faults-%.20s", x->name);
		for (char *c = name; *c; c++) *c = *c == ' ' ? '-' : *c;
		const char *folder = unit_mkdir(name);
		outcome o = pull(folder, &r, x->faults);
		bool said = !x->says || strstr(o.text, x->says) || strstr(o.notes, x->says);
		if (o.ok != (x->why == CKPT_HUB_FINE) || o.why != x->why || r.gets != x->gets || !said)
			printf("# %s: cause %d, %d requests, error: %s, remarks: %s\n", x->name, (int)o.why, r.gets, o.text, o.notes);
		CU_ASSERT_EQUAL(o.ok, x->why == CKPT_HUB_FINE);
		CU_ASSERT_EQUAL(o.why, x->why);
		CU_ASSERT_EQUAL(r.gets, x->gets);
		CU_ASSERT_TRUE(said);
		CU_ASSERT_PTR_NULL(strstr(o.text, "sesame"));
		CU_ASSERT_EQUAL(blob_there(folder, &r), o.ok);
		check_names(folder, &r);
		CU_ASSERT(o.transferred < 20 * SIZE);
		o = pull(folder, &r, NULL); /* the next clean pull succeeds at once */
		CU_ASSERT_TRUE(o.ok);
		CU_ASSERT_PTR_NULL(strstr(o.notes, "next try"));
		CU_ASSERT(r.gets <= 1 && blob_there(folder, &r));
		check_names(folder, &r);
	}
	unit_server_stop(&r.http);
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

/* What came before a fault is not asked for again. */
static void test_goes_on(void)
{
	static const fault faults[] = {cut, forbid, cut, NULL};
	repo r;
	repo_start(&r);
	outcome o = pull(unit_mkdir("faults-on"), &r, faults);
	CU_ASSERT(o.ok && r.gets == 4 && o.transferred == SIZE);
	CU_ASSERT(!r.ranged[0] && r.from[1] == SIZE / 2 && r.from[2] == SIZE / 2 && r.from[3] == SIZE / 4 * 3);
	unit_server_stop(&r.http);
}

/* ---- waits ---- */

static void wait_says(int client, const char *header)
{
	unit_server_say(client, "HTTP/1.1 429 Many\r\n%s\r\n" CLOSE "\r\n", header);
}

static void wait_ages(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "Retry-After: 1000000000");
}

static void wait_ages_by_rate(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "RateLimit: \"api\";r=0;t=9999999999");
}

static void wait_seconds(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "Retry-After: 4");
}

static void wait_overflow(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "Retry-After: 99999999999999999999999999");
}

static void wait_date(repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	wait_says(client, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT");
}

/* Whatever the server asks for, at most a minute is waited, which is said; and the user may stop meanwhile. */
static void test_waits(void)
{
	static const struct {
		fault faults[2];
		const char *says;
	} rows[] = {
		{{wait_ages}, "next try in 60.0 s"},
		{{wait_ages_by_rate}, "next try in 60.0 s"},
		{{wait_seconds}, "next try in 5.0 s"},
		{{wait_overflow}, "next try in 0.0 s"},
		{{wait_date}, "next try in 0.0 s"},
	};
	repo r;
	repo_start(&r);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		time_t began = time(NULL);
		outcome o = pull_with(unit_mkdir("faults-wait"), &r, rows[i].faults, true, false);
		if (!strstr(o.notes, rows[i].says)) printf("# row %zu: %s", i, o.notes);
		CU_ASSERT_PTR_NOT_NULL(strstr(o.notes, rows[i].says));
		CU_ASSERT(!o.ok && o.code == CKPT_E_CANCELLED && time(NULL) - began < 3);
	}
	unit_server_stop(&r.http);
}

/* ---- lists that do not end ---- */

static void next_page(repo *r, int client, const char *more)
{
	unit_server_say(client, "HTTP/1.1 200 OK\r\nLink: <%s/api/models/org/m/tree/" COMMIT "%s>; rel=\"next\"\r\n" CLOSE "\r\n[]",
	                r->http.url, more);
}

static void same_page(repo *r, int client, uint64_t from)
{
	(void)from;
	next_page(r, client, "?recursive=true&expand=false");
}

static void page_elsewhere(repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\nLink: <http://localhost:%d/api/models/org/m/tree/" COMMIT ">; rel=\"next\"\r\n" CLOSE
	                "\r\n[]", r->http.port);
}

static void page_again(repo *r, int client, uint64_t from)
{
	char more[32];
	(void)from;
	snprintf(more, sizeof more, "?cursor=%d", r->http.count);
	r->elsewhere--; /* and once more */
	next_page(r, client, more);
}

static void test_lists(void)
{
	static const struct {
		fault faults[2];
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
	repo r;
	repo_start(&r);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *folder = unit_mkdir("faults-list");
		r.elsewhere = rows[i].faults;
		outcome o = pull(folder, &r, NULL);
		r.elsewhere = NULL;
		if (o.ok || o.why != rows[i].why || !strstr(o.text, rows[i].says)) printf("# row %zu: %d, %s\n", i, (int)o.why, o.text);
		CU_ASSERT(!o.ok && o.why == rows[i].why && r.gets == 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(o.text, rows[i].says));
		CU_ASSERT_FALSE(unit_exists(in_cache(folder, "")));
		CU_ASSERT(r.http.count < 2000);
	}
	unit_server_stop(&r.http);
}

/* ---- the token ---- */

static void to_other_name(repo *r, int client, uint64_t from)
{
	char where[128];
	(void)from;
	snprintf(where, sizeof where, "http://localhost:%d/other/name", r->http.port);
	redirect(client, where);
}

static void back_home(repo *r, int client, uint64_t from)
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
	static const fault faults[] = {to_other_name, back_home, NULL};
	repo r;
	repo_start(&r);
	outcome o = pull(unit_mkdir("faults-token"), &r, faults);
	CU_ASSERT(o.ok && r.gets == 3);
	CU_ASSERT_TRUE(has_token(r.http.log, "GET /api/models/org/m/revision/main"));
	CU_ASSERT_TRUE(has_token(r.http.log, "GET /org/m/resolve/"));
	CU_ASSERT_FALSE(has_token(r.http.log, "GET /other/name")); /* the same port under another name */
	CU_ASSERT_TRUE(has_token(r.http.log, "GET /home"));
	unit_server_stop(&r.http);
}

/* ---- several at once, links of others ---- */

/* Another process holds the lock; once this one says that it waits, the other one's file is there. */
typedef struct other {
	outcome o;
	const char *folder;
	const repo *r;
	int lock;
} other;

static void finish_other(void *user, const char *text)
{
	other *x = user;
	char path[4096];
	note(&x->o, text);
	if (!strstr(text, "waiting for it")) return;
	snprintf(path, sizeof path, "%s/" REPO "/blobs/%s", x->folder, x->r->hash);
	FILE *f = fopen(path, "wb");
	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT(fwrite(x->r->data, 1, SIZE, f) == SIZE && fclose(f) == 0);
	flock(x->lock, LOCK_UN);
}

static void test_lock(void)
{
	const char *folder = unit_mkdir("faults-lock");
	const ckpt_hub_wish wish = {0};
	const ckpt_hub_id id = {.repo = "org/m"};
	char path[4096];
	repo r;
	ckpt_error err = {0};
	ckpt_hub_result result;
	repo_start(&r);
	snprintf(path, sizeof path, "%s/.locks/" REPO "/%s.lock", folder, r.hash);
	CU_ASSERT_TRUE_FATAL(ckpt_hub_make_folders(path, false, NULL));
	other x = {.folder = folder, .r = &r, .lock = open(path, O_RDWR | O_CREAT, 0664)};
	CU_ASSERT_FATAL(x.lock >= 0 && flock(x.lock, LOCK_EX) == 0);
	const ckpt_hub_options options = {.cache_dir = folder, .endpoint = r.http.url, .token = "", .note = finish_other, .note_user = &x};
	ckpt_hub *hub = ckpt_hub_new(&options, NULL);
	CU_ASSERT_TRUE(ckpt_hub_pull(hub, &id, &wish, &result, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(x.o.notes, "waiting for it"));
	CU_ASSERT_EQUAL(r.gets, 0);
	check_names(folder, &r);
	ckpt_hub_result_free(&result);
	ckpt_hub_free(hub);
	close(x.lock);
	unit_server_stop(&r.http);
}

/* blobs/HASH -> ../../blobs/xx/NAME, a store that several repositories share: read through, never written through. */
static void test_shared_store(void)
{
	const char *folder = unit_mkdir("faults-store");
	char blob[4096], payload[4096], target[128];
	size_t length;
	repo r;
	repo_start(&r);
	snprintf(payload, sizeof payload, "%s/blobs/ab/abcd", folder);
	snprintf(blob, sizeof blob, "%s/" REPO "/blobs/%s", folder, r.hash);
	CU_ASSERT_FATAL(ckpt_hub_make_folders(payload, false, NULL) && ckpt_hub_make_folders(blob, false, NULL));
	for (int round = 0; round < 3; round++) { /* whole, asked for again, of another size */
		unlink(blob);
		unlink(payload);
		FILE *f = fopen(payload, "wb");
		CU_ASSERT_FATAL(f != NULL);
		CU_ASSERT(fwrite(r.data, 1, round < 2 ? SIZE : SIZE - 1, f) && fclose(f) == 0 && chmod(payload, 0444) == 0);
		CU_ASSERT_FATAL(symlink("../../blobs/ab/abcd", blob) == 0);
		outcome o = pull_with(folder, &r, NULL, false, round == 1);
		CU_ASSERT_TRUE(o.ok);
		CU_ASSERT_EQUAL(r.gets, round > 0);
		CU_ASSERT_EQUAL(readlink(blob, target, sizeof target) > 0, round == 0);
		CU_ASSERT_TRUE(holds_data(in_cache(folder, "snapshots/" COMMIT "/model.safetensors"), &r));
		char *found = unit_read(payload, &length);
		CU_ASSERT(found && length == (round < 2 ? SIZE : SIZE - 1) && memcmp(found, r.data, length) == 0);
		free(found);
	}
	unit_server_stop(&r.http);
}

/* ---- killed ---- */

static void in_bursts(repo *r, int client, uint64_t from)
{
	struct timespec step = {.tv_nsec = 1000000};
	head(client, from, SIZE - from, "");
	for (size_t at = from; at < SIZE; at += 10000) {
		if (!unit_server_put(client, r->data + at, SIZE - at < 10000 ? SIZE - at : 10000)) return;
		nanosleep(&step, NULL);
	}
}

static void test_killed(void)
{
	enum { ROUNDS = 40, FRESH = 4 };
	static const fault faults[] = {in_bursts, NULL};
	const char *folder = unit_mkdir("faults-killed");
	uint64_t state = 12345;
	int killed = 0, resumed = 0;
	repo r;
	repo_start(&r);
	for (int round = 0; round < ROUNDS; round++) {
		r.faults = faults; /* here, where the server is; what the child sets is the child's */
		pid_t child = fork();
		CU_ASSERT_FATAL(child >= 0);
		if (child == 0) _exit(!pull(folder, &r, NULL).ok);
		state = state * 6364136223846793005u + 1442695040888963407u;
		struct timespec wait = {.tv_nsec = (long)(state >> 33) % 30000000};
		nanosleep(&wait, NULL);
		int status = 0;
		kill(child, SIGKILL);
		CU_ASSERT_FATAL(waitpid(child, &status, 0) == child);
		killed += WIFSIGNALED(status);
		check_names(folder, &r);
		if (round % FRESH != FRESH - 1) continue;
		for (int i = 0; i < r.gets && i < 64; i++) resumed += r.from[i] > 0;
		outcome o = pull(folder, &r, NULL);
		CU_ASSERT_TRUE(o.ok);
		resumed += r.gets == 1 && r.from[0] > 0;
		r.gets = 0;
		CU_ASSERT_TRUE(holds_data(in_cache(folder, "snapshots/" COMMIT "/model.safetensors"), &r));
		check_names(folder, &r);
		char name[128];
		snprintf(name, sizeof name, "blobs/%s", r.hash);
		unlink(in_cache(folder, "snapshots/" COMMIT "/model.safetensors"));
		unlink(in_cache(folder, name));
	}
	if (killed <= ROUNDS / 4 || !resumed) printf("# %d of %d killed, %d resumed\n", killed, ROUNDS, resumed);
	CU_ASSERT(killed > ROUNDS / 4);
	CU_ASSERT(resumed > 0);
	unit_server_stop(&r.http);
}

static const unit_case cases[] = {
	{"faults that are overcome", test_overcome},
	{"faults that are not leave nothing under a final name", test_refused},
	{"stalls and slow drips", test_too_slow},
	{"what came is not asked for again", test_goes_on},
	{"waits are bounded and said", test_waits},
	{"lists without end or elsewhere", test_lists},
	{"the token stays with its origin", test_token},
	{"another process downloads the same", test_lock},
	{"a store that repositories share", test_shared_store},
	{"killed at random moments", test_killed},
	{0},
};
const unit_suite unit_hub_faults = {"hub_faults", cases};
