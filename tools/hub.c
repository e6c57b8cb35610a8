/* hub.c -- finds the models that are named on the command line: here, in the cache, on the Hub */
#include "hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../formats/format.h"
#include "../formats/model_folder.h"
#include "../lib/checkpoint.h"
#include "../lib/ends_in.h"
#include "../lib/model/arch.h"
#include "number.h"

enum { CONFIG_MOST = 1 << 20 };

const ckpt_exit_code ckpt_hub_exits[] = {
	{4, "the Hub has no such repository, revision or file (or it is private)"},
	{5, "access is refused: gated, private, or a bad token"},
	{6, "offline, and not in the cache"},
	{7, "the network or the server failed"},
	{8, "what came is not what the Hub states; nothing of it was kept"},
	{9, "there is not enough space on the disk for what is fetched"},
	{0, NULL},
};

int ckpt_hub_exit(ckpt_hub_cause why)
{
	switch (why) {
	case CKPT_HUB_MISSING:
	case CKPT_HUB_ABSENT:
		return 4;
	case CKPT_HUB_REFUSED:
		return 5;
	case CKPT_HUB_OFFLINE:
		return 6;
	case CKPT_HUB_NETWORK:
		return 7;
	case CKPT_HUB_CORRUPT:
		return 8;
	case CKPT_HUB_SPACE:
		return 9;
	default:
		return CKPT_EXIT_BY_ERROR;
	}
}

ckpt_hub *ckpt_hub_connect(const ckpt_call *call, const ckpt_hub_options *options, ckpt_bars *bars, ckpt_error *err)
{
	ckpt_hub_options settings = {0};
	if (options) settings = *options;
	ckpt_bars_begin(bars, call);
	settings.note = ckpt_bars_note;
	settings.progress = ckpt_bars_tick;
	settings.note_user = settings.user = bars;
	ckpt_hub *hub = ckpt_hub_new(&settings, err);
	if (!hub) ckpt_bars_end(bars);
	return hub;
}

/* ---- is it a name? --------------------------------------------------------------------------------------------- */

static bool is_url(const char *text)
{
	return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
}

/* What exists, and what is written as a path or named like a file, is no name of a model. */
static bool is_path(const char *text)
{
	static const char *const files[] = {".json", ".txt", ".gguf", ".pkl", ".pickle", ".onnx", ".h5", ".zip", ".tar", ".gz"};
	struct stat st;
	if (lstat(text, &st) == 0 || !*text || strchr("/.~", *text) || text[strlen(text) - 1] == '/') return true;
	if (strstr(text, "://")) return false;
	if (ckpt_format_by_suffix(text)) return true;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (ckpt_ends_in(text, files[i])) return true;
	return false;
}

/* ---- finding it ------------------------------------------------------------------------------------------------ */

static bool connect(ckpt_models *m, ckpt_error *err)
{
	if (!m->hub) m->hub = ckpt_hub_connect(m->call, NULL, &m->bars, err);
	return m->hub;
}

static bool keep_path(ckpt_models *m, char *path, const char **out, ckpt_error *err)
{
	char **grown = path ? realloc(m->paths, (m->count + 1) * sizeof *grown) : NULL;
	if (!grown) {
		free(path);
		return ckpt_fail_nomem(err);
	}
	m->paths = grown;
	m->paths[m->count++] = path;
	*out = path;
	return true;
}

/* A bare name may as well have been meant for a file: the sentence says both. */
static bool explain(const ckpt_models *m, const char *text, unsigned how, const ckpt_error *why, ckpt_error *err)
{
	char list[256], types[300] = "";
	ckpt_hub_cause cause = ckpt_hub_why(m->hub);
	bool bare = !strstr(text, "://") && !strchr(text, '@');
	const char *kinds = how & CKPT_MODELS_CONFIG ? ", folder or model type" : " or folder";
	if (how & CKPT_MODELS_CONFIG) snprintf(types, sizeof types, " (%s)", ckpt_arch_list(list, sizeof list));
	if (bare && cause == CKPT_HUB_MISSING)
		return ckpt_fail(err, why->code, "there is no file%s '%s' here%s, and no model of that name at %s (or it is private)", kinds, text,
		                 types, ckpt_hub_endpoint(m->hub));
	if (bare && cause == CKPT_HUB_OFFLINE)
		return ckpt_fail(err, why->code, "there is no file%s '%s' here%s, and no model of that name in the cache %s (HF_HUB_OFFLINE is set)",
		                 kinds, text, types, ckpt_hub_cache(m->hub));
	if (bare && (cause == CKPT_HUB_NETWORK || cause == CKPT_HUB_REFUSED))
		return ckpt_fail(err, why->code, "there is no file%s '%s' here%s; as a model on the Hub: %s", kinds, text, types, why->text);
	*err = *why;
	return false;
}

static void tell(const ckpt_models *m, const ckpt_hub_id *id, const ckpt_hub_result *r, uint64_t before)
{
	char size[32];
	uint64_t came = ckpt_hub_transferred(m->hub) - before;
	ckpt_bytes_text((double)came, size, sizeof size);
	if (came)
		ckpt_remark(m->call, "%s: commit %.12s, %s fetched into the cache", id->repo, r->commit, size);
	else
		ckpt_remark(m->call, "%s: commit %.12s from the cache", id->repo, r->commit);
}

static bool pull(ckpt_models *m, const ckpt_hub_id *id, const ckpt_hub_wish *wish, const char **out, ckpt_error *err)
{
	ckpt_hub_result r = {0};
	uint64_t before = ckpt_hub_transferred(m->hub);
	bool ok = ckpt_hub_pull(m->hub, id, wish, &r, err);
	if (ok) {
		tell(m, id, &r, before);
		ok = keep_path(m, r.path, out, err);
		r.path = NULL;
	}
	ckpt_hub_result_free(&r);
	return ok;
}

/* ---- looking from afar ----------------------------------------------------------------------------------------- */

/* The file that decides, as for a folder: by its usual name, else the only one there is. */
static const char *choose(const ckpt_hub_id *id, const ckpt_hub_result *r, ckpt_error *err)
{
	const char *best = NULL, *index = NULL, *only = NULL;
	size_t weights = 0, indices = 0;
	if (*id->file) return id->file;
	for (size_t i = 0; i < r->count; i++) {
		const char *name = r->items[i].name;
		if (strchr(name, '/') || !ckpt_is_weight_file(name)) continue;
		weights++;
		only = name;
		if (ckpt_is_index_file(name)) index = name, indices++;
		if (ckpt_weight_rank(name) < (best ? ckpt_weight_rank(best) : SIZE_MAX)) best = name;
	}
	if (best || indices == 1) return best ? best : index;
	if (weights == 1) return only;
	ckpt_fail(err, CKPT_E_NOT_FOUND, weights ? "%s has %zu files of weights and none has a usual name: name one (hf://%s/FILE)"
	                                         : "%s has %zu files of weights in its top folder: name one in another (hf://%s/FILE)",
	          id->repo, weights, id->repo);
	return NULL;
}

static bool is_needed(const ckpt_hub_id *id, const char *name)
{
	return *id->file || ckpt_is_weight_file(name) || strcmp(name, "config.json") == 0;
}

/* All that would be read is in the cache: then it is read there. */
static bool is_cached(const ckpt_hub_id *id, const ckpt_hub_result *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (is_needed(id, r->items[i].name) && !r->items[i].cached) return false;
	return true;
}

static bool use_cached(ckpt_models *m, const ckpt_hub_id *id, const ckpt_hub_result *r, const char **out, ckpt_error *err)
{
	const char **names = calloc(r->count + 1, sizeof *names);
	ckpt_hub_wish wish = {.files = names};
	if (!names) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < r->count && !*id->file; i++)
		if (is_needed(id, r->items[i].name)) names[wish.file_count++] = r->items[i].name;
	bool ok = pull(m, id, &wish, out, err);
	free(names);
	return ok;
}

/* config.json, into a temporary file that the model's reader can open. */
static bool look_config(ckpt_models *m, const ckpt_hub_id *id, const ckpt_hub_result *r, ckpt_error *err)
{
	bool there = false;
	for (size_t i = 0; i < r->count; i++) there = there || !strcmp(r->items[i].name, "config.json");
	if (!there) return true;
	ckpt_file *file = ckpt_hub_look(m->hub, id->repo, r->commit, "config.json", err);
	if (!file) return false;
	uint64_t size = ckpt_file_size(file);
	char *text = size <= CONFIG_MOST ? malloc(size) : NULL;
	bool ok = text && ckpt_file_read(file, 0, size, text, err);
	if (size > CONFIG_MOST)
		ckpt_fail(err, CKPT_E_LIMIT, "%s/config.json has %llu bytes, at most %d are read", id->repo, (unsigned long long)size, CONFIG_MOST);
	else if (!text)
		ckpt_fail_nomem(err);
	if (ok) {
		m->config_fd = ckpt_file_temporary();
		ok = m->config_fd >= 0 && ckpt_file_write_whole(m->config_fd, text, size);
		if (!ok) ckpt_fail_errno(err, errno, "%s/config.json: cannot write a temporary file", id->repo);
	}
	free(text);
	ckpt_file_unref(file);
	return ok;
}

static bool look_repo(ckpt_models *m, const ckpt_hub_id *id, const char *text, const char **out, ckpt_error *err)
{
	ckpt_hub_result r = {0}, cached = {0};
	const ckpt_hub_wish any = {0};
	bool has = ckpt_hub_cached(m->hub, id, &any, &cached);
	const ckpt_hub_wish all = {.dry_run = true, .hasty = has};
	bool ok = ckpt_hub_pull(m->hub, id, &all, &r, err);
	ckpt_hub_cause why = ckpt_hub_why(m->hub);
	if (!ok && (why == CKPT_HUB_NETWORK || why == CKPT_HUB_REFUSED) && has) {
		ckpt_remark(m->call, "%s; the cache has commit %s, which is used", err->text, cached.commit);
		*err = (ckpt_error){0};
		ok = keep_path(m, cached.path, out, err);
		cached.path = NULL;
	} else if (ok && !r.of) { /* offline: what the cache has */
		tell(m, id, &r, ckpt_hub_transferred(m->hub));
		ok = keep_path(m, r.path, out, err);
		r.path = NULL;
	} else if (ok && is_cached(id, &r)) {
		ok = use_cached(m, id, &r, out, err);
	} else if (ok) {
		const char *file = choose(id, &r, err);
		m->file = file ? ckpt_hub_look(m->hub, id->repo, r.commit, file, err) : NULL;
		m->looked = text;
		ok = m->file && (*id->file || look_config(m, id, &r, err));
		if (ok) ckpt_remark(m->call, "%s: commit %.12s, looked at from afar", id->repo, r.commit);
	}
	ckpt_hub_result_free(&r);
	ckpt_hub_result_free(&cached);
	return ok;
}

ckpt_checkpoint *ckpt_models_open(const ckpt_models *m, const ckpt_open_options *options, ckpt_error *err)
{
	ckpt_checkpoint *cp = ckpt_open_file(m->file, options, err);
	if (!cp || m->config_fd < 0) return cp;
	free(cp->config_folder);
	if (asprintf(&cp->config_folder, "/proc/self/fd/%d", m->config_fd) >= 0) return cp;
	cp->config_folder = NULL;
	ckpt_fail_nomem(err);
	ckpt_checkpoint_free(cp);
	return NULL;
}

/* ---- one name -------------------------------------------------------------------------------------------------- */

static bool find_one(ckpt_models *m, const char *text, unsigned how, const char **out, ckpt_error *err)
{
	static const char *const config[] = {"config.json"};
	static const char *const tokenizer[] = {"tokenizer*", "vocab.*", "merges.txt", "special_tokens_map.json", "added_tokens.json",
	                                        "*.model", "sentencepiece*", "chat_template*", "config.json"};
	static const char *const all[] = {"*"};
	const ckpt_hub_wish whole = {0};
	ckpt_hub_wish wish = {.files = config, .file_count = how & CKPT_MODELS_CONFIG ? 1 : 0};
	if (how & CKPT_MODELS_TOKENIZER) wish = (ckpt_hub_wish){.include = tokenizer, .include_count = sizeof tokenizer / sizeof *tokenizer};
	if (how & CKPT_MODELS_WHOLE) wish = (ckpt_hub_wish){.include = all, .include_count = 1, .whole = true};
	ckpt_hub_id id;
	ckpt_error why = {0};
	if (is_path(text) || (how & CKPT_MODELS_CONFIG && ckpt_arch_find(text))) return true;
	if (!connect(m, err)) return false;
	size_t base = strlen(ckpt_hub_endpoint(m->hub));
	bool elsewhere = is_url(text) && !(strncmp(text, ckpt_hub_endpoint(m->hub), base) == 0 && text[base] == '/');
	if (elsewhere && how & CKPT_MODELS_LOOK) {
		m->looked = text;
		m->file = ckpt_hub_look_url(m->hub, text, err);
		return m->file;
	}
	if (elsewhere)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "%.300s is not on the Hub at %s: `ckpt inspect` and `ckpt cat` read it there, "
		                 "other commands want it fetched first", text, ckpt_hub_endpoint(m->hub));
	if (!ckpt_hub_parse(text, ckpt_hub_endpoint(m->hub), &id, &why)) {
		if (!strstr(text, "://")) return true; /* then it can only be a path */
		*err = why;
		return false;
	}
	bool ok = how & CKPT_MODELS_LOOK ? look_repo(m, &id, text, out, &why) : pull(m, &id, *id.file ? &whole : &wish, out, &why);
	return ok || explain(m, text, how, &why, err);
}

static bool find_options(ckpt_models *m, const ckpt_option_group *groups, size_t count, ckpt_error *err)
{
	for (size_t g = 0; g < count; g++)
		for (const ckpt_option *o = groups[g].options; o && o->name; o++) {
			if (o->kind != CKPT_OPTION_MODEL && o->kind != CKPT_OPTION_CONFIG) continue;
			const char **field = (const char **)(void *)((char *)groups[g].values + o->field);
			if (*field && !find_one(m, *field, o->kind == CKPT_OPTION_CONFIG ? CKPT_MODELS_CONFIG : 0, field, err)) return false;
		}
	return true;
}

bool ckpt_models_find(ckpt_models *m, ckpt_call *call, const char **arguments, const ckpt_option_group *groups,
                      size_t group_count, int *code, ckpt_error *err)
{
	unsigned how = call->tool->models;
	size_t count = how & CKPT_MODELS_ALL ? SIZE_MAX : how & CKPT_MODELS_BOTH ? 2 : how & CKPT_MODELS_FIRST ? 1 : 0;
	bool ok = true;
	*m = (ckpt_models){.call = call, .config_fd = -1};
	for (size_t i = 0; ok && i < count && i < call->argument_count; i++) ok = find_one(m, arguments[i], how, &arguments[i], err);
	ok = ok && find_options(m, groups, group_count, err);
	if (m->hub) {
		ckpt_bars_end(&m->bars);
		m->bars.progress.width = 0; /* reads from afar are part of other work */
	}
	if (!ok) *code = m->hub ? ckpt_hub_exit(ckpt_hub_why(m->hub)) : CKPT_EXIT_BY_ERROR;
	return ok;
}

bool ckpt_call_transferred(const ckpt_call *call, uint64_t *bytes)
{
	if (!call->models || !call->models->hub) return false;
	*bytes = ckpt_hub_transferred(call->models->hub);
	return true;
}

void ckpt_remark_transfer(const ckpt_call *call, const char *path)
{
	char text[CKPT_NUMBER_TEXT];
	uint64_t bytes;
	if (!ckpt_call_transferred(call, &bytes) || !call->models->file) return;
	ckpt_remark(call, "%s: %s bytes were transferred, nothing was downloaded", path, ckpt_count_text(bytes, text, sizeof text));
}

void ckpt_models_free(ckpt_models *m)
{
	for (size_t i = 0; i < m->count; i++) free(m->paths[i]);
	free(m->paths);
	ckpt_file_unref(m->file);
	if (m->config_fd >= 0) close(m->config_fd);
	ckpt_hub_free(m->hub);
}
