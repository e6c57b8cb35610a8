/* save_shards.c -- cuts a checkpoint into files of a largest size, and writes their index
 *
 * The rule is that of huggingface_hub: tensors in order; one that shares its storage with an earlier one goes where
 * that one is and costs nothing (all empty storages count as one); one that is larger than the limit gets a shard of
 * its own at once, numbered before the one that is still open; one that does not fit any more closes the open shard.
 * The index is that of transformers: two spaces of indentation, sorted keys, a final newline.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/checked.h"
#include "../lib/error.h"
#include "../lib/json.h"
#include "../lib/names.h"
#include "../lib/utf8.h"
#include "save_plan.h"

typedef struct sp_split {
	size_t *leader; /* of each tensor: the first one of its storage */
	size_t *shard;  /* of each tensor */
	size_t shards;
	uint64_t total_size, total_parameters;
} sp_split;

static uint64_t storage_size(const ckpt_tensor *t, bool shares)
{
	return shares && t->storage ? t->storage->bytes : t->bytes;
}

typedef struct sp_place {
	const void *storage;
	size_t tensor;
} sp_place;

static int compare_places(const void *a, const void *b)
{
	const sp_place *x = a, *y = b;
	if (x->storage != y->storage) return (uintptr_t)x->storage < (uintptr_t)y->storage ? -1 : 1;
	return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

/* A format that holds aliases keeps a storage with all its tensors in one file. */
static bool find_leaders(const ckpt_checkpoint *cp, bool shares, size_t *leader, ckpt_error *err)
{
	size_t empty = SIZE_MAX;
	for (size_t i = 0; i < cp->count; i++) {
		leader[i] = i;
		if (storage_size(&cp->tensors[i], shares) > 0) continue;
		if (empty == SIZE_MAX) empty = i;
		leader[i] = empty;
	}
	if (!shares || cp->count == 0) return true;
	sp_place *places = malloc(cp->count * sizeof *places);
	if (!places) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < cp->count; i++) {
		const ckpt_tensor *t = &cp->tensors[i];
		places[i] = (sp_place){t->storage ? (const void *)t->storage : t->source, i};
	}
	qsort(places, cp->count, sizeof *places, compare_places);
	for (size_t i = 1; i < cp->count; i++)
		if (places[i].storage == places[i - 1].storage) leader[places[i].tensor] = leader[places[i - 1].tensor];
	free(places);
	return true;
}

static bool split(sp_split *s, const ckpt_checkpoint *cp, bool shares, uint64_t most, ckpt_error *err)
{
	uint64_t open_size = 0;
	size_t open_shard = SIZE_MAX; /* none; numbered when it is closed */
	s->leader = calloc(cp->count + 1, sizeof *s->leader);
	s->shard = calloc(cp->count + 1, sizeof *s->shard);
	if (!s->leader || !s->shard) return ckpt_fail_nomem(err);
	if (!find_leaders(cp, shares, s->leader, err)) return false;
	size_t first_open = 0; /* tensors of the open shard are marked with SIZE_MAX from here on */
	for (size_t i = 0; i < cp->count; i++) {
		const ckpt_tensor *t = &cp->tensors[i];
		if (!shares || t->alias_of == SIZE_MAX) s->total_parameters += t->elements;
		if (s->leader[i] != i) continue;
		uint64_t size = storage_size(t, shares);
		if (!ckpt_add_u64(s->total_size, size, &s->total_size))
			return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the tensors together have more than 2^64 bytes");
		if (size > most) {
			s->shard[i] = s->shards++;
			continue;
		}
		if (open_shard != SIZE_MAX && size > most - open_size) {
			for (size_t k = first_open; k < i; k++)
				if (s->shard[k] == SIZE_MAX) s->shard[k] = s->shards;
			s->shards++;
			open_shard = SIZE_MAX;
		}
		if (open_shard == SIZE_MAX) {
			open_shard = 0;
			open_size = 0;
			first_open = i;
		}
		open_size += size;
		s->shard[i] = SIZE_MAX;
	}
	for (size_t k = first_open; open_shard != SIZE_MAX && k < cp->count; k++)
		if (s->shard[k] == SIZE_MAX) s->shard[k] = s->shards;
	s->shards += open_shard != SIZE_MAX;
	for (size_t i = 0; i < cp->count; i++) s->shard[i] = s->shard[s->leader[i]];
	return true;
}

/* ---- the parts ------------------------------------------------------------------------------------------------- */

/* A pair of the metadata that records a dropped alias: no tensor has the first name, one has the second. */
static bool is_alias_record(const ckpt_checkpoint *cp, size_t pair)
{
	return ckpt_checkpoint_index_of(cp, cp->metadata[2 * pair]) == SIZE_MAX &&
	       ckpt_checkpoint_index_of(cp, cp->metadata[2 * pair + 1]) != SIZE_MAX;
}

/* Records of aliases belong to the whole: they go into the index. */
static bool keep_own_metadata(ckpt_checkpoint *shard, const ckpt_checkpoint *cp, ckpt_error *err)
{
	shard->metadata_count = 0;
	ckpt_names_free(shard->metadata_index);
	shard->metadata_index = NULL;
	for (size_t i = 0; i < cp->metadata_count; i++)
		if (!is_alias_record(cp, i) &&
			!ckpt_checkpoint_metadata_set(shard, cp->metadata[2 * i], cp->metadata[2 * i + 1], err))
			return false;
	return true;
}

static void shard_name(const ckpt_save_plan *plan, size_t number, size_t shards, char *name, size_t size)
{
	snprintf(name, size, "%s-%05zu-of-%05zu.%s", plan->stem, number + 1, shards, plan->suffix);
}

static bool plan_shard(ckpt_save_plan *plan, const ckpt_checkpoint *cp, const sp_split *s, size_t number,
                       const size_t *members, size_t count, const ckpt_save_options *options, ckpt_error *err)
{
	char name[4096];
	shard_name(plan, number, s->shards, name, sizeof name);
	ckpt_checkpoint *shard = ckpt_checkpoint_subset(cp, members, count, err);
	if (!shard) return false;
	ckpt_layout *layout = keep_own_metadata(shard, cp, err) ? plan->row->plan(shard, name, options, err) : NULL;
	if (layout) return ckpt_save_add(plan, CKPT_SAVE_WEIGHTS, name, layout, shard, err);
	ckpt_checkpoint_free(shard);
	return false;
}

/* ---- the index ------------------------------------------------------------------------------------------------- */

typedef struct sp_line {
	const char *key;
	const char *text; /* a string, or NULL: then number */
	uint64_t number;  /* of a shard in the weight map */
} sp_line;

static int compare_lines(const void *a, const void *b)
{
	return strcmp(((const sp_line *)a)->key, ((const sp_line *)b)->key);
}

static bool write_index(ckpt_buffer *b, const ckpt_save_plan *plan, const ckpt_checkpoint *cp, const sp_split *s,
                        sp_line *lines, ckpt_error *err)
{
	char name[4096];
	size_t count = 0;
	lines[count++] = (sp_line){"total_parameters", NULL, s->total_parameters};
	lines[count++] = (sp_line){"total_size", NULL, s->total_size};
	for (size_t i = 0; i < cp->metadata_count; i++)
		if (is_alias_record(cp, i)) lines[count++] = (sp_line){cp->metadata[2 * i], cp->metadata[2 * i + 1], 0};
	qsort(lines, count, sizeof *lines, compare_lines);
	ckpt_buffer_str(b, "{\n  \"metadata\": {");
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcmp(lines[i - 1].key, lines[i].key) == 0)
			return ckpt_fail(err, CKPT_E_UNSUPPORTED,
			                 "a dropped tensor '%s' cannot be recorded in an index", lines[i].key);
		ckpt_buffer_str(b, i ? ",\n    " : "\n    ");
		ckpt_json_write_string(b, lines[i].key, strlen(lines[i].key), true);
		ckpt_buffer_str(b, ": ");
		if (lines[i].text)
			ckpt_json_write_string(b, lines[i].text, strlen(lines[i].text), true);
		else
			ckpt_buffer_printf(b, "%llu", (unsigned long long)lines[i].number);
	}
	ckpt_buffer_str(b, "\n  },\n  \"weight_map\": {");
	for (size_t i = 0; i < cp->count; i++) {
		lines[i] = (sp_line){cp->tensors[i].name, NULL, s->shard[i]};
		if (ckpt_utf8_check(lines[i].key, strlen(lines[i].key)) != SIZE_MAX)
			return ckpt_fail(err, CKPT_E_UNSUPPORTED,
			                 "tensor '%s': the name is not valid UTF-8, an index cannot hold it: "
			                 "rename the tensor or leave it out",
			                 lines[i].key);
	}
	qsort(lines, cp->count, sizeof *lines, compare_lines);
	for (size_t i = 0; i < cp->count; i++) {
		ckpt_buffer_str(b, i ? ",\n    " : "\n    ");
		ckpt_json_write_string(b, lines[i].key, strlen(lines[i].key), true);
		ckpt_buffer_str(b, ": ");
		shard_name(plan, lines[i].number, s->shards, name, sizeof name);
		ckpt_json_write_string(b, name, strlen(name), true);
	}
	ckpt_buffer_str(b, "\n  }\n}\n");
	return ckpt_buffer_ok(b, err);
}

static bool plan_index(ckpt_save_plan *plan, const ckpt_checkpoint *cp, const sp_split *s, ckpt_error *err)
{
	char name[4096];
	ckpt_buffer b = {0};
	ckpt_layout *layout = ckpt_layout_new(err);
	sp_line *lines = malloc((cp->count + cp->metadata_count + 2) * sizeof *lines);
	if (!lines) ckpt_fail_nomem(err);
	bool ok = layout && lines && write_index(&b, plan, cp, s, lines, err) &&
	          ckpt_layout_bytes(layout, b.data, b.length, err);
	free(lines);
	ckpt_buffer_free(&b);
	snprintf(name, sizeof name, "%s.%s.index.json", plan->stem, plan->suffix);
	if (ok) return ckpt_save_add(plan, CKPT_SAVE_INDEX, name, layout, NULL, err);
	ckpt_layout_free(layout);
	return false;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static bool plan_parts(ckpt_save_plan *plan, const ckpt_checkpoint *cp, const sp_split *s,
                       const ckpt_save_options *options, ckpt_error *err)
{
	size_t *members = malloc((cp->count + 1) * sizeof *members), *start = calloc(s->shards + 1, sizeof *start);
	bool ok = members && start;
	if (!ok) ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < cp->count; i++) start[s->shard[i] + 1]++;
	for (size_t k = 0; ok && k < s->shards; k++) start[k + 1] += start[k];
	for (size_t i = 0; ok && i < cp->count; i++) members[start[s->shard[i]]++] = i;
	/* start[k] is now the end of shard k */
	for (size_t k = 0; ok && k < s->shards; k++) {
		size_t from = k ? start[k - 1] : 0;
		ok = plan_shard(plan, cp, s, k, members + from, start[k] - from, options, err);
	}
	free(members);
	free(start);
	return ok && plan_index(plan, cp, s, err);
}

bool ckpt_save_shards(ckpt_save_plan *plan, const ckpt_checkpoint *cp, const ckpt_save_options *options,
                      ckpt_error *err)
{
	sp_split s = {0};
	bool shares = (plan->row->holds & CKPT_HOLDS_ALIASES) && options->aliases != CKPT_ALIASES_COPY;
	bool ok = split(&s, cp, shares, options->max_shard_bytes, err);
	if (ok && s.shards > 99999)
		ok = ckpt_fail(err, CKPT_E_UNSUPPORTED, "%zu shards: their names can count no further than 99999",
		               s.shards);
	if (ok && s.shards > 1) {
		ok = plan_parts(plan, cp, &s, options, err);
	} else if (ok) {
		ckpt_layout *layout = plan->row->plan(cp, plan->name, options, err);
		ok = layout && ckpt_save_add(plan, CKPT_SAVE_WEIGHTS, plan->name, layout, NULL, err);
	}
	free(s.leader);
	free(s.shard);
	return ok;
}
