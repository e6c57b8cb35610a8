/* hub_repo.c -- a repository of one file on a Hub of its own, whose server does what a test tells it; pulling it, and what may be left */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/hash.h"
#include "files.h"
#include "hub_repo.h"
#include "unit.h"

void hub_repo_head(int client, uint64_t from, uint64_t length, const char *more)
{
	if (from)
		unit_server_say(client, "HTTP/1.1 206 Part\r\nContent-Range: bytes %llu-%d/%d\r\nContent-Length: %llu\r\n%s" HUB_CLOSE "\r\n",
		                (unsigned long long)from, HUB_SIZE - 1, HUB_SIZE, (unsigned long long)length, more);
	else
		unit_server_say(client, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n%s" HUB_CLOSE "\r\n", (unsigned long long)length, more);
}

void hub_repo_well(hub_repo *r, int client, uint64_t from)
{
	hub_repo_head(client, from, HUB_SIZE - from, "");
	unit_server_put(client, r->data + from, HUB_SIZE - from);
}

static void serve(unit_server *http, int client, int number, const char *request)
{
	hub_repo *r = http->user;
	unsigned long long from = 0;
	(void)number;
	if (!strncmp(request, "GET /api/models/org/m/revision/main ", 36)) {
		unit_server_say(client, "HTTP/1.1 200 OK\r\n" HUB_CLOSE "\r\n{\"sha\":\"" HUB_COMMIT "\"}");
	} else if (!strncmp(request, "GET /api/models/org/m/tree/" HUB_COMMIT, 67)) {
		if (r->list_faults && *r->list_faults)
			(*r->list_faults++)(r, client, 0);
		else
			unit_server_say(client, "HTTP/1.1 200 OK\r\n" HUB_CLOSE "\r\n[{\"type\":\"file\",\"path\":\"model.safetensors\",\"size\":%d,\"oid\":"
			                "\"" HUB_COMMIT "\",\"lfs\":{\"oid\":\"%s\",\"size\":%d}}]", HUB_SIZE, r->hash, HUB_SIZE);
	} else {
		const char *range = strstr(request, "Range: bytes=");
		if (range) sscanf(range, "Range: bytes=%llu-", &from);
		pthread_mutex_lock(&r->lock);
		if (r->gets < HUB_GETS) {
			r->from[r->gets] = from;
			r->ranged[r->gets] = range;
		}
		r->gets++;
		hub_fault fault = r->faults && *r->faults ? *r->faults++ : hub_repo_well;
		pthread_mutex_unlock(&r->lock);
		fault(r, client, from);
	}
}

void hub_repo_start(hub_repo *r)
{
	uint8_t digest[32];
	*r = (hub_repo){.lock = PTHREAD_MUTEX_INITIALIZER};
	for (size_t i = 0; i < HUB_SIZE; i++) r->data[i] = (unsigned char)(i * 2654435761u >> 13);
	ckpt_sha256 *h = ckpt_sha256_new(NULL);
	CU_ASSERT_FATAL(h && ckpt_sha256_update(h, r->data, HUB_SIZE, NULL) && ckpt_sha256_final(h, digest, NULL));
	ckpt_sha256_free(h);
	ckpt_hex(digest, 32, r->hash);
	unit_server_start(&r->http, serve, r);
}

void hub_repo_stop(hub_repo *r)
{
	unit_server_stop(&r->http);
}

/* ---- one pull ---- */

/* What the hooks of one pull see. */
typedef struct watch {
	hub_outcome *out;
	bool stop;
} watch;

void hub_repo_note(void *outcome, const char *text)
{
	hub_outcome *o = outcome;
	size_t n = strlen(o->notes);
	snprintf(o->notes + n, sizeof o->notes - n, "%s\n", text);
}

static bool progress(void *user, const ckpt_hub_state *state)
{
	const watch *w = user;
	CU_ASSERT(state->done <= state->size && state->all_done <= state->all && state->number <= state->count);
	return !w->stop || !*w->out->notes;
}

static hub_outcome pull(const char *folder, hub_repo *r, const hub_fault *faults, bool stop, const ckpt_hub_wish *wish, ckpt_hub_result *result)
{
	const ckpt_hub_id id = {.repo = "org/m"};
	hub_outcome out = {0};
	const watch w = {&out, stop};
	ckpt_error err = {0};
	pthread_mutex_lock(&r->lock);
	r->faults = faults;
	r->gets = 0;
	pthread_mutex_unlock(&r->lock);
	const ckpt_hub_options options = {.cache_dir = folder, .endpoint = r->http.url, .token = "hf_secret", .retry_ms = 1,
	                                  .note = hub_repo_note, .note_user = &out, .progress = progress,
	                                  .user = (void *)(uintptr_t)&w};
	ckpt_hub *hub = ckpt_hub_new(&options, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hub);
	out.ok = ckpt_hub_pull(hub, &id, wish, result, &err);
	out.why = ckpt_hub_why(hub);
	out.code = err.code;
	out.transferred = ckpt_hub_transferred(hub);
	snprintf(out.text, sizeof out.text, "%s", err.text);
	ckpt_hub_free(hub);
	return out;
}

hub_outcome hub_repo_wish(const char *folder, hub_repo *r, const hub_fault *faults, const ckpt_hub_wish *wish, ckpt_hub_result *result)
{
	ckpt_hub_result own = {0};
	hub_outcome out = pull(folder, r, faults, false, wish, result ? result : &own);
	ckpt_hub_result_free(&own);
	return out;
}

hub_outcome hub_repo_pull_with(const char *folder, hub_repo *r, const hub_fault *faults, bool stop, bool force)
{
	const ckpt_hub_wish wish = {.force = force};
	ckpt_hub_result result = {0};
	hub_outcome out = pull(folder, r, faults, stop, &wish, &result);
	ckpt_hub_result_free(&result);
	return out;
}

hub_outcome hub_repo_pull(const char *folder, hub_repo *r, const hub_fault *faults)
{
	return hub_repo_pull_with(folder, r, faults, false, false);
}

bool hub_repo_is_data(const char *path, const hub_repo *r)
{
	size_t length = 0;
	char *found = unit_read(path, &length);
	bool same = found && length == HUB_SIZE && memcmp(found, r->data, HUB_SIZE) == 0;
	free(found);
	return same;
}

const char *hub_repo_path(const char *folder, const char *name)
{
	static char path[4096];
	snprintf(path, sizeof path, "%s/" HUB_FOLDER "/%s", folder, name);
	return path;
}

bool hub_repo_has_blob(const char *folder, const hub_repo *r)
{
	char name[128];
	snprintf(name, sizeof name, "blobs/%s", r->hash);
	return unit_exists(hub_repo_path(folder, name));
}

void hub_repo_check(const char *folder, const hub_repo *r)
{
	char name[200];
	size_t length = 0;
	if (hub_repo_has_blob(folder, r)) {
		snprintf(name, sizeof name, "blobs/%s", r->hash);
		CU_ASSERT_TRUE(hub_repo_is_data(hub_repo_path(folder, name), r));
	}
	const char *link = hub_repo_path(folder, "snapshots/" HUB_COMMIT "/model.safetensors");
	if (unit_exists(link)) CU_ASSERT_TRUE(hub_repo_is_data(link, r));
	char *ref = unit_read(hub_repo_path(folder, "refs/main"), &length);
	if (ref) {
		CU_ASSERT_STRING_EQUAL(ref, HUB_COMMIT);
		CU_ASSERT_TRUE(unit_exists(hub_repo_path(folder, "snapshots/" HUB_COMMIT)));
	}
	free(ref);
	DIR *d = opendir(hub_repo_path(folder, "blobs"));
	for (struct dirent *e; d && (e = readdir(d));) {
		bool fine = *e->d_name == '.' || !strncmp(e->d_name, r->hash, 64);
		if (!fine) printf("# %s in blobs\n", e->d_name);
		CU_ASSERT_TRUE(fine);
	}
	if (d) closedir(d);
	d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		static const char *const known[] = {".", "..", ".locks", "CACHEDIR.TAG", HUB_FOLDER};
		bool fine = false;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++) fine = fine || !strcmp(e->d_name, known[i]);
		if (!fine) printf("# %s in the cache\n", e->d_name);
		CU_ASSERT_TRUE(fine);
	}
	if (d) closedir(d);
}
