/* test_hub_store.c -- removing from the cache beside pulls into it, and names that cannot lie beside each other */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "../../lib/hub/store.h"
#include "files.h"
#include "hub_repo.h"
#include "unit.h"

#define OTHER "f123456789abcdef0123456789abcdef01234567"

static ckpt_hub *hub_of(const char *folder)
{
	const ckpt_hub_options options = {.cache_dir = folder, .endpoint = "http://127.0.0.1:1", .token = ""};
	ckpt_hub *hub = ckpt_hub_new(&options, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hub);
	return hub;
}

/* Prunes, or removes, the one repository there is; returns whether it was left alone. */
static bool clear(const char *folder, bool whole)
{
	ckpt_hub *hub = hub_of(folder);
	ckpt_store s;
	ckpt_error err = {0};
	bool busy = false;
	CU_ASSERT_FATAL(ckpt_store_read(hub, &s, &err) && s.count == 1);
	CU_ASSERT_TRUE((whole ? ckpt_store_remove : ckpt_store_prune)(hub, &s.repos[0], &busy, &err));
	ckpt_store_free(&s);
	ckpt_hub_free(hub);
	return busy;
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[4096];
	snprintf(path, sizeof path, "%s", hub_repo_path(folder, name));
	CU_ASSERT_FATAL(ckpt_hub_make_folders(path, false, NULL));
	FILE *f = fopen(path, "w");
	CU_ASSERT_FATAL(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* ---- beside a pull ---- */

static const char *pulled; /* the cache that it goes into */

static void others_clear(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from, "");
	unit_server_put(client, r->data + from, (HUB_SIZE - from) / 2);
	bool pruned = clear(pulled, false), removed = clear(pulled, true);
	CU_ASSERT(pruned && removed);
	unit_server_put(client, r->data + from + (HUB_SIZE - from) / 2, HUB_SIZE - from - (HUB_SIZE - from) / 2);
}

static void test_pull_is_left_alone(void)
{
	static const hub_fault faults[] = {others_clear, NULL};
	hub_repo r;
	hub_repo_start(&r);
	pulled = unit_mkdir("store-pull");
	hub_outcome o = hub_repo_pull(pulled, &r, faults);
	CU_ASSERT(o.ok && r.gets == 1 && o.transferred == HUB_SIZE);
	hub_repo_check(pulled, &r);
	/* a commit that no ref names, as it is filled */
	const ckpt_hub_id id = {.repo = "org/m", .revision = HUB_COMMIT};
	const ckpt_hub_wish wish = {.force = true};
	ckpt_hub_result result;
	pulled = unit_mkdir("store-commit");
	const ckpt_hub_options options = {.cache_dir = pulled, .endpoint = r.http.url, .token = ""};
	ckpt_hub *hub = ckpt_hub_new(&options, NULL);
	r.faults = faults;
	CU_ASSERT_TRUE(ckpt_hub_pull(hub, &id, &wish, &result, NULL));
	CU_ASSERT_TRUE(hub_repo_is_data(hub_repo_path(pulled, "snapshots/" HUB_COMMIT "/model.safetensors"), &r));
	ckpt_hub_result_free(&result);
	ckpt_hub_free(hub);
	/* and when it is done, it goes */
	CU_ASSERT_FALSE(clear(pulled, false));
	CU_ASSERT_FALSE(unit_exists(hub_repo_path(pulled, "snapshots/" HUB_COMMIT)));
	CU_ASSERT_FALSE(hub_repo_has_blob(pulled, &r));
	hub_repo_stop(&r);
}

/* Another process removes the repository; once this one says that it waits, it is gone. */
typedef struct remover {
	hub_outcome o;
	const char *folder;
	int lock;
} remover;

static void finish_removal(void *user, const char *text)
{
	remover *x = user;
	char command[4200];
	hub_repo_note(&x->o, text);
	if (!strstr(text, "removes from")) return;
	snprintf(command, sizeof command, "rm -r '%s'", hub_repo_path(x->folder, ""));
	CU_ASSERT_EQUAL(system(command), 0);
	flock(x->lock, LOCK_UN);
}

static void test_pull_waits_for_removal(void)
{
	const char *folder = unit_mkdir("store-wait");
	const ckpt_hub_id id = {.repo = "org/m"};
	const ckpt_hub_wish wish = {0};
	hub_repo r;
	ckpt_error err = {0};
	ckpt_hub_result result;
	hub_repo_start(&r);
	CU_ASSERT_TRUE(hub_repo_pull(folder, &r, NULL).ok);
	remover x = {.folder = folder, .lock = open(hub_repo_path(folder, ""), O_RDONLY | O_DIRECTORY)};
	CU_ASSERT_FATAL(x.lock >= 0 && flock(x.lock, LOCK_EX) == 0);
	const ckpt_hub_options options = {.cache_dir = folder, .endpoint = r.http.url, .token = "", .note = finish_removal, .note_user = &x};
	ckpt_hub *hub = ckpt_hub_new(&options, NULL);
	r.gets = 0;
	CU_ASSERT_TRUE(ckpt_hub_pull(hub, &id, &wish, &result, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(x.o.notes, "another process removes from"));
	CU_ASSERT_EQUAL(r.gets, 1);
	CU_ASSERT_TRUE(hub_repo_has_blob(folder, &r));
	hub_repo_check(folder, &r);
	ckpt_hub_result_free(&result);
	ckpt_hub_free(hub);
	close(x.lock);
	hub_repo_stop(&r);
}

/* Python takes locks of files alone. */
static void test_lock_of_a_file(void)
{
	const char *folder = unit_mkdir("store-python");
	char path[4096];
	hub_repo r;
	hub_repo_start(&r);
	CU_ASSERT_TRUE(hub_repo_pull(folder, &r, NULL).ok);
	snprintf(path, sizeof path, "%s/.locks/" HUB_FOLDER "/%s.lock", folder, r.hash);
	int lock = open(path, O_RDWR);
	CU_ASSERT_FATAL(lock >= 0 && flock(lock, LOCK_EX) == 0);
	CU_ASSERT(clear(folder, false) && clear(folder, true));
	hub_repo_check(folder, &r);
	CU_ASSERT_TRUE(hub_repo_has_blob(folder, &r));
	close(lock);
	CU_ASSERT(!clear(folder, false) && hub_repo_has_blob(folder, &r));
	CU_ASSERT_FALSE(clear(folder, true));
	CU_ASSERT_FALSE(unit_exists(hub_repo_path(folder, "")));
	*strrchr(path, '/') = '\0';
	CU_ASSERT_FALSE(unit_exists(path));
	hub_repo_stop(&r);
}

/* ---- refs ---- */

static void test_refs(void)
{
	const char *folder = unit_mkdir("store-refs");
	ckpt_hub *hub = hub_of(folder);
	ckpt_store s;
	bool busy = false;
	put(folder, "snapshots/" HUB_COMMIT "/config.json", "{}");
	put(folder, "snapshots/" OTHER "/config.json", "{}");
	put(folder, "refs/main", HUB_COMMIT);
	put(folder, "refs/main.0123abcd.tmp", OTHER); /* on its way to its name */
	CU_ASSERT_FATAL(ckpt_store_read(hub, &s, NULL) && s.count == 1);
	CU_ASSERT_STRING_EQUAL(s.repos[0].refs, "main");
	CU_ASSERT_EQUAL(ckpt_store_prunable(&s.repos[0]), 2);
	/* since it was read, another pull has named the other commit */
	put(folder, "refs/v2", OTHER);
	CU_ASSERT_TRUE(ckpt_store_prune(hub, &s.repos[0], &busy, NULL));
	CU_ASSERT_TRUE(unit_exists(hub_repo_path(folder, "snapshots/" OTHER "/config.json")));
	unlink(hub_repo_path(folder, "refs/v2"));
	CU_ASSERT_TRUE(ckpt_store_prune(hub, &s.repos[0], &busy, NULL));
	CU_ASSERT_FALSE(unit_exists(hub_repo_path(folder, "snapshots/" OTHER)));
	CU_ASSERT_TRUE(unit_exists(hub_repo_path(folder, "snapshots/" HUB_COMMIT "/config.json")));
	CU_ASSERT_FALSE(busy);
	ckpt_store_free(&s);
	ckpt_hub_free(hub);
}

/* ---- names ---- */

static const char *const *listed; /* what the repository has, up to a NULL */

static void list(hub_repo *r, int client, uint64_t from)
{
	(void)from;
	unit_server_say(client, "HTTP/1.1 200 OK\r\n" HUB_CLOSE "\r\n[");
	for (size_t i = 0; listed[i]; i++)
		unit_server_say(client, "%s{\"type\":\"file\",\"path\":\"%s\",\"size\":%d,\"oid\":\"" HUB_COMMIT "\",\"lfs\":{\"oid\":\"%s\",\"size\":%d}}",
		                i ? "," : "", listed[i], HUB_SIZE, r->hash, HUB_SIZE);
	unit_server_say(client, "]");
}

/* Pulls all that is listed. */
static hub_outcome pull_names(const char *folder, hub_repo *r, const char *const *names, const ckpt_hub_wish *wish)
{
	static const hub_fault faults[] = {list, NULL};
	listed = names;
	r->list_faults = faults;
	hub_outcome o = hub_repo_wish(folder, r, NULL, wish, NULL);
	r->list_faults = NULL;
	return o;
}

static void test_names(void)
{
	static const char *const all[] = {"*"};
	static const char *const pair[] = {"a", "A", NULL}, *const folders[] = {"x/B/c", "X/b", NULL}, *const fine[] = {"a", "A-", "b/c", NULL};
	static const char *const inside[] = {"a-b", "a", "a/b", NULL}, *const deep[] = {"a/b", "a/b.c", "a/b/c/d", NULL};
	const ckpt_hub_wish wish = {.include = all, .include_count = 1}, without = {.include = all, .include_count = 1, .exclude = pair, .exclude_count = 1};
	char upper[4096], lower[4096], books[4000];
	hub_repo r;
	hub_repo_start(&r);
	/* a file that is a folder too has no place anywhere */
	for (int i = 0; i < 2; i++) {
		const char *folder = unit_mkdir("store-names");
		hub_outcome o = pull_names(folder, &r, i ? deep : inside, &wish);
		CU_ASSERT(!o.ok && o.why == CKPT_HUB_CORRUPT && r.gets == 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(o.text, i ? "lists 'a/b' as a file and as the folder of 'a/b/c/d'" : "lists 'a' as a file and as the folder of 'a/b'"));
		CU_ASSERT_FALSE(unit_exists(hub_repo_path(folder, "")));
	}
	const char *folder = unit_mkdir("store-names");
	CU_ASSERT_TRUE(pull_names(folder, &r, pair, &wish).ok);
	CU_ASSERT(hub_repo_is_data(hub_repo_path(folder, "snapshots/" HUB_COMMIT "/a"), &r) &&
	          hub_repo_is_data(hub_repo_path(folder, "snapshots/" HUB_COMMIT "/A"), &r));
	/* a disk whose names are the same in either case, as far as can be seen */
	snprintf(upper, sizeof upper, "%s/CACHEDIR.TAG", folder);
	snprintf(lower, sizeof lower, "%s/cachedir.tag", folder);
	CU_ASSERT_FATAL(link(upper, lower) == 0);
	r.gets = 0;
	hub_outcome o = pull_names(folder, &r, pair, &wish);
	CU_ASSERT(!o.ok && o.code == CKPT_E_UNSUPPORTED && r.gets == 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "org/m: the files "));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "differ in case alone, which the disk of"));
	CU_ASSERT_FALSE(pull_names(folder, &r, folders, &wish).ok);
	CU_ASSERT_TRUE(pull_names(folder, &r, fine, &wish).ok);
	CU_ASSERT_TRUE(pull_names(folder, &r, pair, &without).ok);
	/* the same of a folder of the user's own */
	snprintf(books, sizeof books, "%s/own/.cache/huggingface", folder);
	snprintf(upper, sizeof upper, "%s/CACHEDIR.TAG", books);
	snprintf(lower, sizeof lower, "%s/cachedir.tag", books);
	CU_ASSERT_FATAL(ckpt_hub_make_folders(books, true, NULL) && ckpt_hub_tag(books, NULL) && link(upper, lower) == 0);
	*strstr(books, "/.cache") = '\0';
	const ckpt_hub_wish own = {.include = all, .include_count = 1, .local_dir = books};
	o = pull_names(folder, &r, pair, &own);
	CU_ASSERT(!o.ok && strstr(o.text, "differ in case alone") && unit_entries(books) == 1);
	CU_ASSERT_TRUE(pull_names(folder, &r, fine, &own).ok);
	hub_repo_stop(&r);
}

static const unit_case cases[] = {
	{"nothing is removed that a pull fills", test_pull_is_left_alone},
	{"a pull waits for a removal, and begins again", test_pull_waits_for_removal},
	{"nothing is removed while a file's lock is held", test_lock_of_a_file},
	{"refs aside, and refs made meanwhile", test_refs},
	{"names that cannot lie beside each other", test_names},
	{0},
};
const unit_suite unit_hub_store = {"hub_store", cases};
