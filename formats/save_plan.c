/* save_plan.c -- a plan for saving as a thing: its files and notes, and what can be asked of it */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/error.h"
#include "../lib/path.h"
#include "save_plan.h"

bool ckpt_save_note(ckpt_save_plan *plan, ckpt_error *err, const char *format, ...)
{
	char raw[CKPT_ERROR_TEXT], text[CKPT_ERROR_TEXT];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(raw, sizeof raw, format, arguments);
	va_end(arguments);
	ckpt_escape(text, sizeof text, raw, strlen(raw));
	if (plan->note_count == plan->note_capacity) {
		size_t capacity = plan->note_capacity ? 2 * plan->note_capacity : 4;
		char **grown = realloc(plan->notes, capacity * sizeof *grown);
		if (!grown) return ckpt_fail_nomem(err);
		plan->notes = grown;
		plan->note_capacity = capacity;
	}
	char *copy = strdup(text);
	if (!copy) return ckpt_fail_nomem(err);
	plan->notes[plan->note_count++] = copy;
	return true;
}

bool ckpt_save_add(ckpt_save_plan *plan, ckpt_save_kind kind, const char *name, ckpt_layout *layout,
                   ckpt_checkpoint *shard, ckpt_error *err)
{
	char *path = ckpt_path_join(plan->parent, name, err);
	bool ok = path != NULL;
	if (ok && plan->count == plan->capacity) {
		size_t capacity = plan->capacity ? 2 * plan->capacity : 8;
		ckpt_save_file *grown = realloc(plan->files, capacity * sizeof *grown);
		ok = grown || ckpt_fail_nomem(err);
		if (grown) plan->files = grown;
		if (grown) plan->capacity = capacity;
	}
	if (!ok) {
		ckpt_layout_free(layout);
		ckpt_checkpoint_free(shard);
		free(path);
		return false;
	}
	plan->files[plan->count++] = (ckpt_save_file){.kind = kind, .path = path, .layout = layout, .shard = shard};
	return true;
}

void ckpt_save_plan_free(ckpt_save_plan *plan)
{
	if (!plan) return;
	for (size_t i = 0; i < plan->count; i++) {
		ckpt_save_file *f = &plan->files[i];
		ckpt_output_free(f->out);
		ckpt_layout_free(f->layout);
		ckpt_checkpoint_free(f->shard);
		free(f->path);
		free(f->backup);
	}
	for (size_t i = 0; i < plan->note_count; i++) free(plan->notes[i]);
	ckpt_file_list_free(&plan->stale);
	ckpt_checkpoint_free(plan->view);
	free(plan->notes);
	free(plan->files);
	free(plan->folder);
	free(plan->parent);
	free(plan->name);
	free(plan->stem);
	free(plan->suffix);
	free(plan);
}

size_t ckpt_save_plan_file_count(const ckpt_save_plan *plan)
{
	return plan->count;
}

const char *ckpt_save_plan_file_path(const ckpt_save_plan *plan, size_t i)
{
	return i < plan->count ? plan->files[i].path : NULL;
}

uint64_t ckpt_save_plan_file_bytes(const ckpt_save_plan *plan, size_t i)
{
	return i < plan->count ? plan->files[i].layout->size : 0;
}

size_t ckpt_save_plan_file_tensors(const ckpt_save_plan *plan, size_t i)
{
	return i < plan->count ? plan->files[i].layout->tensors : 0;
}

const char *ckpt_save_plan_format(const ckpt_save_plan *plan)
{
	return plan->row->name;
}

size_t ckpt_save_plan_note_count(const ckpt_save_plan *plan)
{
	return plan->note_count;
}

const char *ckpt_save_plan_note_at(const ckpt_save_plan *plan, size_t i)
{
	return i < plan->note_count ? plan->notes[i] : NULL;
}
