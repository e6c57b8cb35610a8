/* cmd_cache.c -- ckpt cache: what the cache of the Hub holds; verify it, repair it, make room */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/hub/store.h"
#include "../lib/json.h"
#include "hub.h"
#include "number.h"
#include "table.h"
#include "tool.h"

struct cache_options {
	const char *cache_dir, *token;
	bool repair, yes, json;
};

/* What every verb works on. */
typedef struct cache_run {
	const ckpt_call *call;
	const struct cache_options *o;
	ckpt_hub *hub;
	ckpt_bars *bars;
	ckpt_store store;
	ckpt_buffer json;
	size_t items;
	int code; /* of a failure */
	ckpt_error *err;
} cache_run;

/* Whether the repository is among those that were named; all are when none was. */
static bool is_meant(const cache_run *c, const ckpt_store_repo *r)
{
	for (size_t i = 1; i < c->call->argument_count; i++)
		if (ckpt_store_find(&c->store, c->call->arguments[i]) == r) return true;
	return c->call->argument_count < 2;
}

static void begin_item(cache_run *c)
{
	ckpt_buffer_str(&c->json, c->items++ ? ",\n  {\"repo\": " : "[\n  {\"repo\": ");
}

static void string(ckpt_buffer *b, const char *text)
{
	ckpt_json_write_string(b, text, strlen(text), false);
}

static bool end_json(cache_run *c)
{
	ckpt_buffer_str(&c->json, c->items ? "\n]\n" : "[]\n");
	if (!ckpt_buffer_ok(&c->json, c->err)) return false;
	fwrite(c->json.data, 1, c->json.length, stdout);
	return true;
}

/* ---- ls ---- */

static bool list_table(cache_run *c)
{
	static const ckpt_column columns[] = {{.title = "REPO", .least = 20, .middle = true}, {.title = "SIZE", .right = true},
	                                      {.title = "REVISIONS", .right = true}, {.title = "REFS"}};
	ckpt_table *t = ckpt_table_new(columns, 4);
	uint64_t sum = 0;
	size_t count = 0;
	char text[32];
	if (!t) return ckpt_fail_nomem(c->err);
	for (size_t i = 0; i < c->store.count; i++) {
		const ckpt_store_repo *r = &c->store.repos[i];
		if (!is_meant(c, r)) continue;
		ckpt_table_text(t, r->name);
		ckpt_bytes_text((double)ckpt_store_bytes(r), text, sizeof text);
		ckpt_table_text(t, text);
		snprintf(text, sizeof text, "%zu", r->revision_count);
		ckpt_table_text(t, text);
		ckpt_table_text(t, r->refs);
		sum += ckpt_store_bytes(r);
		count++;
	}
	bool ok = count == 0 || ckpt_table_print(t, stdout, &c->call->terminal, true, c->err);
	ckpt_table_free(t);
	ckpt_bytes_text((double)sum, text, sizeof text);
	if (ok && !c->call->quiet) printf("%zu repositor%s, %s\n", count, count == 1 ? "y" : "ies", text);
	return ok;
}

static int list(cache_run *c)
{
	if (!c->o->json) return list_table(c) ? CKPT_EXIT_OK : CKPT_EXIT_BY_ERROR;
	for (size_t i = 0; i < c->store.count; i++) {
		const ckpt_store_repo *r = &c->store.repos[i];
		if (!is_meant(c, r)) continue;
		begin_item(c);
		string(&c->json, r->name);
		ckpt_buffer_str(&c->json, ", \"path\": ");
		string(&c->json, r->folder);
		ckpt_buffer_printf(&c->json, ", \"bytes\": %llu, \"bytes_prunable\": %llu, \"revisions\": %zu, \"refs\": ",
		                   (unsigned long long)ckpt_store_bytes(r), (unsigned long long)ckpt_store_prunable(r), r->revision_count);
		string(&c->json, r->refs);
		ckpt_buffer_char(&c->json, '}');
	}
	return end_json(c) ? CKPT_EXIT_OK : CKPT_EXIT_BY_ERROR;
}

/* ---- verify ---- */

/* Fetches a file of a snapshot again; only a right one takes the place of the old. */
static bool repair(cache_run *c, const ckpt_store_repo *r, const ckpt_store_file *f)
{
	ckpt_hub_id id;
	ckpt_hub_result result = {0};
	const char *const names[] = {f->name};
	const ckpt_hub_wish wish = {.files = names, .file_count = 1, .force = true};
	if (!ckpt_hub_parse(r->name, ckpt_hub_endpoint(c->hub), &id, c->err)) return false;
	snprintf(id.revision, sizeof id.revision, "%s", r->revisions[f->revision].commit);
	bool ok = ckpt_hub_pull(c->hub, &id, &wish, &result, c->err);
	ckpt_bars_end(c->bars);
	ckpt_hub_result_free(&result);
	if (!ok) c->code = ckpt_hub_exit(ckpt_hub_why(c->hub));
	return ok;
}

static void say(cache_run *c, const ckpt_store_repo *r, const char *name, const char *blob, const char *state)
{
	if (c->o->json) {
		begin_item(c);
		string(&c->json, r->name);
		ckpt_buffer_str(&c->json, ", \"file\": ");
		string(&c->json, name);
		ckpt_buffer_str(&c->json, ", \"blob\": ");
		string(&c->json, blob);
		ckpt_buffer_printf(&c->json, ", \"state\": \"%s\"}", state);
		return;
	}
	ckpt_text_print(stdout, r->name);
	printf(": ");
	ckpt_text_print(stdout, name);
	printf(": %s", state);
	if (*blob) printf(" (blob %s)", blob);
	putchar('\n');
}

/* Says what is wrong with each file that links to the blob, and repairs the first of them, which repairs all. */
static bool report(cache_run *c, const ckpt_store_repo *r, const char *hash, const char *state, size_t *bad)
{
	bool mended = false, seen = false;
	for (size_t i = 0; i < r->file_count; i++) {
		const ckpt_store_file *f = &r->files[i];
		if (strcmp(f->hash, hash) != 0) continue;
		seen = true;
		if (c->o->repair && !mended && !(mended = repair(c, r, f))) return false;
		say(c, r, f->name, hash, mended ? "repaired" : state);
	}
	if (!seen) say(c, r, "(no file of a snapshot)", hash, state);
	*bad += !mended;
	return true;
}

/* The first file that links to the blob. */
static const char *file_of(const ckpt_store_repo *r, const ckpt_store_blob *b)
{
	for (size_t i = 0; i < r->file_count; i++)
		if (!strcmp(r->files[i].hash, b->name)) return r->files[i].name;
	return b->name;
}

static bool verify_repo(cache_run *c, const ckpt_store_repo *r, size_t *good, size_t *bad)
{
	bool ok = true, right;
	for (size_t i = 0; ok && i < r->blob_count; i++) {
		const ckpt_store_blob *b = &r->blobs[i];
		if (!ckpt_store_can_check(b)) continue;
		ok = ckpt_store_check(c->hub, r, b, file_of(r, b), &right, c->err);
		*good += ok && right;
		if (!ok || !right) ckpt_bars_end(c->bars);
		if (ok && !right) ok = report(c, r, b->name, "its content has another hash", bad);
	}
	for (size_t i = 0; ok && i < r->file_count; i++) {
		const ckpt_store_file *f = &r->files[i];
		if (!f->broken) continue;
		bool mended = c->o->repair && *f->hash;
		ok = !mended || repair(c, r, f);
		if (ok) say(c, r, f->name, f->hash, mended ? "repaired" : "its content is not there");
		*bad += !mended;
	}
	return ok;
}

static void begin_verify(cache_run *c)
{
	size_t count = 0;
	uint64_t bytes = 0;
	for (size_t i = 0; i < c->store.count; i++) {
		const ckpt_store_repo *r = &c->store.repos[i];
		for (size_t k = 0; is_meant(c, r) && k < r->blob_count; k++) {
			if (!ckpt_store_can_check(&r->blobs[k])) continue;
			count++;
			bytes += r->blobs[k].reach;
		}
	}
	ckpt_store_begin_checks(c->hub, count, bytes);
}

static int verify(cache_run *c)
{
	size_t good = 0, bad = 0, alone = 0;
	begin_verify(c);
	for (size_t i = 0; i < c->store.count; i++) {
		const ckpt_store_repo *r = &c->store.repos[i];
		if (!is_meant(c, r)) continue;
		if (!verify_repo(c, r, &good, &bad)) return c->code;
		for (size_t k = 0; k < r->file_count; k++) alone += !*r->files[k].hash && !r->files[k].broken;
	}
	ckpt_bars_end(c->bars);
	if (c->o->json && !end_json(c)) return CKPT_EXIT_BY_ERROR;
	if (!c->o->json && !c->call->quiet) printf("%zu blob%s right, %zu file%s wrong\n", good, good == 1 ? " is" : "s are", bad, bad == 1 ? " is" : "s are");
	if (alone) ckpt_remark(c->call, "%zu files are no links to blobs, and no hash of them is known", alone);
	return bad ? CKPT_EXIT_NEGATIVE : CKPT_EXIT_OK;
}

/* ---- rm and prune ---- */

static bool agreed(cache_run *c, const char *verb)
{
	char answer[16] = "";
	if (c->o->yes) return true;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return ckpt_fail(c->err, CKPT_E_USAGE, "nothing was removed: ckpt cache %s needs --yes where no terminal can be asked", verb);
	fprintf(stderr, "remove? [y/N] ");
	fflush(stderr);
	if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y')) return true;
	ckpt_remark(c->call, "nothing was removed");
	return false;
}

/* One line a repository with what its removal frees; returns how many. */
static size_t announce(cache_run *c, bool whole)
{
	size_t count = 0;
	char text[32];
	for (size_t i = 0; i < c->store.count; i++) {
		const ckpt_store_repo *r = &c->store.repos[i];
		uint64_t bytes = whole ? ckpt_store_freed(r) : ckpt_store_prunable(r);
		if (!is_meant(c, r) || (!whole && bytes == 0)) continue;
		ckpt_bytes_text((double)bytes, text, sizeof text);
		printf("%-8s ", text);
		ckpt_text_print(stdout, r->name);
		putchar('\n');
		count++;
	}
	fflush(stdout);
	return count;
}

static int make_room(cache_run *c, bool whole)
{
	size_t left = 0;
	if (announce(c, whole) == 0) {
		if (!c->call->quiet) printf("nothing to remove\n");
		return CKPT_EXIT_OK;
	}
	if (!agreed(c, whole ? "rm" : "prune")) return c->err->code ? CKPT_EXIT_BY_ERROR : CKPT_EXIT_NEGATIVE;
	for (size_t i = 0; i < c->store.count; i++) {
		const ckpt_store_repo *r = &c->store.repos[i];
		if (!is_meant(c, r)) continue;
		bool busy = false;
		if (!(whole ? ckpt_store_remove : ckpt_store_prune)(c->hub, r, &busy, c->err)) return CKPT_EXIT_BY_ERROR;
		if (busy) ckpt_remark(c->call, "%s is left alone: a process is pulling into it", r->name);
		left += busy;
	}
	if (left && whole) ckpt_fail(c->err, CKPT_E_IO, "%zu repositor%s not removed: try again when nothing is pulled", left, left == 1 ? "y was" : "ies were");
	if (left && whole) return CKPT_EXIT_BY_ERROR;
	if (!c->call->quiet) printf("removed\n");
	return CKPT_EXIT_OK;
}

/* ---- the command ---- */

static int dispatch(cache_run *c)
{
	static const char *const verbs[] = {"ls", "verify", "prune", "rm"};
	const char *verb = c->call->arguments[0];
	bool known = false;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) known = known || !strcmp(verb, verbs[i]);
	if (!known) {
		ckpt_fail(c->err, CKPT_E_USAGE, "'%s' is no verb of ckpt cache: ls, verify, rm and prune are", verb);
		return CKPT_EXIT_BY_ERROR;
	}
	for (size_t i = 1; i < c->call->argument_count; i++) {
		if (ckpt_store_find(&c->store, c->call->arguments[i])) continue;
		ckpt_fail(c->err, CKPT_E_NOT_FOUND, "the cache %s has no '%s' (ckpt cache ls)", ckpt_hub_cache(c->hub), c->call->arguments[i]);
		return ckpt_hub_exit(CKPT_HUB_MISSING);
	}
	if (!strcmp(verb, "ls")) return list(c);
	if (!strcmp(verb, "verify")) return verify(c);
	if (!strcmp(verb, "prune")) return make_room(c, false);
	if (c->call->argument_count > 1) return make_room(c, true);
	ckpt_fail(c->err, CKPT_E_USAGE, "ckpt cache rm needs the name of a repository");
	return CKPT_EXIT_BY_ERROR;
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	ckpt_bars bars;
	cache_run c = {.call = call, .o = call->options, .bars = &bars, .code = CKPT_EXIT_BY_ERROR, .err = err};
	int code = CKPT_EXIT_BY_ERROR;
	c.hub = ckpt_hub_connect(call, &(ckpt_hub_options){.cache_dir = c.o->cache_dir, .token = c.o->token}, &bars, err);
	if (c.hub && ckpt_store_read(c.hub, &c.store, err)) code = dispatch(&c);
	if (c.hub) ckpt_bars_end(&bars);
	ckpt_buffer_free(&c.json);
	ckpt_store_free(&c.store);
	ckpt_hub_free(c.hub);
	return code;
}

static const char *const synopsis[] = {"ls [REPO]... [OPTION]...", "verify [REPO]... [--repair] [OPTION]...",
                                       "rm REPO... [--yes] [OPTION]...", "prune [REPO]... [--yes] [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Looks after the cache of the Hugging Face Hub that ckpt pull and Python's huggingface_hub share. `ls` lists the "
	       "repositories with their sizes. `verify` compares the content of every blob with the hash that is its name, without a "
	       "network; `--repair` fetches again what is wrong or gone."},
	{NULL, "`rm` removes repositories, `prune` the snapshots that no branch or tag of the cache points to, blobs that none of the others "
	       "needs, and partial downloads. Both say what they free and ask on a terminal; elsewhere they need `--yes`. Links are removed, never "
	       "what they lead to, and nothing outside the repository's folder and its locks is touched. A repository that ckpt or Python is pulling "
	       "into is left alone, which is said."},
	{"JSON", "`ls --json` prints an array of objects with `repo`, `path`, `bytes`, `bytes_prunable`, `revisions` (a number) and `refs`; "
	         "`verify --json` one of `repo`, `file`, `blob` and `state` for each file that is wrong or was repaired."},
	{0},
};

#define FIELD(name) offsetof(struct cache_options, name)
static const ckpt_option options[] = {
	{"cache-dir", 0, CKPT_OPTION_TEXT, FIELD(cache_dir), "DIR", "use this cache", 0, 0},
	{"repair", 0, CKPT_OPTION_FLAG, FIELD(repair), NULL, "verify: fetch again what is wrong", 0, 0},
	{"yes", 0, CKPT_OPTION_FLAG, FIELD(yes), NULL, "rm, prune: do not ask", 0, 0},
	{"token", 0, CKPT_OPTION_TEXT, FIELD(token), "TOKEN", "verify: use this token (better in `HF_TOKEN`)", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, FIELD(json), NULL, "ls, verify: print the result as JSON", 0, 0},
	{0},
};

static const ckpt_exit_code exits[] = {
	{1, "verify: some file is wrong or gone; rm, prune: the answer was no"},
	{4, "the cache, or with --repair the Hub, has no such repository or file"},
	{5, "--repair: access is refused"},
	{6, "--repair: offline"},
	{7, "--repair: the network or the server failed"},
	{8, "--repair: what came is not what the Hub states"},
	{9, "--repair: there is not enough space on the disk"},
	{0, NULL},
};

const ckpt_tool ckpt_tool_cache = {
	.name = "cache",
	.summary = "list, verify, repair or empty the cache of the Hub",
	.synopsis = synopsis,
	.description = description,
	.options = options,
	.options_size = sizeof(struct cache_options),
	.arguments_min = 1,
	.arguments_max = SIZE_MAX,
	.exits = exits,
	.run = run,
};
