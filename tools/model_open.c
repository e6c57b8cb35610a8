/* model_open.c -- the model that the user named, bound to its weights */
#include "model_open.h"

#include <string.h>

void ckpt_remark_lines(const ckpt_call *call, const char *path, const char *text)
{
	while (text && *text) {
		size_t length = strcspn(text, "\n");
		ckpt_remark(call, "%s: %.*s", path, (int)length, text);
		text += length + (text[length] == '\n');
	}
}

bool ckpt_opened_make(const ckpt_call *call, const ckpt_model_choice *choice, ckpt_opened *out, ckpt_error *err)
{
	const ckpt_model_options options = {
		.path = choice->path, .config = choice->config, .class_name = choice->class_name, .type = choice->type};
	out->weights = ckpt_call_open(call, choice->path, err);
	if (!out->weights) return false;
	out->model = ckpt_model_open(out->weights, &options, err);
	return out->model || ckpt_error_prefix(err, "%s", choice->path);
}

bool ckpt_opened_remark(const ckpt_call *call, const ckpt_model_choice *choice, ckpt_opened *o, ckpt_error *err)
{
	const char *report = ckpt_model_report(o->model, false, err);
	if (!report) return false;
	ckpt_remark_lines(call, choice->path, ckpt_model_notes(o->model));
	ckpt_remark_lines(call, choice->path, report);
	return true;
}

void ckpt_opened_free(ckpt_opened *o)
{
	ckpt_model_free(o->model);
	ckpt_checkpoint_free(o->weights);
}
