/* cmd_pull.c -- ckpt pull: fetch a model from the Hugging Face Hub into the cache that Python shares */
#include <stdlib.h>
#include <string.h>

#include "../lib/json.h"
#include "hub.h"
#include "number.h"
#include "table.h"
#include "tool.h"

struct pull_options {
	const char *revision, *cache_dir, *local_dir, *token;
	ckpt_list include, exclude;
	bool dry_run, force, json;
};

/* ---- what is printed ---- */

static void string(ckpt_buffer *b, const char *text)
{
	ckpt_json_write_string(b, text, strlen(text), false);
}

static bool print_json(const ckpt_hub_id *id, const ckpt_hub_result *r, uint64_t transferred, ckpt_error *err)
{
	ckpt_buffer b = {0};
	ckpt_buffer_str(&b, "{\n  \"path\": ");
	string(&b, r->path);
	ckpt_buffer_str(&b, ",\n  \"repo\": ");
	string(&b, id->repo);
	ckpt_buffer_str(&b, ",\n  \"revision\": ");
	string(&b, *id->revision ? id->revision : "main");
	ckpt_buffer_printf(&b, ",\n  \"commit\": \"%s\",\n  \"bytes_missing\": %llu,\n  \"bytes_transferred\": %llu,\n  \"files\": [",
	                   r->commit, (unsigned long long)r->missing, (unsigned long long)transferred);
	for (size_t i = 0; i < r->count; i++) {
		ckpt_buffer_str(&b, i ? ",\n    {\"name\": " : "\n    {\"name\": ");
		string(&b, r->items[i].name);
		ckpt_buffer_printf(&b, ", \"bytes\": %llu, \"cached\": %s}", (unsigned long long)r->items[i].size,
		                   r->items[i].cached ? "true" : "false");
	}
	ckpt_buffer_str(&b, r->count ? "\n  ]\n}\n" : "]\n}\n");
	bool ok = ckpt_buffer_ok(&b, err);
	if (ok) fwrite(b.data, 1, b.length, stdout);
	ckpt_buffer_free(&b);
	return ok;
}

static bool print_list(const ckpt_call *call, const ckpt_hub_result *r, ckpt_error *err)
{
	static const ckpt_column columns[] = {{.title = "FILE", .least = 20, .middle = true}, {.title = "SIZE", .right = true},
	                                      {.title = ""}};
	ckpt_table *t = ckpt_table_new(columns, 3);
	char text[32];
	if (!t) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < r->count; i++) {
		ckpt_bytes_text((double)r->items[i].size, text, sizeof text);
		ckpt_table_text(t, r->items[i].name);
		ckpt_table_text(t, text);
		ckpt_table_text(t, r->items[i].cached ? "cached" : "");
	}
	bool ok = ckpt_table_print(t, stdout, &call->terminal, true, err);
	ckpt_table_free(t);
	return ok;
}

static bool print(const ckpt_call *call, const ckpt_hub_id *id, const ckpt_hub_result *r, uint64_t transferred, double seconds,
                  ckpt_error *err)
{
	const struct pull_options *o = call->options;
	char text[32];
	if (o->json) return print_json(id, r, transferred, err);
	if (o->dry_run && !print_list(call, r, err)) return false;
	ckpt_bytes_text((double)(o->dry_run ? r->missing : transferred), text, sizeof text);
	if (!call->quiet && o->dry_run)
		printf("%zu of %zu files, %s to be transferred\n", r->count, r->of, text);
	else if (!call->quiet && r->of)
		printf("%s: %zu of %zu files at commit %.12s, %s transferred in %.1f s\n", id->repo, r->count, r->of, r->commit, text, seconds);
	ckpt_text_print(stdout, r->path);
	putchar('\n');
	return true;
}

/* ---- the command ---- */

static bool identify(const ckpt_call *call, const ckpt_hub *hub, ckpt_hub_id *id, ckpt_error *err)
{
	const struct pull_options *o = call->options;
	char text[1400];
	if (!ckpt_hub_parse(call->arguments[0], ckpt_hub_endpoint(hub), id, err)) return false;
	if (!o->revision) return true;
	if (*id->revision) return ckpt_fail(err, CKPT_E_USAGE, "%s names a revision, and --revision another one", call->arguments[0]);
	ckpt_hub_id with;
	snprintf(text, sizeof text, "%s@%.300s", id->repo, o->revision);
	if (!ckpt_hub_parse(text, ckpt_hub_endpoint(hub), &with, err)) return false;
	memcpy(id->revision, with.revision, sizeof id->revision);
	return true;
}

/* DIR of --local-dir without slashes at its end, malloced. */
static char *without_slashes(const char *text, ckpt_error *err)
{
	size_t n = strlen(text);
	while (n > 1 && text[n - 1] == '/') n--;
	char *out = n ? strndup(text, n) : NULL;
	if (!out) n ? ckpt_fail_nomem(err) : ckpt_fail(err, CKPT_E_USAGE, "--local-dir needs the name of a folder");
	return out;
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const struct pull_options *o = call->options;
	char *folder = NULL;
	if (o->local_dir && !(folder = without_slashes(o->local_dir, err))) return CKPT_EXIT_BY_ERROR;
	const ckpt_hub_wish wish = {.files = call->arguments + 1,
	                            .file_count = call->argument_count - 1,
	                            .include = o->include.items,
	                            .include_count = o->include.count,
	                            .exclude = o->exclude.items,
	                            .exclude_count = o->exclude.count,
	                            .local_dir = folder,
	                            .force = o->force,
	                            .whole = true,
	                            .dry_run = o->dry_run};
	ckpt_hub_id id;
	ckpt_hub_result result = {0};
	ckpt_bars bars;
	int code = CKPT_EXIT_BY_ERROR;
	const ckpt_hub_options settings = {.cache_dir = o->cache_dir, .token = o->token};
	ckpt_hub *hub = ckpt_hub_connect(call, &settings, &bars, err);
	if (!hub || !identify(call, hub, &id, err)) goto done;
	if ((*id.file || wish.file_count) && (o->include.count || o->exclude.count)) {
		ckpt_fail(err, CKPT_E_USAGE, "files were named, so --include and --exclude have no place");
		goto done;
	}
	bool ok = ckpt_hub_pull(hub, &id, &wish, &result, err);
	double seconds = ckpt_bars_end(&bars);
	if (!ok)
		code = ckpt_hub_exit(ckpt_hub_why(hub));
	else if (print(call, &id, &result, ckpt_hub_transferred(hub), seconds, err))
		code = CKPT_EXIT_OK;
done:
	ckpt_hub_result_free(&result);
	ckpt_hub_free(hub);
	free(folder);
	return code;
}

static const char *const synopsis[] = {"REPO [FILE]... [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Fetches a model from the Hugging Face Hub into the cache that Python's huggingface_hub uses, and prints the path of the "
	       "snapshot as the last line (the path of the file, when one was named). What Python has downloaded is not fetched again, "
	       "and Python finds what ckpt pulled, also offline. REPO is `name`, `org/name`, `org/name@revision`, "
	       "`hf://org/name[@revision][/file]` or a URL of the Hub."},
	{NULL, "Without FILE and `--include` the files that a checkpoint needs are chosen: config, tokenizer, and the weights in one format "
	       "(safetensors before the others). A FILE that ends in / stands for a folder; a glob's `*` also matches /."},
	{NULL, "Every file is compared with the SHA-256 or git SHA-1 that the Hub states while it comes, and gets its name only when they "
	       "agree. An interrupted pull goes on where it stopped. A file of 64 MiB or more comes as ranges over four connections, when the server "
	       "gives ranges; what has come behind the first gap, 48 MiB at most, is fetched again after an interruption. Failures of the network are retried with waits of at most a minute, "
	       "which are said; when the Hub cannot be reached, a snapshot in the cache is used. A terminal shows a bar for the file under way and one "
	       "for all files, each with bytes, rate and the time that is left."},
	{NULL, "`--local-dir` puts files under their own names into a folder, with the books in its `.cache/huggingface` that `hf download "
	       "--local-dir` keeps, so that either goes on where the other stopped. A file that was changed there is noticed by its time "
	       "or its hash, said and replaced; what the cache has is copied from it."},
	{"ENVIRONMENT", "The variables of huggingface_hub are followed: `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME` (where the cache is), "
	                "`HF_ENDPOINT`, `HF_TOKEN` and `HF_TOKEN_PATH` (default: the file token in `HF_HOME`), `HF_HUB_DISABLE_IMPLICIT_TOKEN`, "
	                "`HF_HUB_OFFLINE`, `HF_HUB_DISABLE_SYMLINKS` (files in place of links), `HF_HUB_DOWNLOAD_TIMEOUT` (seconds without progress after which a transfer is begun again, default 10), "
	                "`HF_HUB_ETAG_TIMEOUT` (seconds to connect), `HF_HUB_DISABLE_PROGRESS_BARS` (no bars), `SSL_CERT_FILE`, `SSL_CERT_DIR`, and the usual ones of proxies. The token "
	                "goes to the endpoint alone, never to another host, port or scheme; only https is spoken, but to this machine itself."},
	{"JSON", "`--json` prints an object with `path`, `repo`, `revision`, `commit`, `bytes_missing` (before the pull), `bytes_transferred` and "
	         "`files`, a list of `name`, `bytes` and `cached` (empty when the cache was used without the Hub)."},
	{0},
};

#define FIELD(name) offsetof(struct pull_options, name)
static const ckpt_option options[] = {
	{"revision", 0, CKPT_OPTION_TEXT, FIELD(revision), "REV", "a branch, tag or commit (default: main)", 0, 0},
	{"include", 0, CKPT_OPTION_LIST, FIELD(include), "GLOB", "fetch the files that match instead of the usual ones; may be repeated", 0, 0},
	{"exclude", 0, CKPT_OPTION_LIST, FIELD(exclude), "GLOB", "leave out files that match; may be repeated", 0, 0},
	{"cache-dir", 0, CKPT_OPTION_TEXT, FIELD(cache_dir), "DIR", "use this cache", 0, 0},
	{"local-dir", 0, CKPT_OPTION_TEXT, FIELD(local_dir), "DIR", "put the files into this folder instead of the cache", 0, 0},
	{"token", 0, CKPT_OPTION_TEXT, FIELD(token), "TOKEN", "use this token (better in `HF_TOKEN`, where no list of processes shows it)", 0, 0},
	{"dry-run", 0, CKPT_OPTION_FLAG, FIELD(dry_run), NULL, "list the files and fetch none", 0, 0},
	{"force-download", 0, CKPT_OPTION_FLAG, FIELD(force), NULL, "fetch again what is in the cache", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, FIELD(json), NULL, "print the result as JSON", 0, 0},
	{0},
};

const ckpt_tool ckpt_tool_pull = {
	.name = "pull",
	.summary = "fetch a model from the Hugging Face Hub, verified",
	.synopsis = synopsis,
	.description = description,
	.options = options,
	.options_size = sizeof(struct pull_options),
	.arguments_min = 1,
	.arguments_max = SIZE_MAX,
	.exits = ckpt_hub_exits,
	.run = run,
};
