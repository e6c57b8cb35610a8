/* save.c -- the way out: decides format, files and names of what is saved */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../lib/dtype.h"
#include "../lib/error.h"
#include "../lib/path.h"
#include "save_plan.h"

/* ---- where and as what ----------------------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "safetensors, torch, npz" of the formats that ckpt writes, or of those that can hold dtype. */
static void list_writers(ckpt_buffer *b, ckpt_dtype dtype)
{
	const ckpt_format *row;
	for (size_t i = 0; (row = ckpt_format_row(i)); i++) {
		if (!row->plan || (dtype != CKPT_DTYPE_NONE && row->holds_dtype && !row->holds_dtype(dtype))) continue;
		ckpt_buffer_printf(b, "%s%s", b->length ? ", " : "", row->name);
	}
}

static bool choose_row(ckpt_save_plan *plan, const char *path, const ckpt_save_options *options, ckpt_error *err)
{
	const char *name = options->format ? options->format : plan->folder ? "safetensors" : NULL;
	plan->row = name ? ckpt_format_by_name(name) : ckpt_format_by_suffix(path);
	if (plan->row && plan->row->plan) return true;
	ckpt_buffer b = {0};
	list_writers(&b, CKPT_DTYPE_NONE);
	if (!ckpt_buffer_ok(&b, err))
		;
	else if (name && !plan->row)
		ckpt_fail(err, CKPT_E_USAGE, "there is no format called '%s' (ckpt writes %s)", name, b.data);
	else if (plan->row)
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "ckpt reads %s but does not write it (it writes %s)",
		          plan->row->name, b.data);
	else
		ckpt_fail(err, CKPT_E_USAGE,
		          "the name does not tell the format: give it a known suffix or name one of %s (--to)", b.data);
	ckpt_buffer_free(&b);
	return false;
}

/* A path that is a folder, ends in '/', or has no suffix of a format while a folder is meant. */
static bool means_folder(const char *path, const ckpt_save_options *options)
{
	size_t length = strlen(path);
	if (length > 0 && path[length - 1] == '/') return true;
	if (is_folder(path)) return true;
	return !ckpt_format_by_suffix(path) && (options->folder_from || options->max_shard_bytes);
}

static bool set_folder(ckpt_save_plan *plan, const char *path, ckpt_error *err)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/') length--;
	plan->folder = strndup(path, length);
	plan->parent = strndup(path, length);
	return (plan->folder && plan->parent) || ckpt_fail_nomem(err);
}

static bool copy_names(ckpt_save_plan *plan, const char *stem, size_t length, const char *suffix, ckpt_error *err)
{
	plan->stem = strndup(stem, length);
	plan->suffix = strdup(suffix);
	if (!plan->stem || !plan->suffix) return ckpt_fail_nomem(err);
	if (asprintf(&plan->name, *suffix ? "%s.%s" : "%s%s", plan->stem, plan->suffix) >= 0) return true;
	plan->name = NULL;
	return ckpt_fail_nomem(err);
}

/* name, stem and suffix, from the path or, for a folder, from the format. */
static bool set_names(ckpt_save_plan *plan, const char *path, ckpt_error *err)
{
	const ckpt_format *row = plan->row;
	if (plan->folder && row->shard_stem)
		return copy_names(plan, row->shard_stem, strlen(row->shard_stem), row->shard_suffix, err);
	if (plan->folder) {
		const char *suffix = row->suffixes && row->suffixes[0] ? row->suffixes[0] + 1 : row->name;
		return copy_names(plan, "model", 5, suffix, err);
	}
	const char *base = ckpt_path_base(path), *dot = strrchr(base, '.');
	plan->parent = strndup(path, (size_t)(base - path));
	if (!plan->parent) return ckpt_fail_nomem(err);
	if (!*base) return ckpt_fail(err, CKPT_E_USAGE, "the name of the file to write is empty");
	return copy_names(plan, base, dot && dot > base ? (size_t)(dot - base) : strlen(base),
	                  dot && dot > base ? dot + 1 : "", err);
}

/* ---- what the format cannot hold ------------------------------------------------------------------------------- */

static bool fail_dtype(const ckpt_save_plan *plan, const ckpt_tensor *t, ckpt_error *err)
{
	const ckpt_dtype_info *info = ckpt_dtype_get(t->dtype);
	ckpt_buffer b = {0};
	list_writers(&b, t->dtype);
	const char *cast = info->kind == CKPT_CLASS_FLOAT && info->bits >= 8 && t->dtype != CKPT_F8_E8M0
	                       ? "convert it with --dtype, "
	                       : "";
	if (ckpt_buffer_ok(&b, err))
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "tensor '%s': %s cannot hold %s: %sleave it out with --exclude%s%s",
		          t->name, plan->row->name, info->name, cast, b.length ? ", or write one of " : "",
		          b.length ? b.data : "");
	ckpt_buffer_free(&b);
	return false;
}

/* A tensor without bytes (sparse, without data) lives on only where the tree of the pickle is written as it was. */
static bool check_tensors(const ckpt_save_plan *plan, const ckpt_checkpoint *cp, ckpt_error *err)
{
	bool whole = (plan->row->holds & CKPT_HOLDS_VALUES) && cp->value && cp->value_is_whole;
	for (size_t i = 0; i < cp->count; i++) {
		const ckpt_tensor *t = &cp->tensors[i];
		if (plan->row->holds_dtype && !plan->row->holds_dtype(t->dtype)) return fail_dtype(plan, t, err);
		if (t->unreadable && !whole)
			return ckpt_fail(err, CKPT_E_UNSUPPORTED, "tensor '%s': %s: leave it out with --exclude", t->name,
			                 t->unreadable);
	}
	return true;
}

static bool is_state_dict(const ckpt_value *v)
{
	ckpt_value *const *pairs;
	size_t count;
	if (!ckpt_value_pairs(v, &pairs, &count)) return false;
	for (size_t i = 0; i < count; i++)
		if (pairs[2 * i + 1]->kind != CKPT_VALUE_TENSOR) return false;
	return true;
}

/* A single file of this format would have held the whole tree of the pickle, shards cannot. */
static bool note_values(ckpt_save_plan *plan, ckpt_error *err)
{
	const ckpt_checkpoint *cp = plan->given;
	size_t weights = 0;
	for (size_t i = 0; i < plan->count; i++) weights += plan->files[i].kind == CKPT_SAVE_WEIGHTS;
	bool whole = (plan->row->holds & CKPT_HOLDS_VALUES) && cp->value && cp->value_is_whole;
	if (!whole || weights < 2 || is_state_dict(cp->value)) return true;
	return ckpt_save_note(plan, err, "shards hold tensors alone: the other values of the pickle are left out");
}

/* ---- aliases --------------------------------------------------------------------------------------------------- */

static bool has_aliases(const ckpt_checkpoint *cp)
{
	for (size_t i = 0; i < cp->count; i++)
		if (cp->tensors[i].alias_of != SIZE_MAX) return true;
	return false;
}

/* Kept: the checkpoint as it is. Copied: too, since a format that holds no aliases writes each tensor's bytes, and one
 * that does looks at the option. Dropped: a view without them, with records where the format holds metadata; where it
 * holds none, only because the caller insists. */
static bool apply_aliases(ckpt_save_plan *plan, const ckpt_save_options *options, ckpt_error *err)
{
	unsigned holds = plan->row->holds;
	bool drop =
		options->aliases == CKPT_ALIASES_DROP ||
		(options->aliases == CKPT_ALIASES_AUTO && !(holds & CKPT_HOLDS_ALIASES) && (holds & CKPT_HOLDS_METADATA));
	if (!drop || !has_aliases(plan->given)) return true;
	size_t *all = malloc(plan->given->count * sizeof *all);
	if (!all) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < plan->given->count; i++) all[i] = i;
	plan->view = ckpt_checkpoint_subset(plan->given, all, plan->given->count, err);
	free(all);
	return plan->view && ckpt_checkpoint_drop_aliases(plan->view, holds & CKPT_HOLDS_METADATA, err);
}

/* ---- the plan -------------------------------------------------------------------------------------------------- */

/* Refused now rather than after gigabytes were written. */
static bool check_targets(const ckpt_save_plan *plan, ckpt_error *err)
{
	struct stat st;
	for (size_t i = 0; i < plan->count; i++) {
		const char *path = plan->files[i].path;
		if (lstat(path, &st) != 0) continue;
		if (S_ISDIR(st.st_mode)) return ckpt_fail(err, CKPT_E_EXISTS, "%s is a folder", path);
		if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
			return ckpt_fail(err, CKPT_E_EXISTS, "%s is no regular file and is not replaced", path);
		if (!plan->force) return ckpt_fail(err, CKPT_E_EXISTS, "%s exists already (--force replaces it)", path);
	}
	return true;
}

static bool plan_weights(ckpt_save_plan *plan, const ckpt_checkpoint *cp, const ckpt_save_options *options,
                         ckpt_error *err)
{
	if (options->max_shard_bytes && !plan->row->shard_stem)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "%s has no shards: leave --max-shard-size out",
		                 plan->row->name);
	if (options->max_shard_bytes) return ckpt_save_shards(plan, cp, options, err);
	ckpt_layout *layout = plan->row->plan(cp, plan->name, options, err);
	return layout && ckpt_save_add(plan, CKPT_SAVE_WEIGHTS, plan->name, layout, NULL, err);
}

static bool make_plan(ckpt_save_plan *plan, const char *path, const ckpt_save_options *options, ckpt_error *err)
{
	if (means_folder(path, options) && !set_folder(plan, path, err)) return false;
	if (!choose_row(plan, path, options, err) || !set_names(plan, path, err)) return false;
	if (!check_tensors(plan, plan->given, err) || !apply_aliases(plan, options, err)) return false;
	const ckpt_checkpoint *cp = plan->view ? plan->view : plan->given;
	if (!plan_weights(plan, cp, options, err) || !note_values(plan, err)) return false;
	if (plan->folder && !ckpt_save_companions(plan, options, err)) return false;
	if ((plan->folder || options->max_shard_bytes) && !ckpt_save_find_stale(plan, err)) return false;
	return check_targets(plan, err);
}

ckpt_save_plan *ckpt_save_plan_new(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options,
                                   ckpt_error *err)
{
	static const ckpt_save_options defaults;
	if (!options) options = &defaults;
	ckpt_save_plan *plan = calloc(1, sizeof *plan);
	if (!plan) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	plan->given = cp;
	plan->force = options->force;
	plan->sync = !options->no_sync;
	plan->limits = options->limits;
	if (make_plan(plan, path, options, err)) return plan;
	ckpt_path_prefix(err, path);
	ckpt_save_plan_free(plan);
	return NULL;
}

bool ckpt_save(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options, const ckpt_work *work,
               ckpt_error *err)
{
	ckpt_save_plan *plan = ckpt_save_plan_new(cp, path, options, err);
	if (!plan) return false;
	bool ok = ckpt_save_plan_run(plan, work, err);
	ckpt_save_plan_free(plan);
	return ok;
}
