/* test_hub_local.c -- pulling into a folder of the user's own: its books, changes made there, copies from the cache */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "files.h"
#include "hub_repo.h"
#include "unit.h"

#define BOOKS ".cache/huggingface"
/* SHA-1 of "model.safetensors.metadata" in base64 for URLs */
#define KEY "xGOKKLRSlIhH692hSVvI1-gpoa8="

static const char *own; /* the folder */

static const char *path_of(const char *name)
{
	static char path[4096];
	snprintf(path, sizeof path, "%s/%s", own, name);
	return path;
}

static hub_outcome local(const char *cache, hub_repo *r, const hub_fault *faults, bool force)
{
	const ckpt_hub_wish wish = {.local_dir = own, .force = force};
	ckpt_hub_result result = {0};
	hub_outcome o = hub_repo_wish(cache, r, faults, &wish, &result);
	if (o.ok) {
		char *real = realpath(own, NULL);
		CU_ASSERT(real && result.path && strcmp(real, result.path) == 0);
		CU_ASSERT_TRUE(hub_repo_is_data(path_of("model.safetensors"), r));
		free(real);
	}
	ckpt_hub_result_free(&result);
	return o;
}

static void put(const char *name, const void *data, size_t length)
{
	FILE *f = fopen(path_of(name), "wb");
	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT(fwrite(data, 1, length, f) == length && fclose(f) == 0);
}

/* As if the file had been touched long after it was fetched. */
static void age(void)
{
	const struct timespec times[2] = {{.tv_sec = 4000000000}, {.tv_sec = 4000000000}};
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path_of("model.safetensors"), times, 0), 0);
}

static void check_books(const hub_repo *r)
{
	char wanted[128];
	size_t length;
	char *notes = unit_read(path_of(BOOKS "/download/model.safetensors.metadata"), &length);
	snprintf(wanted, sizeof wanted, HUB_COMMIT "\n%s\n", r->hash);
	CU_ASSERT_PTR_NOT_NULL_FATAL(notes);
	CU_ASSERT(strncmp(notes, wanted, strlen(wanted)) == 0 && strtod(notes + strlen(wanted), NULL) > 1e9);
	free(notes);
	char *ignore = unit_read(path_of(BOOKS "/.gitignore"), &length);
	CU_ASSERT(ignore && strcmp(ignore, "*") == 0);
	free(ignore);
	CU_ASSERT(unit_exists(path_of(BOOKS "/CACHEDIR.TAG")) && unit_exists(path_of(BOOKS "/trees/" HUB_COMMIT ".json")));
	CU_ASSERT_EQUAL(unit_entries(path_of(BOOKS "/download")), 2); /* the metadata and the lock */
}

static void cut(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from, "");
	unit_server_put(client, r->data + from, (HUB_SIZE - from) / 2);
}

static void flip(hub_repo *r, int client, uint64_t from)
{
	unsigned char wrong = (unsigned char)(r->data[HUB_SIZE - 1] ^ 1);
	hub_repo_head(client, from, HUB_SIZE - from, "");
	unit_server_put(client, r->data + from, HUB_SIZE - 1 - from);
	unit_server_put(client, &wrong, 1);
}

static void test_pull(void)
{
	static const hub_fault cuts[] = {cut, cut, NULL}, flips[] = {flip, NULL};
	const char *cache = unit_mkdir("local-cache");
	hub_repo r;
	hub_repo_start(&r);
	own = unit_mkdir("local-own");
	hub_outcome o = local(cache, &r, flips, false);
	CU_ASSERT(!o.ok && o.why == CKPT_HUB_CORRUPT && !unit_exists(path_of("model.safetensors")));
	CU_ASSERT_EQUAL(unit_entries(path_of(BOOKS "/download")), 1);
	o = local(cache, &r, cuts, false);
	CU_ASSERT(o.ok && r.gets == 3 && o.transferred == HUB_SIZE);
	check_books(&r);
	CU_ASSERT_FALSE(unit_exists(hub_repo_path(cache, ""))); /* the cache is not touched */
	o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 0);
	o = local(cache, &r, NULL, true);
	CU_ASSERT(o.ok && r.gets == 1);
	check_books(&r);
	/* what a killed pull left is gone on with */
	char name[256];
	snprintf(name, sizeof name, BOOKS "/download/" KEY ".%s.ckpt.incomplete", r.hash);
	unlink(path_of("model.safetensors"));
	put(name, r.data, 1000);
	o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 1 && r.from[0] == 1000);
	hub_repo_stop(&r);
}

static void test_changes(void)
{
	const char *cache = unit_mkdir("local-cache");
	unsigned char other[HUB_SIZE];
	hub_repo r;
	hub_repo_start(&r);
	own = unit_mkdir("local-own");
	/* it came from elsewhere: the same content is taken as it is, other content is replaced */
	put("model.safetensors", r.data, HUB_SIZE);
	hub_outcome o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 0);
	check_books(&r);
	memcpy(other, r.data, HUB_SIZE);
	other[5] ^= 1;
	put("model.safetensors", other, HUB_SIZE);
	age();
	o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 1 && strstr(o.notes, "was changed here after it was fetched"));
	put("model.safetensors", "short", 5);
	o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 1);
	unlink(path_of(BOOKS "/download/model.safetensors.metadata"));
	put("model.safetensors", other, HUB_SIZE);
	o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 1 && strstr(o.notes, "did not come from the Hub"));
	/* touched alone */
	age();
	o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 0 && !*o.notes);
	/* notes that make no sense are no notes */
	put(BOOKS "/download/model.safetensors.metadata", "x\ny\nz\n", 6);
	o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 0);
	check_books(&r);
	/* a folder of that name */
	unlink(path_of("model.safetensors"));
	CU_ASSERT_EQUAL(mkdir(path_of("model.safetensors"), 0777), 0);
	o = local(cache, &r, NULL, false);
	CU_ASSERT(!o.ok && strstr(o.text, "is no file"));
	hub_repo_stop(&r);
}

static void test_copies(void)
{
	const char *cache = unit_mkdir("local-cache");
	char blob[200];
	hub_repo r;
	hub_repo_start(&r);
	own = unit_mkdir("local-own");
	CU_ASSERT_TRUE(hub_repo_pull(cache, &r, NULL).ok);
	hub_outcome o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 0 && o.transferred == 0);
	check_books(&r);
	/* a wrong copy is not taken */
	snprintf(blob, sizeof blob, "blobs/%s", r.hash);
	int fd = open(hub_repo_path(cache, blob), O_WRONLY);
	CU_ASSERT(fd >= 0 && pwrite(fd, "wrong", 5, 100) == 5 && close(fd) == 0);
	own = unit_mkdir("local-own");
	o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 1);
	/* a snapshot without links */
	unlink(hub_repo_path(cache, blob));
	char file[4096];
	snprintf(file, sizeof file, "%s", hub_repo_path(cache, "snapshots/" HUB_COMMIT "/model.safetensors"));
	unlink(file);
	CU_ASSERT_EQUAL(link(path_of("model.safetensors"), file), 0);
	own = unit_mkdir("local-own2");
	o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 0);
	hub_repo_stop(&r);
}

static void refuse(hub_repo *r, int client, uint64_t from)
{
	(void)r, (void)from;
	unit_server_say(client, "HTTP/1.1 403 No\r\n" HUB_CLOSE "\r\n");
}

/* Without the Hub: what the books list is there, with the right content. */
static void test_away(void)
{
	static const hub_fault refusals[] = {refuse, NULL};
	const char *cache = unit_mkdir("local-cache");
	hub_repo r;
	hub_repo_start(&r);
	own = unit_mkdir("local-own");
	CU_ASSERT_TRUE(local(cache, &r, NULL, false).ok);
	r.list_faults = refusals;
	hub_outcome o = local(cache, &r, NULL, false);
	CU_ASSERT(o.ok && r.gets == 0 && strstr(o.notes, "which is used"));
	setenv("HF_HUB_OFFLINE", "1", 1);
	int asked = r.http.count;
	CU_ASSERT_TRUE(local(cache, &r, NULL, false).ok);
	put("model.safetensors", "changed", 7);
	o = local(cache, &r, NULL, false);
	CU_ASSERT(!o.ok && o.why == CKPT_HUB_OFFLINE && strstr(o.text, own));
	CU_ASSERT_EQUAL(r.http.count, asked);
	unsetenv("HF_HUB_OFFLINE");
	hub_repo_stop(&r);
}

static void list_the_books(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\n" HUB_CLOSE "\r\n[{\"type\":\"file\",\"path\":\".CACHE/huggingface/tokenizer.json\",\"size\":%d,\"oid\":"
	                "\"" HUB_COMMIT "\",\"lfs\":{\"oid\":\"%s\",\"size\":%d}}]", HUB_SIZE, r->hash, HUB_SIZE);
}

static void test_hostile(void)
{
	static const hub_fault lists[] = {list_the_books, NULL};
	static const char *const all[] = {"*"};
	hub_repo r;
	hub_repo_start(&r);
	own = unit_path("local-none");
	const ckpt_hub_wish wish = {.local_dir = own, .include = all, .include_count = 1};
	r.list_faults = lists;
	hub_outcome o = hub_repo_wish(unit_mkdir("local-cache"), &r, NULL, &wish, NULL);
	CU_ASSERT(!o.ok && o.why == CKPT_HUB_CORRUPT && strstr(o.text, "where the books of the folder are kept"));
	CU_ASSERT_FALSE(unit_exists(own));
	hub_repo_stop(&r);
}

static const unit_case cases[] = {
	{"pull, again, resumed", test_pull},
	{"what was changed there", test_changes},
	{"what the cache has is copied", test_copies},
	{"without the Hub", test_away},
	{"a name where the books are", test_hostile},
	{0},
};
const unit_suite unit_hub_local = {"hub_local", cases};
