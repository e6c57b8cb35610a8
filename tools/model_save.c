/* model_save.c -- writing a model: weights as one asks for them, in a folder with its config beside them */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../formats/format.h"
#include "model_save.h"
#include "number.h"
#include "progress.h"

bool ckpt_model_target_is_folder(const ckpt_model_target *target)
{
	struct stat st;
	size_t length = strlen(target->path);
	if (length && target->path[length - 1] == '/') return true;
	if (!stat(target->path, &st)) return S_ISDIR(st.st_mode);
	return !ckpt_format_by_suffix(target->path);
}

bool ckpt_model_target_holds_aliases(const ckpt_model_target *target)
{
	const ckpt_format *format = NULL;
	if (target->to)
		format = ckpt_format_by_name(target->to);
	else if (!ckpt_model_target_is_folder(target))
		format = ckpt_format_by_suffix(target->path);
	return format && format->holds & CKPT_HOLDS_ALIASES;
}

/* "bert: 199 tensors, 438 MB in 0.12 s (3.65 GB/s)" */
static void summary(const ckpt_call *call, const ckpt_model_target *target, const ckpt_save_plan *plan, double seconds)
{
	char size[CKPT_NUMBER_TEXT], rate[CKPT_NUMBER_TEXT], count[CKPT_NUMBER_TEXT];
	size_t files = ckpt_save_plan_file_count(plan), tensors = 0;
	uint64_t bytes = 0;
	if (call->quiet) return;
	for (size_t i = 0; i < files; i++) {
		tensors += ckpt_save_plan_file_tensors(plan, i);
		bytes += ckpt_save_plan_file_bytes(plan, i);
	}
	ckpt_text_print(stdout, target->path);
	printf(": %s tensor%s", ckpt_count_text(tensors, count, sizeof count), ckpt_plural(tensors));
	printf(", %s in %.2f s (%s/s)\n", ckpt_bytes_text((double)bytes, size, sizeof size), seconds,
	       ckpt_bytes_text(seconds > 0 ? (double)bytes / seconds : 0, rate, sizeof rate));
}

bool ckpt_model_save(const ckpt_call *call, const ckpt_checkpoint *cp, const ckpt_model_target *target, ckpt_error *err)
{
	bool folder = ckpt_model_target_is_folder(target);
	ckpt_save_options options = {.format = target->to,
	                             .max_shard_bytes = target->max_shard,
	                             .force = target->force,
	                             .no_sync = target->no_sync,
	                             .folder_from = folder ? target->folder_from : NULL,
	                             .extra_files = folder ? target->files : NULL,
	                             .extra_file_count = folder ? target->file_count : 0,
	                             .limits = call->open.limits};
	ckpt_buffer path = {0};
	ckpt_progress progress;
	ckpt_buffer_printf(&path, "%s%s", target->path, folder && target->path[strlen(target->path) - 1] != '/' ? "/" : "");
	if (!ckpt_buffer_ok(&path, err)) return false;
	ckpt_save_plan *plan = ckpt_save_plan_new(cp, path.data, &options, err);
	ckpt_buffer_free(&path);
	if (!plan) return false;
	for (size_t i = 0; i < ckpt_save_plan_note_count(plan); i++) ckpt_remark(call, "%s", ckpt_save_plan_note_at(plan, i));
	ckpt_progress_begin(&progress, call, "writing");
	ckpt_work work = ckpt_progress_work(&progress);
	bool ok = ckpt_save_plan_run(plan, &work, err);
	double seconds = ckpt_progress_end(&progress);
	if (ok) summary(call, target, plan, seconds);
	ckpt_save_plan_free(plan);
	return ok;
}
