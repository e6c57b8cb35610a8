/* report.c -- the loading report in words and as JSON, and the sizes of a model's parts */
#include "report.h"
#include "../checked.h"
#include "../dtype.h"
#include "../error.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"missing", "unexpected", "mismatched"};

/* ---- words ----------------------------------------------------------------------------------------------------- */

static char *note_of(ckpt_arena *a, const ckpt_model *model, const ckpt_misfit *m)
{
	char found[96] = "", wanted[96] = "", text[256];
	if (m->tensor) ckpt_shape_text(m->tensor->rank, m->tensor->shape, found, sizeof found);
	if (m->kind == CKPT_UNEXPECTED) {
		snprintf(text, sizeof text, "%s %s", ckpt_dtype_name(m->tensor->dtype), found);
	} else {
		ckpt_shape_text(model->slots[m->slot].rank, model->slots[m->slot].shape, wanted, sizeof wanted);
		bool dtype = m->tensor && !ckpt_model_takes(m->tensor->dtype);
		if (m->kind == CKPT_MISSING)
			snprintf(text, sizeof text, "wanted %s", wanted);
		else if (dtype)
			snprintf(text, sizeof text, "found %s %s, wanted floating point %s", ckpt_dtype_name(m->tensor->dtype), found,
			         wanted);
		else
			snprintf(text, sizeof text, "found %s, wanted %s", found, wanted);
	}
	return ckpt_arena_copy(a, text, strlen(text));
}

static void emit_text(void *user, int kind, const char *pattern, const char *note, size_t count)
{
	ckpt_buffer *b = user;
	char name[1024];
	ckpt_escape(name, sizeof name, pattern, strlen(pattern));
	ckpt_buffer_printf(b, "%-10s  %s", kinds[kind], name);
	if (*note) ckpt_buffer_printf(b, "  %s", note);
	if (count > 1) ckpt_buffer_printf(b, "  (%zu tensors)", count);
	ckpt_buffer_char(b, '\n');
}

/* Every name that a misfit of this kind could have had. */
static const char **universe_of(const ckpt_model *model, ckpt_misfit_kind kind, size_t *count)
{
	size_t n = kind == CKPT_UNEXPECTED ? model->source->count : model->count;
	const char **names = calloc(n + 1, sizeof *names);
	*count = 0;
	for (size_t i = 0; names && i < n; i++) {
		if (kind == CKPT_UNEXPECTED)
			names[(*count)++] = model->source->tensors[i].name;
		else if (model->slots[i].tied == CKPT_NO_SLOT)
			names[(*count)++] = model->slots[i].name;
	}
	return names;
}

/* Misfits from .. to, all of one kind. */
static bool text_of_kind(const ckpt_model *model, size_t from, size_t to, ckpt_buffer *b, ckpt_error *err)
{
	bool ok = false;
	ckpt_arena notes = {0};
	size_t known = 0;
	const char **universe = universe_of(model, model->misfits[from].kind, &known);
	ckpt_fold_item *items = calloc(to - from, sizeof *items);
	if (!items || !universe) {
		ckpt_fail_nomem(err);
		goto done;
	}
	for (size_t i = from; i < to; i++) {
		const ckpt_misfit *m = &model->misfits[i];
		items[i - from] = (ckpt_fold_item){m->name, note_of(&notes, model, m), (int)m->kind};
		if (!items[i - from].note) {
			ckpt_fail_nomem(err);
			goto done;
		}
	}
	ok = ckpt_fold(items, to - from, universe, known, emit_text, b, err) && ckpt_buffer_ok(b, err);
done:
	free(items);
	free(universe);
	ckpt_arena_free(&notes);
	return ok;
}

bool ckpt_report_text(const ckpt_model *model, ckpt_buffer *b, ckpt_error *err)
{
	for (size_t from = 0, to; from < model->misfit_count; from = to) {
		for (to = from; to < model->misfit_count && model->misfits[to].kind == model->misfits[from].kind;) to++;
		if (!text_of_kind(model, from, to, b, err)) return false;
	}
	return ckpt_buffer_ok(b, err);
}

bool ckpt_model_complete(const ckpt_model *model, ckpt_error *err)
{
	size_t counts[3] = {0};
	const ckpt_misfit *first = NULL;
	for (size_t i = 0; i < model->misfit_count; i++) {
		counts[model->misfits[i].kind]++;
		if (!first && model->misfits[i].kind != CKPT_UNEXPECTED) first = &model->misfits[i];
	}
	if (!first) return true;
	ckpt_arena notes = {0};
	const char *note = note_of(&notes, model, first);
	ckpt_fail(err, CKPT_E_FORMAT, "%zu tensor%s of %s missing and %zu of a wrong shape; the first is %s (%s)",
	          counts[CKPT_MISSING], counts[CKPT_MISSING] == 1 ? "" : "s", model->class->name, counts[CKPT_MISMATCHED],
	          first->name, note ? note : "");
	ckpt_arena_free(&notes);
	return false;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void write_shape(ckpt_buffer *b, const char *key, uint32_t rank, const uint64_t *shape)
{
	ckpt_buffer_printf(b, ",\"%s\":[", key);
	for (uint32_t i = 0; i < rank; i++) ckpt_buffer_printf(b, "%s%" PRIu64, i ? "," : "", shape[i]);
	ckpt_buffer_char(b, ']');
}

static void write_misfit(ckpt_buffer *b, const ckpt_model *model, const ckpt_misfit *m)
{
	ckpt_buffer_str(b, "{\"name\":");
	ckpt_json_write_string(b, m->name, strlen(m->name), false);
	const ckpt_slot *slot = m->kind == CKPT_UNEXPECTED ? NULL : &model->slots[m->slot];
	if (m->kind == CKPT_UNEXPECTED) {
		ckpt_buffer_printf(b, ",\"dtype\":\"%s\"", ckpt_dtype_name(m->tensor->dtype));
		write_shape(b, "shape", m->tensor->rank, m->tensor->shape);
	} else if (m->kind == CKPT_MISSING) {
		write_shape(b, "shape", slot->rank, slot->shape);
	} else {
		write_shape(b, "found", m->tensor->rank, m->tensor->shape);
		ckpt_buffer_printf(b, ",\"found_dtype\":\"%s\"", ckpt_dtype_name(m->tensor->dtype));
		write_shape(b, "wanted", slot->rank, slot->shape);
	}
	ckpt_buffer_char(b, '}');
}

bool ckpt_report_json(const ckpt_model *model, ckpt_buffer *b, ckpt_error *err)
{
	bool complete = true;
	ckpt_buffer_char(b, '{');
	for (int kind = 0; kind < 3; kind++) {
		bool first = true;
		ckpt_buffer_printf(b, "\"%s\":[", kinds[kind]);
		for (size_t i = 0; i < model->misfit_count; i++) {
			if ((int)model->misfits[i].kind != kind) continue;
			if (!first) ckpt_buffer_char(b, ',');
			write_misfit(b, model, &model->misfits[i]);
			complete = complete && kind == CKPT_UNEXPECTED;
			first = false;
		}
		ckpt_buffer_str(b, "],");
	}
	ckpt_buffer_printf(b, "\"ignored\":%zu,\"complete\":%s}", model->ignored, complete ? "true" : "false");
	return ckpt_buffer_ok(b, err);
}

const char *ckpt_model_report(ckpt_model *model, bool json, ckpt_error *err)
{
	ckpt_buffer b = {0};
	ckpt_buffer_str(&b, "");
	if (!(json ? ckpt_report_json(model, &b, err) : ckpt_report_text(model, &b, err))) {
		ckpt_buffer_free(&b);
		return NULL;
	}
	free(model->text);
	model->text = b.data;
	return model->text ? model->text : "";
}

/* ---- parts ----------------------------------------------------------------------------------------------------- */

size_t ckpt_model_parts(const ckpt_model *model, ckpt_model_part *parts, size_t most)
{
	size_t count = 0;
	for (size_t i = 0; i < model->count; i++) {
		const ckpt_slot *slot = &model->slots[i];
		size_t length = strcspn(slot->local, "."), j = 0;
		if (slot->row->flags & CKPT_ROW_BUFFER || (slot->tied != CKPT_NO_SLOT && !slot->own)) continue;
		while (j < count && (parts[j].length != length || memcmp(parts[j].name, slot->local, length))) j++;
		if (j == most) continue;
		if (j == count) parts[count++] = (ckpt_model_part){slot->local, length, 0};
		if (!ckpt_add_u64(parts[j].parameters, slot->elements, &parts[j].parameters)) parts[j].parameters = UINT64_MAX;
	}
	return count;
}
