/* verify_structure.c -- does every tensor of the model have one in the file, of its shape, and are there no others */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/model/model.h"
#include "number.h"
#include "verify.h"

/* The first class of the type that has a tensor of that name; NULL: none. Body, pooler and heads of a checkpoint may be more
 * than the declared class uses. */
static const char *class_with(ckpt_model *const *models, size_t count, const char *wrapper, const char *name)
{
	bool exact;
	for (size_t i = 0; i < count; i++) {
		models[i]->wrapper = wrapper;
		if (ckpt_model_spell(models[i], name, &exact) != CKPT_NO_SLOT) return ckpt_model_class(models[i]);
	}
	return NULL;
}

static bool check_unexpected(ckpt_verify *v, ckpt_check *c, ckpt_error *err)
{
	const ckpt_model *m = v->model.model;
	size_t count = 0, classes = 0, known = 0;
	const char *example = NULL;
	bool ok = true;
	for (const ckpt_arch_class *class = m->arch->classes; class->name; class++) classes++;
	ckpt_model **models = calloc(classes + 1, sizeof *models);
	if (!models) return ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < classes; i++) {
		models[i] = ckpt_model_new(m->config, &m->arch->classes[i], err);
		ok = models[i] != NULL;
		count += ok;
	}
	for (size_t i = 0; ok && i < m->misfit_count; i++) {
		if (m->misfits[i].kind != CKPT_UNEXPECTED) continue;
		const char *class = class_with(models, count, m->wrapper, m->misfits[i].name);
		if (!class) ckpt_check_fail(c, "unexpected %s: no class of %s has it", m->misfits[i].name, m->arch->type);
		if (class) known++, example = class;
	}
	if (known)
		ckpt_remark(v->call, "%zu tensor%s of other classes (%s) that %s does not use", known, ckpt_plural(known), example,
		            ckpt_model_class(m));
	for (size_t i = 0; i < count; i++) ckpt_model_free(models[i]);
	free(models);
	return ok;
}

bool ckpt_verify_structure(ckpt_verify *v, ckpt_error *err)
{
	ckpt_check *c = &v->checks[CKPT_CHECK_STRUCTURE];
	ckpt_model *m = v->model.model;
	char number[CKPT_NUMBER_TEXT];
	ckpt_remark_lines(v->call, v->path, ckpt_model_notes(m));
	ckpt_buffer_printf(&c->summary, "%s (%s), %zu tensors, %s parameters", ckpt_model_class(m), ckpt_model_type(m), m->count,
	                   ckpt_count_text(ckpt_model_parameters(m), number, sizeof number));
	const char *report = ckpt_model_report(m, false, err);
	for (const char *at = report; at && *at;) {
		size_t length = strcspn(at, "\n");
		if (strncmp(at, "unexpected", 10) != 0) ckpt_check_fail(c, "%.*s", (int)length, at);
		at += length + (at[length] == '\n');
	}
	if (!report || !check_unexpected(v, c, err)) return false;
	report = ckpt_model_report(m, true, err);
	if (!report) return false;
	ckpt_buffer_printf(&c->json, ",\"type\":\"%s\",\"class\":\"%s\",\"parameters\":%" PRIu64 ",\"report\":%s", ckpt_model_type(m),
	                   ckpt_model_class(m), ckpt_model_parameters(m), report);
	ckpt_check_done(c);
	return true;
}
