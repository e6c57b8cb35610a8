/* save_folder.c -- saving into a folder: small files that go along, and weights of an earlier checkpoint */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../lib/error.h"
#include "../lib/path.h"
#include "save_plan.h"

/* A config or tokenizer is smaller; what is larger is no companion, whatever it is called. */
#define COMPANION_BYTES ((uint64_t)64 << 20)

/* ---- companions ------------------------------------------------------------------------------------------------ */

static bool plan_bytes(ckpt_save_plan *plan, const ckpt_extra_file *extra, ckpt_error *err)
{
	if (!ckpt_path_is_plain(extra->name, "name of a file to write", err)) return false;
	if (strchr(extra->name, '/') || ckpt_is_weight_file(extra->name))
		return ckpt_fail(err, CKPT_E_USAGE, "'%s' is no name for a small file beside the weights", extra->name);
	ckpt_layout *layout = ckpt_layout_new(err);
	if (layout && ckpt_layout_bytes(layout, extra->bytes, extra->length, err))
		return ckpt_save_add(plan, CKPT_SAVE_COMPANION, extra->name, layout, NULL, err);
	ckpt_layout_free(layout);
	return false;
}

static bool plan_copy(ckpt_save_plan *plan, const char *folder, const char *name, ckpt_error *err)
{
	char *path = ckpt_path_join(folder, name, err);
	ckpt_file *file = path ? ckpt_file_open(path, err) : NULL;
	if (path && !file) ckpt_path_prefix(err, path);
	free(path);
	if (!file) return false;
	uint64_t size = ckpt_file_size(file);
	bool ok;
	if (size > COMPANION_BYTES) {
		ok = ckpt_save_note(plan, err, "%s is not carried along: %llu bytes, more than %llu", name,
		                    (unsigned long long)size, (unsigned long long)COMPANION_BYTES);
	} else {
		ckpt_layout *layout = ckpt_layout_new(err);
		ckpt_source *source = layout ? ckpt_source_file(file, 0, size, err) : NULL;
		ok = source && ckpt_layout_source(layout, source, NULL, err);
		ckpt_source_unref(source);
		if (ok)
			ok = ckpt_save_add(plan, CKPT_SAVE_COMPANION, name, layout, NULL, err);
		else
			ckpt_layout_free(layout);
	}
	ckpt_file_unref(file);
	return ok;
}

static bool same_folder(const char *a, const char *b)
{
	struct stat x, y;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_extra(const ckpt_save_options *options, const char *name)
{
	for (size_t i = 0; i < options->extra_file_count; i++)
		if (strcmp(options->extra_files[i].name, name) == 0) return true;
	return false;
}

/* Folders below, such as 1_Pooling of sentence-transformers, stay where they are, which is said. */
static bool note_folders(ckpt_save_plan *plan, const char *from, ckpt_error *err)
{
	ckpt_file_list list = {0};
	ckpt_buffer b = {0};
	bool ok = ckpt_file_list_folders(&list, from, err);
	if (!ok) ckpt_path_prefix(err, from);
	for (size_t i = 0; ok && i < list.count; i++) {
		char *path = ckpt_path_join(from, list.names[i], err);
		ok = path != NULL;
		if (ok && same_folder(path, plan->folder)) { /* the output itself */
			free(list.names[i]);
			memmove(&list.names[i], &list.names[i + 1], (--list.count - i) * sizeof *list.names);
			i--;
		}
		free(path);
	}
	if (ok && list.count) {
		ckpt_file_list_print(&list, NULL, &b);
		ok = ckpt_buffer_ok(&b, err) && ckpt_save_note(plan, err, "folders are not carried along, copy what is needed of them: %s", b.data);
	}
	ckpt_buffer_free(&b);
	ckpt_file_list_free(&list);
	return ok;
}

bool ckpt_save_companions(ckpt_save_plan *plan, const ckpt_save_options *options, ckpt_error *err)
{
	const char *from = options->folder_from;
	ckpt_file_list list = {0};
	bool ok = true;
	for (size_t i = 0; ok && i < options->extra_file_count; i++)
		ok = plan_bytes(plan, &options->extra_files[i], err);
	if (ok && from && !same_folder(from, plan->folder)) {
		ok = ckpt_file_list_read(&list, from, ckpt_is_companion_file, err);
		if (!ok) ckpt_path_prefix(err, from);
		for (size_t i = 0; ok && i < list.count; i++)
			if (!is_extra(options, list.names[i])) ok = plan_copy(plan, from, list.names[i], err);
		if (ok) ok = note_folders(plan, from, err);
	}
	ckpt_file_list_free(&list);
	return ok;
}

/* ---- weights that are there already ---------------------------------------------------------------------------- */

static bool is_planned(const ckpt_save_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(ckpt_path_base(plan->files[i].path), name) == 0) return true;
	return false;
}

/* The name by which a reader finds what is written. */
static const char *entry_name(const ckpt_save_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->files[i].kind == CKPT_SAVE_INDEX) return ckpt_path_base(plan->files[i].path);
	return plan->name;
}

/* What else looks like weights in a folder that is written: refused when it would be read first, else said. */
static bool judge_others(ckpt_save_plan *plan, const ckpt_file_list *list, const bool *own, ckpt_error *err)
{
	const char *entry = entry_name(plan);
	bool any = false;
	for (size_t i = 0; i < list->count; i++) {
		if (own[i]) continue;
		any = true;
		if (ckpt_weight_rank(list->names[i]) < ckpt_weight_rank(entry))
			return ckpt_fail(err, CKPT_E_EXISTS,
			                 "the folder holds %s, which would be read instead of %s: remove it first",
			                 list->names[i], entry);
	}
	if (!any) return true;
	ckpt_buffer b = {0};
	ckpt_file_list_print(list, own, &b);
	bool ok = ckpt_buffer_ok(&b, err) &&
	          ckpt_save_note(plan, err, "other weights stay in the folder beside %s: %s", entry, b.data);
	ckpt_buffer_free(&b);
	return ok;
}

/* Keeps in the list what belongs to an earlier checkpoint of the same name and is not replaced by a planned file. */
static bool judge(ckpt_save_plan *plan, ckpt_file_list *list, ckpt_error *err)
{
	bool *own = calloc(list->count + 1, sizeof *own);
	if (!own) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < list->count; i++) own[i] = ckpt_is_of_family(list->names[i], plan->stem, plan->suffix);
	bool ok = !plan->folder || judge_others(plan, list, own, err);
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++) {
		char *name = list->names[i];
		if (own[i] && !is_planned(plan, name))
			list->names[kept++] = name;
		else
			free(name);
	}
	list->count = kept;
	free(own);
	return ok;
}

bool ckpt_save_find_stale(ckpt_save_plan *plan, ckpt_error *err)
{
	const char *folder = *plan->parent ? plan->parent : ".";
	struct stat st;
	if (stat(folder, &st) != 0 && errno == ENOENT) return true; /* will be made, or refused when files are */
	if (!ckpt_file_list_read(&plan->stale, folder, ckpt_is_weight_file, err)) return false;
	if (!judge(plan, &plan->stale, err)) return false;
	if (plan->force || plan->stale.count == 0) return true;
	ckpt_buffer b = {0};
	ckpt_file_list_print(&plan->stale, NULL, &b);
	if (ckpt_buffer_ok(&b, err))
		ckpt_fail(err, CKPT_E_EXISTS,
		          "the folder holds files of an earlier checkpoint: %s (--force removes them once the "
		          "new one is complete)",
		          b.data);
	ckpt_buffer_free(&b);
	return false;
}
