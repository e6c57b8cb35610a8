/* test_hub_races.c -- pulling beside another process, over links of others, and being killed at random moments */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "files.h"
#include "hub_repo.h"
#include "unit.h"

/* ---- several at once, links of others ---- */

/* Another process holds the lock; once this one says that it waits, the other one's file is there. */
typedef struct other {
	hub_outcome o;
	const char *folder;
	const hub_repo *r;
	int lock;
} other;

static void finish_other(void *user, const char *text)
{
	other *x = user;
	char path[4096];
	hub_repo_note(&x->o, text);
	if (!strstr(text, "waiting for it")) return;
	snprintf(path, sizeof path, "%s/" HUB_FOLDER "/blobs/%s", x->folder, x->r->hash);
	CU_ASSERT_TRUE_FATAL(ckpt_hub_make_folders(path, false, NULL));
	FILE *f = fopen(path, "wb");
	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT(fwrite(x->r->data, 1, HUB_SIZE, f) == HUB_SIZE && fclose(f) == 0);
	flock(x->lock, LOCK_UN);
}

static void test_lock(void)
{
	const char *folder = unit_mkdir("faults-lock");
	const ckpt_hub_wish wish = {0};
	const ckpt_hub_id id = {.repo = "org/m"};
	char path[4096];
	hub_repo r;
	ckpt_error err = {0};
	ckpt_hub_result result;
	hub_repo_start(&r);
	snprintf(path, sizeof path, "%s/.locks/" HUB_FOLDER "/%s.lock", folder, r.hash);
	CU_ASSERT_TRUE_FATAL(ckpt_hub_make_folders(path, false, NULL));
	other x = {.folder = folder, .r = &r, .lock = open(path, O_RDWR | O_CREAT, 0664)};
	CU_ASSERT_FATAL(x.lock >= 0 && flock(x.lock, LOCK_EX) == 0);
	const ckpt_hub_options options = {.cache_dir = folder, .endpoint = r.http.url, .token = "", .note = finish_other, .note_user = &x};
	ckpt_hub *hub = ckpt_hub_new(&options, NULL);
	CU_ASSERT_TRUE(ckpt_hub_pull(hub, &id, &wish, &result, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(x.o.notes, "waiting for it"));
	CU_ASSERT_EQUAL(r.gets, 0);
	hub_repo_check(folder, &r);
	ckpt_hub_result_free(&result);
	ckpt_hub_free(hub);
	close(x.lock);
	hub_repo_stop(&r);
}

/* blobs/HASH -> ../../blobs/xx/NAME, a store that several repositories share: read through, never written through. */
static void test_shared_store(void)
{
	const char *folder = unit_mkdir("faults-store");
	char blob[4096], payload[4096], target[128];
	size_t length;
	hub_repo r;
	hub_repo_start(&r);
	snprintf(payload, sizeof payload, "%s/blobs/ab/abcd", folder);
	snprintf(blob, sizeof blob, "%s/" HUB_FOLDER "/blobs/%s", folder, r.hash);
	CU_ASSERT_FATAL(ckpt_hub_make_folders(payload, false, NULL) && ckpt_hub_make_folders(blob, false, NULL));
	for (int round = 0; round < 3; round++) { /* whole, asked for again, of another size */
		unlink(blob);
		unlink(payload);
		FILE *f = fopen(payload, "wb");
		CU_ASSERT_FATAL(f != NULL);
		CU_ASSERT(fwrite(r.data, 1, round < 2 ? HUB_SIZE : HUB_SIZE - 1, f) && fclose(f) == 0 && chmod(payload, 0444) == 0);
		CU_ASSERT_FATAL(symlink("../../blobs/ab/abcd", blob) == 0);
		hub_outcome o = hub_repo_pull_with(folder, &r, NULL, false, round == 1);
		CU_ASSERT_TRUE(o.ok);
		CU_ASSERT_EQUAL(r.gets, round > 0);
		CU_ASSERT_EQUAL(readlink(blob, target, sizeof target) > 0, round == 0);
		CU_ASSERT_TRUE(hub_repo_is_data(hub_repo_path(folder, "snapshots/" HUB_COMMIT "/model.safetensors"), &r));
		char *found = unit_read(payload, &length);
		CU_ASSERT(found && length == (round < 2 ? HUB_SIZE : HUB_SIZE - 1) && memcmp(found, r.data, length) == 0);
		free(found);
	}
	hub_repo_stop(&r);
}

/* ---- killed ---- */

static void in_bursts(hub_repo *r, int client, uint64_t from)
{
	struct timespec step = {.tv_nsec = 1000000};
	hub_repo_head(client, from, HUB_SIZE - from, "");
	for (size_t at = from; at < HUB_SIZE; at += 10000) {
		if (!unit_server_put(client, r->data + at, HUB_SIZE - at < 10000 ? HUB_SIZE - at : 10000)) return;
		nanosleep(&step, NULL);
	}
}

static void test_killed(void)
{
	enum { ROUNDS = 40, FRESH = 4 };
	static const hub_fault faults[] = {in_bursts, NULL};
	const char *folder = unit_mkdir("faults-killed");
	uint64_t state = 12345;
	int killed = 0, resumed = 0;
	hub_repo r;
	hub_repo_start(&r);
	for (int round = 0; round < ROUNDS; round++) {
		r.faults = faults; /* here, where the server is; what the child sets is the child's */
		pid_t child = fork();
		CU_ASSERT_FATAL(child >= 0);
		if (child == 0) _exit(!hub_repo_pull(folder, &r, NULL).ok);
		state = state * 6364136223846793005u + 1442695040888963407u;
		struct timespec wait = {.tv_nsec = (long)(state >> 33) % 30000000};
		nanosleep(&wait, NULL);
		int status = 0;
		kill(child, SIGKILL);
		CU_ASSERT_FATAL(waitpid(child, &status, 0) == child);
		killed += WIFSIGNALED(status);
		hub_repo_check(folder, &r);
		if (round % FRESH != FRESH - 1) continue;
		for (int i = 0; i < r.gets && i < 64; i++) resumed += r.from[i] > 0;
		hub_outcome o = hub_repo_pull(folder, &r, NULL);
		CU_ASSERT_TRUE(o.ok);
		resumed += r.gets == 1 && r.from[0] > 0;
		r.gets = 0;
		CU_ASSERT_TRUE(hub_repo_is_data(hub_repo_path(folder, "snapshots/" HUB_COMMIT "/model.safetensors"), &r));
		hub_repo_check(folder, &r);
		char name[128];
		snprintf(name, sizeof name, "blobs/%s", r.hash);
		unlink(hub_repo_path(folder, "snapshots/" HUB_COMMIT "/model.safetensors"));
		unlink(hub_repo_path(folder, name));
	}
	if (killed <= ROUNDS / 4 || !resumed) printf("# %d of %d killed, %d resumed\n", killed, ROUNDS, resumed);
	CU_ASSERT(killed > ROUNDS / 4);
	CU_ASSERT(resumed > 0);
	hub_repo_stop(&r);
}

static const unit_case cases[] = {
	{"another process downloads the same", test_lock},
	{"a store that repositories share", test_shared_store},
	{"killed at random moments", test_killed},
	{0},
};
const unit_suite unit_hub_races = {"hub_races", cases};
