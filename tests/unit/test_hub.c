/* test_hub.c -- names of the Hub, lists of files, and pulling from a small server in this process */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../lib/hub/inner.h"
#include "files.h"
#include "server.h"
#include "unit.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define SHA1_HELLO "ce013625030ba8dba906f756967f9e9ca394464a" /* git hash-object of "hello\n" */
#define SHA256_HELLO "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

/* ---- names ---- */

static void test_names(void)
{
	static const struct {
		const char *text, *repo, *revision, *file; /* repo NULL: refused */
	} rows[] = {
		{"bert-base-cased", "bert-base-cased", "", ""},
		{"org/name", "org/name", "", ""},
		{"org/na.me_1@v1", "org/na.me_1", "v1", ""},
		{"name@refs/pr/1", "name", "refs/pr/1", ""},
		{"org/name@refs/pr/1", "org/name", "refs/pr/1", ""},
		{"hf://org/name", "org/name", "", ""},
		{"hf://models/org/name/a/b.json", "org/name", "", "a/b.json"},
		{"hf://org/name@refs/pr/1/b.json", "org/name", "refs/pr/1", "b.json"},
		{"hf://org/name@a%2Fb/c", "org/name", "a/b", "c"},
		{"https://h.co/org/name", "org/name", "", ""},
		{"https://h.co/org/name/tree/dev", "org/name", "dev", ""},
		{"https://h.co/org/name/resolve/main/x/y.bin?download=true", "org/name", "main", "x/y.bin"},
		{"https://h.co.evil.org/org/name", NULL, "", ""},
		{"https://other/org/name", NULL, "", ""},
		{"hf://datasets/org/name", NULL, "", ""},
		{"datasets/org/name", NULL, "", ""},
		{"a/b/c", NULL, "", ""},
		{"", NULL, "", ""},
		{"..", NULL, "", ""},
		{"../x", NULL, "", ""},
		{"a/..", NULL, "", ""},
		{"a--b", NULL, "", ""},
		{"-a", NULL, "", ""},
		{"a.git", NULL, "", ""},
		{"a b", NULL, "", ""},
		{"a@", NULL, "", ""},
		{"a@../b", NULL, "", ""},
		{"a@b?c", NULL, "", ""},
		{"hf://a/b/../c", NULL, "", ""},
		{"hf://a/b//c", NULL, "", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ckpt_hub_id id = {0};
		ckpt_error err = {0};
		bool ok = ckpt_hub_parse(rows[i].text, "https://h.co", &id, &err);
		if (ok != (rows[i].repo != NULL)) printf("# '%s': %s\n", rows[i].text, ok ? id.repo : err.text);
		CU_ASSERT_EQUAL(ok, rows[i].repo != NULL);
		if (!ok || !rows[i].repo) continue;
		CU_ASSERT_STRING_EQUAL(id.repo, rows[i].repo);
		CU_ASSERT_STRING_EQUAL(id.revision, rows[i].revision);
		CU_ASSERT_STRING_EQUAL(id.file, rows[i].file);
	}
}

static void test_other_kinds(void)
{
	ckpt_hub_id id;
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_hub_parse("spaces/org/name", "https://h.co", &id, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is no model"));
	CU_ASSERT_TRUE(ckpt_hub_parse("datasets/name", "https://h.co", &id, &err)); /* somebody may be called so */
}

static void test_origins(void)
{
	ckpt_hub_options o = {.endpoint = "https://h.co", .token = ""};
	ckpt_hub *hub = ckpt_hub_new(&o, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hub);
	static const char *const fine[] = {"https://h.co/x", "http://127.0.0.1:8/x", "http://localhost/x", "http://[::1]:9/"};
	static const char *const bad[] = {"http://h.co/", "ftp://h.co/", "file:///etc/passwd", "https://user:pass@h.co/", "gopher://x",
	                                  "", "http://127.0.0.1.evil.org/", "http://127.evil.org/"};
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) CU_ASSERT_TRUE(ckpt_http_allowed(hub, fine[i], NULL));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CU_ASSERT_FALSE(ckpt_http_allowed(hub, bad[i], NULL));
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_http_allowed(hub, "https://user:pass@h.co/", &err));
	CU_ASSERT_PTR_NULL(strstr(err.text, "pass"));
	CU_ASSERT_TRUE(ckpt_http_may_follow("https://h.co/a", "https://cdn.co/b"));
	CU_ASSERT_TRUE(ckpt_http_may_follow("http://127.0.0.1:8/a", "http://localhost:9/b"));
	CU_ASSERT_FALSE(ckpt_http_may_follow("https://h.co/a", "http://127.0.0.1:8/b"));
	CU_ASSERT_FALSE(ckpt_http_may_follow("https://h.co/a", "https://[::1]/b"));
	CU_ASSERT_TRUE(ckpt_http_same_origin("https://h.co/a", "https://H.CO:443/b"));
	CU_ASSERT_FALSE(ckpt_http_same_origin("https://h.co/a", "http://h.co/a"));
	CU_ASSERT_FALSE(ckpt_http_same_origin("https://h.co/a", "https://h.co:444/a"));
	CU_ASSERT_FALSE(ckpt_http_same_origin("https://h.co/a", "https://cdn.h.co/a"));
	ckpt_hub_free(hub);
}

/* ---- lists of files ---- */

static bool page(const char *text, ckpt_hub_listing *l)
{
	return ckpt_hub_list_page(l, text, strlen(text), NULL);
}

static void test_lists(void)
{
	static const char *const bad[] = {
		"", "{}", "[1]", "[{\"type\":\"file\"}]",
		"[{\"type\":\"file\",\"path\":\"../x\",\"size\":1,\"oid\":\"" SHA1_HELLO "\"}]",
		"[{\"type\":\"file\",\"path\":\"a/.git/x\",\"size\":1,\"oid\":\"" SHA1_HELLO "\"}]",
		"[{\"type\":\"file\",\"path\":\"x\",\"size\":-1,\"oid\":\"" SHA1_HELLO "\"}]",
		"[{\"type\":\"file\",\"path\":\"x\",\"size\":18446744073709551615,\"oid\":\"" SHA1_HELLO "\"}]",
		"[{\"type\":\"file\",\"path\":\"x\",\"size\":1,\"oid\":\"../../x\"}]",
		"[{\"type\":\"file\",\"path\":\"x\",\"size\":1,\"oid\":\"" SHA1_HELLO "\",\"lfs\":{\"oid\":\"" SHA1_HELLO "\",\"size\":5}}]",
	};
	ckpt_hub_listing l = {0};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CU_ASSERT_FALSE(page(bad[i], &l));
	CU_ASSERT_TRUE(page("[]", &l));
	CU_ASSERT_EQUAL(l.count, 0);
	CU_ASSERT_TRUE_FATAL(page("[{\"type\":\"directory\",\"path\":\"a\",\"size\":0,\"oid\":\"x\"},{\"type\":\"file\",\"path\":\"a/x\","
	                          "\"size\":134,\"oid\":\"" SHA1_HELLO "\",\"lfs\":{\"oid\":\"" SHA256_HELLO "\",\"size\":5000000000}}]", &l));
	CU_ASSERT_EQUAL_FATAL(l.count, 1);
	CU_ASSERT_EQUAL(l.entries[0].size, 5000000000u);
	CU_ASSERT_STRING_EQUAL(l.entries[0].hash, SHA256_HELLO);
	ckpt_hub_listing_free(&l);
}

/* ---- a server of a few answers ---- */

typedef struct answer {
	const char *path; /* begins the request's path */
	const char *text; /* the whole answer */
} answer;

/* Answers in their order; each is given once. */
typedef struct script {
	const answer *answers;
	int count;
} script;

static void play(unit_server *s, int client, int number, const char *request)
{
	const script *x = s->user;
	const answer *a = number < x->count ? &x->answers[number] : NULL;
	bool fits = a && strncmp(request, "GET ", 4) == 0 && strncmp(request + 4, a->path, strlen(a->path)) == 0;
	const char *text = fits ? a->text : "HTTP/1.1 400 Unexpected\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	unit_server_put(client, text, strlen(text));
}

#define CLOSE "Connection: close\r\n"
#define INFO {"/api/models/org/m/revision/main", "HTTP/1.1 200 OK\r\n" CLOSE "\r\n{\"sha\":\"" COMMIT "\"}"}
#define LIST                                                                                                           \
	{"/api/models/org/m/tree/" COMMIT,                                                                             \
	 "HTTP/1.1 200 OK\r\n" CLOSE "\r\n[{\"type\":\"file\",\"path\":\"config.json\",\"size\":6,\"oid\":\"" SHA1_HELLO "\"}]"}
#define FILE_IS(text) {"/org/m/resolve/" COMMIT "/config.json", text}
#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n" CLOSE "\r\nhello\n"

typedef struct outcome {
	bool ok;
	ckpt_hub_cause why;
	char text[CKPT_ERROR_TEXT], path[1024], log[sizeof((unit_server *)0)->log];
	uint64_t transferred;
} outcome;

/* Pulls org/m into the cache `folder` from a server that gives these answers. */
static outcome pull(const char *folder, const answer *answers, int count)
{
	static const ckpt_hub_wish wish;
	script lines = {answers, count};
	unit_server s;
	outcome out = {0};
	ckpt_error err = {0};
	ckpt_hub_result result = {0};
	ckpt_hub_id id = {.repo = "org/m"};
	unit_server_start(&s, play, &lines);
	ckpt_hub_options o = {.cache_dir = folder, .endpoint = s.url, .token = "hf_secret", .retry_ms = 1};
	ckpt_hub *hub = ckpt_hub_new(&o, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hub);
	out.ok = ckpt_hub_pull(hub, &id, &wish, &result, &err);
	out.why = ckpt_hub_why(hub);
	out.transferred = ckpt_hub_transferred(hub);
	snprintf(out.text, sizeof out.text, "%s", err.text);
	snprintf(out.path, sizeof out.path, "%s", result.path ? result.path : "");
	ckpt_hub_result_free(&result);
	ckpt_hub_free(hub);
	unit_server_stop(&s);
	memcpy(out.log, s.log, sizeof out.log);
	CU_ASSERT_PTR_NULL(strstr(out.text, "hf_secret"));
	return out;
}

#define PULL(folder, ...) pull(folder, (const answer[]){__VA_ARGS__}, (int)(sizeof((const answer[]){__VA_ARGS__}) / sizeof(answer)))

static void check_content(const char *folder, const char *name, const char *text)
{
	char path[1024];
	size_t length = 0;
	snprintf(path, sizeof path, "%s/models--org--m/%s", folder, name);
	char *found = unit_read(path, &length);
	CU_ASSERT_PTR_NOT_NULL(found);
	if (found) CU_ASSERT_STRING_EQUAL(found, text);
	free(found);
}

static void blob_absent(const char *folder)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/models--org--m/blobs/" SHA1_HELLO, folder);
	CU_ASSERT_FALSE(unit_exists(path));
	snprintf(path, sizeof path, "%s/models--org--m/refs/main", folder);
	CU_ASSERT_FALSE(unit_exists(path));
}

static void test_pull(void)
{
	const char *folder = unit_mkdir("hub1");
	char path[1100], link[256] = "";
	outcome o = PULL(folder, INFO, LIST, FILE_IS(HELLO));
	if (!o.ok) printf("# %s\n", o.text);
	CU_ASSERT_TRUE_FATAL(o.ok);
	CU_ASSERT_EQUAL(o.transferred, 6);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.log, "Authorization: Bearer hf_secret"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.log, "Accept-Encoding: identity"));
	check_content(folder, "refs/main", COMMIT);
	check_content(folder, "blobs/" SHA1_HELLO, "hello\n");
	check_content(folder, "snapshots/" COMMIT "/config.json", "hello\n");
	snprintf(path, sizeof path, "%s/config.json", o.path);
	CU_ASSERT_FATAL(readlink(path, link, sizeof link - 1) > 0);
	CU_ASSERT_STRING_EQUAL(link, "../../blobs/" SHA1_HELLO);
	o = PULL(folder, INFO, LIST);
	CU_ASSERT_TRUE(o.ok);
	CU_ASSERT_EQUAL(o.transferred, 0);
	/* the server is ill, the cache is not */
	o = PULL(folder, {"/api", "HTTP/1.1 403 No\r\n" CLOSE "\r\n"});
	CU_ASSERT_TRUE(o.ok);
}

static void test_resume(void)
{
	const char *folder = unit_mkdir("hub2");
	outcome o = PULL(folder, INFO, LIST, FILE_IS("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n" CLOSE "\r\nhel"),
	                 FILE_IS("HTTP/1.1 206 Part\r\nContent-Range: bytes 3-5/6\r\nContent-Length: 3\r\n" CLOSE "\r\nlo\n"));
	if (!o.ok) printf("# %s\n", o.text);
	CU_ASSERT_TRUE(o.ok);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.log, "Range: bytes=3-"));
	check_content(folder, "blobs/" SHA1_HELLO, "hello\n");
	/* the range is ignored */
	folder = unit_mkdir("hub3");
	o = PULL(folder, INFO, LIST, FILE_IS("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n" CLOSE "\r\nhel"), FILE_IS(HELLO));
	CU_ASSERT_TRUE(o.ok);
	check_content(folder, "blobs/" SHA1_HELLO, "hello\n");
	/* a bad gateway in between, and a wait of ages that is not waited for */
	folder = unit_mkdir("hub4");
	o = PULL(folder, INFO, LIST, FILE_IS("HTTP/1.1 503 No\r\nRetry-After: -1\r\n" CLOSE "\r\n"), FILE_IS(HELLO));
	CU_ASSERT_TRUE(o.ok);
}

static void test_faults(void)
{
	static const struct {
		const char *answer;
		ckpt_hub_cause why;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n" CLOSE "\r\nhellO\n", CKPT_HUB_CORRUPT},
		{"HTTP/1.1 200 OK\r\n" CLOSE "\r\nhello\nand more", CKPT_HUB_CORRUPT},
		{"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n" CLOSE "\r\n\x1f\x8bxxxx", CKPT_HUB_CORRUPT},
		{"HTTP/1.1 206 Part\r\nContent-Range: bytes 1-6/7\r\nContent-Length: 6\r\n" CLOSE "\r\nhello\n", CKPT_HUB_CORRUPT},
		{"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n" CLOSE "\r\n", CKPT_HUB_OTHER},
		{"HTTP/1.1 302 Found\r\nLocation: http://example.com/x\r\n" CLOSE "\r\n", CKPT_HUB_OTHER},
		{"HTTP/1.1 302 Found\r\nLocation: http://u:p@127.0.0.1/x\r\n" CLOSE "\r\n", CKPT_HUB_OTHER},
		{"HTTP/1.1 302 Found\r\n" CLOSE "\r\n", CKPT_HUB_NETWORK},
		{"HTTP/1.1 403 No\r\nX-Error-Code: GatedRepo\r\n" CLOSE "\r\n<html>", CKPT_HUB_REFUSED},
		{"HTTP/1.1 404 No\r\nX-Error-Code: EntryNotFound\r\n" CLOSE "\r\n", CKPT_HUB_ABSENT},
		{"HTTP/1.1 200 OK\r\nX-Repo-Commit: 1123456789abcdef0123456789abcdef01234567\r\nContent-Length: 6\r\n" CLOSE "\r\nhello\n",
	     CKPT_HUB_CORRUPT},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char name[32];
		snprintf(name, sizeof name, "hub5-%zu", i);
		const char *folder = unit_mkdir(name);
		outcome o = PULL(folder, INFO, LIST, FILE_IS(rows[i].answer));
		if (o.ok || o.why != rows[i].why) printf("# row %zu: cause %d, %s\n", i, (int)o.why, o.text);
		CU_ASSERT_FALSE(o.ok);
		CU_ASSERT_EQUAL(o.why, rows[i].why);
		blob_absent(folder);
		o = PULL(folder, INFO, LIST, FILE_IS(HELLO));
		CU_ASSERT_TRUE(o.ok);
	}
}

/* The token stays with its origin: a second server on another port sees none. */
static void test_token(void)
{
	static const answer other[] = {{"/cdn", HELLO}};
	script lines = {other, 1};
	unit_server cdn;
	char redirect[256];
	const char *folder = unit_mkdir("hub6");
	unit_server_start(&cdn, play, &lines);
	snprintf(redirect, sizeof redirect, "HTTP/1.1 302 Found\r\nLocation: %s/cdn\r\n" CLOSE "\r\n", cdn.url);
	outcome o = PULL(folder, INFO, LIST, FILE_IS(redirect));
	unit_server_stop(&cdn);
	if (!o.ok) printf("# %s\n", o.text);
	CU_ASSERT_TRUE(o.ok);
	CU_ASSERT_PTR_NOT_NULL(strstr(cdn.log, "GET /cdn"));
	CU_ASSERT_PTR_NULL(strcasestr(cdn.log, "authorization"));
	ckpt_hub_options bad = {.cache_dir = folder, .token = "two\nlines"};
	ckpt_error err = {0};
	CU_ASSERT_PTR_NULL(ckpt_hub_new(&bad, &err));
	CU_ASSERT_PTR_NULL(strstr(err.text, "lines"));
}

static const unit_case cases[] = {
	{"names of repositories", test_names},
	{"names of data sets and spaces", test_other_kinds},
	{"allowed addresses and origins", test_origins},
	{"lists of files", test_lists},
	{"pull, again, and without the server", test_pull},
	{"pull goes on after a cut", test_resume},
	{"faults leave nothing under a final name", test_faults},
	{"the token stays with its origin", test_token},
	{0},
};
const unit_suite unit_hub = {"hub", cases};
