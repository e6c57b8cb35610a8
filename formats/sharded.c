/* sharded.c -- a checkpoint in several files, joined by an index
 *
 * 1. model.safetensors.index.json, pytorch_model.bin.index.json or another *.index*.json: one JSON object.
 * 2. "weight_map": an object that gives for each tensor the file that holds it, a plain name in the index's folder.
 * 3. "metadata", optional: total_size (bytes of all tensors), other numbers, and strings, which are kept.
 *
 * The index and the files must agree: each tensor lies in the file that the index names, and the index lists each
 * tensor of each file. A listed name may be missing when the metadata records it as dropped for another tensor
 * (dropped=kept). Tensors come in the order of the file names, in each file in its own order.
 */
#include <stdlib.h>
#include <string.h>
#include "../lib/error.h"
#include "../lib/json.h"
#include "../lib/names.h"
#include "../lib/path.h"
#include "format.h"

enum { MAX_NESTING = 2 };

typedef struct sh_entry {
	const char *tensor, *file;
	size_t position;
} sh_entry;

typedef struct sh_reader {
	ckpt_checkpoint *cp;
	ckpt_arena arena;
	sh_entry *entries;
	size_t count, capacity;
	ckpt_name_index *names; /* tensor to entry, once the entries are sorted */
	const char *format;     /* of the first shard */
	uint64_t depth, total_size;
	bool has_map, has_total;
} sh_reader;

/* ---- the index ------------------------------------------------------------------------------------------------- */

static bool add_entry(sh_reader *r, const char *tensor, const char *file, ckpt_error *err)
{
	if (r->count >= r->cp->limits.tensors)
		return ckpt_fail_limit(err, "the number of tensors", r->count + 1, "tensors", r->cp->limits.tensors);
	if (r->count == r->capacity) {
		size_t capacity = r->capacity ? 2 * r->capacity : 64;
		sh_entry *grown = realloc(r->entries, capacity * sizeof *grown);
		if (!grown) return ckpt_fail_nomem(err);
		r->entries = grown;
		r->capacity = capacity;
	}
	const char *last =
		r->count ? r->entries[r->count - 1].file : NULL; /* the same file comes many times in a row */
	sh_entry e = {ckpt_arena_copy(&r->arena, tensor, strlen(tensor)), last, r->count};
	if (!last || strcmp(last, file) != 0) e.file = ckpt_arena_copy(&r->arena, file, strlen(file));
	if (!e.tensor || !e.file) return ckpt_fail_nomem(err);
	r->entries[r->count++] = e;
	return true;
}

static bool is_index_name(const char *path)
{
	const char *base = ckpt_path_base(path);
	size_t length = strlen(base);
	return length > 5 && strcmp(base + length - 5, ".json") == 0 && strstr(base, ".index.");
}

static bool check_shard_name(const char *file, ckpt_error *err)
{
	if (!ckpt_path_is_plain(file, "shard name", err)) return false;
	if (!is_index_name(file)) return true;
	return ckpt_fail(err, CKPT_E_FORMAT, "the shard '%s' is an index itself, not a file of tensors", file);
}

static bool visit_weight(void *user, const char *key, const char *value, size_t length, ckpt_error *err)
{
	sh_reader *r = user;
	if (*value != '"')
		return ckpt_fail(err, CKPT_E_FORMAT, "weight_map must give file names, found %s for tensor '%s'",
		                 ckpt_json_text_kind(value), key);
	ckpt_json *v = ckpt_json_parse(value, length, 1, err);
	const char *file = v ? ckpt_json_string(v) : NULL;
	bool ok = file != NULL;
	if (ok && !check_shard_name(file, err)) ok = ckpt_error_prefix(err, "weight_map, tensor '%s'", key);
	if (ok) ok = add_entry(r, key, file, err);
	ckpt_json_free(v);
	return ok;
}

/* Strings are kept as metadata, total_size is compared later, anything else means nothing to us. */
static bool visit_metadata(void *user, const char *key, const char *value, size_t length, ckpt_error *err)
{
	sh_reader *r = user;
	bool total = strcmp(key, "total_size") == 0;
	if (*value != '"' && !(total && *value >= '0' && *value <= '9')) return true;
	ckpt_json *v = ckpt_json_parse(value, length, 1, err);
	bool ok = v != NULL;
	if (ok && *value == '"')
		ok = ckpt_checkpoint_metadata_set(r->cp, key, ckpt_json_string(v), err);
	else if (ok)
		r->has_total = ckpt_json_u64(v, &r->total_size);
	ckpt_json_free(v);
	return ok;
}

static bool visit_index(void *user, const char *key, const char *value, size_t length, ckpt_error *err)
{
	sh_reader *r = user;
	bool is_map = strcmp(key, "weight_map") == 0, is_metadata = strcmp(key, "metadata") == 0;
	if (!is_map && !(is_metadata && *value != 'n')) return true;
	if (*value != '{')
		return ckpt_fail(err, CKPT_E_FORMAT, "%s must be an object, found %s", key, ckpt_json_text_kind(value));
	if (!ckpt_json_each_member(value, length, r->depth, is_map ? visit_weight : visit_metadata, r, err))
		return false;
	r->has_map = r->has_map || is_map;
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	const sh_entry *x = a, *y = b;
	int order = x->file == y->file ? 0 : strcmp(x->file, y->file);
	return order ? order : x->position < y->position ? -1 : x->position > y->position;
}

static bool read_index(sh_reader *r, const ckpt_open_context *context, ckpt_error *err)
{
	uint64_t size = ckpt_file_size(context->file), limit = context->limits.index_bytes;
	if (size > limit) return ckpt_fail_limit(err, "the size of the index", size, "index-bytes", limit);
	char *text = malloc(size + 1);
	if (!text) return ckpt_fail_nomem(err);
	bool ok = ckpt_file_read(context->file, 0, size, text, err) &&
	          ckpt_json_each_member(text, size, r->depth, visit_index, r, err);
	free(text);
	if (!ok) return false;
	if (!r->has_map) return ckpt_fail(err, CKPT_E_FORMAT, "the index has no weight_map");
	if (r->count == 0) return ckpt_fail(err, CKPT_E_FORMAT, "the weight_map is empty");
	qsort(r->entries, r->count, sizeof *r->entries, compare_entries);
	r->names = ckpt_names_new();
	if (!r->names) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < r->count; i++)
		if (!ckpt_names_add(r->names, r->entries[i].tensor, i)) return ckpt_fail_nomem(err);
	return true;
}

/* ---- the shards ------------------------------------------------------------------------------------------------ */

/* Each tensor of the shard must be listed, and listed for this file. */
static bool check_shard(const sh_reader *r, const ckpt_checkpoint *shard, const char *file, ckpt_error *err)
{
	for (size_t i = 0; i < shard->count; i++) {
		const char *tensor = shard->tensors[i].name;
		size_t at = ckpt_names_find(r->names, tensor);
		if (at == SIZE_MAX) return ckpt_fail(err, CKPT_E_FORMAT, "tensor '%s' is missing in the index", tensor);
		if (strcmp(r->entries[at].file, file) != 0)
			return ckpt_fail(err, CKPT_E_FORMAT, "tensor '%s' belongs to shard '%s' by the index", tensor,
			                 r->entries[at].file);
	}
	return true;
}

static bool open_shard(sh_reader *r, const ckpt_open_context *context, const char *folder, const char *name,
                       ckpt_error *err)
{
	ckpt_checkpoint *shard = NULL;
	bool remote = ckpt_file_is_remote(context->file);
	ckpt_file *file = remote ? ckpt_file_beside(context->file, name, err) : ckpt_path_open_below(folder, name, err);
	if (file) shard = context->open_member_file(context, file, err);
	ckpt_file_unref(file);
	bool ok = shard && check_shard(r, shard, name, err);
	if (ok && !r->format) r->format = ckpt_checkpoint_format(shard);
	if (ok) return ckpt_checkpoint_merge(r->cp, shard, err);
	ckpt_checkpoint_free(shard);
	return ckpt_error_prefix(err, "shard '%s'", name);
}

static bool open_shards(sh_reader *r, const ckpt_open_context *context, ckpt_error *err)
{
	char *folder = ckpt_path_folder(context->path, err);
	if (!folder) return false;
	size_t files = 0;
	bool ok = true;
	for (size_t i = 0; i < r->count && ok; i++) {
		if (i > 0 && strcmp(r->entries[i].file, r->entries[i - 1].file) == 0) continue;
		ok = open_shard(r, context, folder, r->entries[i].file, err);
		files++;
	}
	free(folder);
	return ok && ckpt_checkpoint_set_detail(r->cp, err, "%zu %s file%s", files, r->format, files == 1 ? "" : "s");
}

/* Listed tensors that no shard holds, unless the metadata says of which tensor each was an alias. */
static bool check_missing(const sh_reader *r, ckpt_error *err)
{
	const ckpt_checkpoint *cp = r->cp;
	if (cp->count == r->count) return true; /* each tensor of a shard is listed: none is missing */
	bool *there = calloc(r->count, sizeof *there);
	if (!there) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < r->count; i++) there[i] = ckpt_checkpoint_index_of(cp, r->entries[i].tensor) != SIZE_MAX;
	for (size_t i = 0; i < cp->metadata_count; i++) {
		size_t at = ckpt_names_find(r->names, cp->metadata[2 * i]);
		if (at != SIZE_MAX && ckpt_checkpoint_index_of(cp, cp->metadata[2 * i + 1]) != SIZE_MAX)
			there[at] = true;
	}
	bool ok = true;
	for (size_t i = 0; i < r->count && ok; i++)
		if (!there[i])
			ok = ckpt_fail(err, CKPT_E_FORMAT,
			               "the index lists tensor '%s' in shard '%s', where it is missing",
			               r->entries[i].tensor, r->entries[i].file);
	free(there);
	return ok;
}

/* total_size counts each storage once; some writers count each tensor. */
static bool note_total(const sh_reader *r, ckpt_error *err)
{
	typedef unsigned long long ull;
	uint64_t all = 0, own = 0;
	for (size_t i = 0; i < r->cp->count; i++) {
		const ckpt_tensor *t = &r->cp->tensors[i];
		all += t->bytes; /* only compared: a wrap would cost a remark, no more */
		if (t->alias_of == SIZE_MAX) own += t->bytes;
	}
	if (!r->has_total || r->total_size == all || r->total_size == own) return true;
	return ckpt_checkpoint_note(r->cp, err, "the index says total_size %llu, the tensors have %llu bytes",
	                            (ull)r->total_size, (ull)own);
}

static ckpt_checkpoint *sh_open(const ckpt_open_context *context, ckpt_error *err)
{
	sh_reader r = {.depth = context->limits.depth};
	ckpt_checkpoint *result = NULL;
	if (context->depth >= MAX_NESTING) {
		ckpt_fail(err, CKPT_E_FORMAT, "an index inside a shard of another index");
		return NULL;
	}
	r.cp = ckpt_checkpoint_new(err);
	if (!r.cp) return NULL;
	r.cp->limits = context->limits;
	if (read_index(&r, context, err) && open_shards(&r, context, err) && check_missing(&r, err) &&
		note_total(&r, err)) {
		result = r.cp;
		r.cp = NULL;
	}
	free(r.entries);
	ckpt_names_free(r.names);
	ckpt_arena_free(&r.arena);
	ckpt_checkpoint_free(r.cp);
	return result;
}

static size_t sh_probe(const ckpt_probe *probe)
{
	if (probe->is_folder) return 0;
	size_t at = 0;
	while (at < probe->head_length && memchr(" \t\r\n", probe->head[at], 4)) at++;
	bool object = at < probe->head_length && probe->head[at] == '{';
	if (object && memmem(probe->head, probe->head_length, "\"weight_map\"", 12)) return at + 13;
	return is_index_name(probe->path) ? at + 1 : 0;
}

const ckpt_format ckpt_format_sharded = {
	.name = "sharded",
	.summary = "several files and an index (*.index.json)",
	.holds = CKPT_HOLDS_ALIASES | CKPT_HOLDS_METADATA,
	.probe = sh_probe,
	.open = sh_open,
};
