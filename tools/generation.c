/* generation.c -- generation_config.json: what ends a text, what begins it, and what is not done here */
#include "generation.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/buffer.h"
#include "../lib/file.h"
#include "../lib/json.h"
#include "../lib/limits.h"

enum { FILE_MOST = 1 << 20 };

static void add_end(ckpt_generation *g, int64_t id)
{
	if (g->how.end_count < CKPT_ENDS_MOST) g->ends[g->how.end_count++] = id;
}

/* ---- config.json ---- */

static int64_t from_config(const ckpt_model *model, const char *key, int64_t fallback)
{
	uint64_t value;
	return ckpt_config_u64(model->config, key, &value) && value <= INT64_MAX ? (int64_t)value : fallback;
}

static void ends_from_config(const ckpt_model *model, ckpt_generation *g)
{
	int64_t id;
	const ckpt_node *n = ckpt_config_get(model->config, "eos_token_id");
	if (n && ckpt_node_i64(n, &id)) add_end(g, id);
	for (n = n && n->kind == CKPT_NODE_LIST ? n->child : NULL; n; n = n->next)
		if (ckpt_node_i64(n, &id)) add_end(g, id);
}

/* ---- generation_config.json ---- */

static void one_number(const ckpt_json *root, const char *key, int64_t *to)
{
	const ckpt_json *v = ckpt_json_member(root, key);
	if (v) ckpt_json_i64(v, to);
}

/* What would choose other words than the most likely ones. */
static void note_others(const ckpt_call *call, const char *path, const ckpt_json *root)
{
	static const struct {
		const char *key;
		double plain;
	} others[] = {{"num_beams", 1},          {"repetition_penalty", 1}, {"no_repeat_ngram_size", 0}, {"encoder_no_repeat_ngram_size", 0},
	              {"min_length", 0},         {"min_new_tokens", 0},     {"diversity_penalty", 0},    {"encoder_repetition_penalty", 1}};
	static const char *const lists[] = {"suppress_tokens", "begin_suppress_tokens", "bad_words_ids", "sequence_bias", "forced_decoder_ids"};
	double value;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		const ckpt_json *v = ckpt_json_member(root, others[i].key);
		if (v && ckpt_json_f64(v, &value) && (value > others[i].plain || value < others[i].plain))
			ckpt_remark(call, "%s asks for %s, which is not done: each word is the most likely one", path, others[i].key);
	}
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		const ckpt_json *v = ckpt_json_member(root, lists[i]);
		if (v && ckpt_json_get_kind(v) == CKPT_JSON_ARRAY && ckpt_json_child(v))
			ckpt_remark(call, "%s asks for %s, which is not done: each word is the most likely one", path, lists[i]);
	}
}

/* What the file says, and what it leaves out is not asked for: config.json counts where there is no such file. */
static void apply(const ckpt_json *root, ckpt_generation *g)
{
	const ckpt_json *end = ckpt_json_member(root, "eos_token_id");
	int64_t id;
	g->how.end_count = 0;
	g->how.first = g->how.last = -1;
	if (end) {
		if (ckpt_json_i64(end, &id)) add_end(g, id);
		for (const ckpt_json *v = ckpt_json_get_kind(end) == CKPT_JSON_ARRAY ? ckpt_json_child(end) : NULL; v; v = ckpt_json_next(v))
			if (ckpt_json_i64(v, &id)) add_end(g, id);
	}
	one_number(root, "decoder_start_token_id", &g->how.start);
	one_number(root, "forced_bos_token_id", &g->how.first);
	one_number(root, "forced_eos_token_id", &g->how.last);
}

static bool read_file(const ckpt_call *call, const char *path, ckpt_generation *g, ckpt_error *err)
{
	ckpt_file *f = ckpt_file_open(path, err);
	uint64_t size = f ? ckpt_file_size(f) : 0;
	char *text = f && size <= FILE_MOST ? malloc((size_t)size + 1) : NULL;
	bool ok = false;
	if (f && size > FILE_MOST)
		ckpt_fail(err, CKPT_E_LIMIT, "it has %llu bytes, at most %d are read", (unsigned long long)size, FILE_MOST);
	else if (f && !text)
		ckpt_fail_nomem(err);
	else if (f)
		ok = ckpt_file_read(f, 0, (size_t)size, text, err);
	ckpt_json *root = ok ? ckpt_json_parse(text, (size_t)size, 16, err) : NULL;
	ok = root != NULL;
	if (ok && ckpt_json_get_kind(root) != CKPT_JSON_OBJECT)
		ok = ckpt_fail(err, CKPT_E_FORMAT, "this is %s, not an object", ckpt_json_kind_name(root));
	if (ok) {
		apply(root, g);
		note_others(call, path, root);
	}
	ckpt_json_free(root);
	free(text);
	ckpt_file_unref(f);
	return ok || ckpt_error_prefix(err, "%s", path);
}

bool ckpt_generation_read(const ckpt_call *call, const char *path, const ckpt_model *model, ckpt_generation *g, ckpt_error *err)
{
	struct stat s;
	ckpt_buffer name = {0};
	const char *slash = strrchr(path, '/');
	bool folder = stat(path, &s) == 0 && S_ISDIR(s.st_mode);
	*g = (ckpt_generation){.how = {.threads = call->threads, .cache_bytes = ckpt_limits_resolve(&call->open.limits).cache_bytes}};
	g->how.start = from_config(model, "decoder_start_token_id", 0);
	g->how.first = from_config(model, "forced_bos_token_id", -1);
	g->how.last = from_config(model, "forced_eos_token_id", -1);
	ends_from_config(model, g);
	if (folder) ckpt_buffer_printf(&name, "%s/", path);
	else if (slash) ckpt_buffer_printf(&name, "%.*s/", (int)(slash - path), path);
	ckpt_buffer_str(&name, "generation_config.json");
	bool ok = ckpt_buffer_ok(&name, err);
	if (ok && stat(name.data, &s) == 0) ok = read_file(call, name.data, g, err);
	ckpt_buffer_free(&name);
	g->how.end = g->ends;
	return ok;
}
