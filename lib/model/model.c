/* model.c -- from the rows of an architecture to every tensor of a model */
#include "model.h"
#include "../checked.h"
#include "../dtype.h"
#include "../error.h"
#include "../limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_row(const ckpt_model *model, const ckpt_arch_row *row)
{
	return (row->parts & model->class->parts) && (row->when & model->config->when) == row->when;
}

/* Where the level-th {X} starts in the name, or NULL. */
static const char *brace(const char *name, unsigned level)
{
	const char *at = strchr(name, '{');
	while (at && level--) at = strchr(at + 1, '{');
	return at;
}

/* The rows from `from` on that go round together with it: same text up to and with their level-th {X}. */
static const ckpt_arch_row *group_end(const ckpt_arch_row *from, const ckpt_arch_row *end, unsigned level)
{
	size_t stem = (size_t)(brace(from->name, level) - from->name) + 3;
	const ckpt_arch_row *to = from + 1;
	while (to != end && to->name && !strncmp(to->name, from->name, stem)) to++;
	return to;
}

bool ckpt_row_name(const ckpt_arch_row *row, const uint32_t index[2], char *text, size_t size)
{
	size_t used = 0, level = 0;
	for (const char *at = row->name; *at; at++) {
		if (used + 12 > size) return false;
		if (*at == '{') {
			used += (size_t)snprintf(text + used, size - used, "%u", index[level++ & 1]);
			at += 2;
		} else {
			text[used++] = *at;
		}
	}
	text[used] = '\0';
	return true;
}

static bool write_name(ckpt_model *model, ckpt_slot *slot, const uint32_t index[2])
{
	const char *prefix = slot->row->parts & model->arch->body ? model->class->prefix : "";
	char text[256];
	size_t used = (size_t)snprintf(text, sizeof text, "%s", prefix);
	if (!ckpt_row_name(slot->row, index, text + used, sizeof text - used)) return false;
	char *name = ckpt_arena_copy(&model->arena, text, strlen(text));
	slot->name = name;
	slot->local = name ? name + strlen(prefix) : NULL;
	return name;
}

static bool add_slot(ckpt_model *model, const ckpt_arch_row *row, const uint32_t index[2], ckpt_error *err)
{
	ckpt_slot *slot = &model->slots[model->count];
	slot->row = row;
	slot->index[0] = index[0];
	slot->index[1] = index[1];
	slot->tied = CKPT_NO_SLOT;
	if (!write_name(model, slot, index)) return ckpt_fail_nomem(err);
	if (!ckpt_arch_shape(row->shape, model->config->dims, &slot->rank, slot->shape) ||
	    !ckpt_shape_elements(slot->rank, slot->shape, &slot->elements) || slot->elements > UINT64_MAX / 16)
		return ckpt_fail(err, CKPT_E_LIMIT, "%s has more elements than 64 bits can count", slot->name);
	if (!ckpt_names_add(model->index, slot->local, model->count)) return ckpt_fail_nomem(err);
	model->count++;
	return true;
}

/* Goes through rows in state_dict order; with `add` false it only counts. */
static bool expand(ckpt_model *model, const ckpt_arch_row *from, const ckpt_arch_row *end, unsigned level,
                   uint32_t index[2], bool add, uint64_t *count, ckpt_error *err)
{
	for (const ckpt_arch_row *row = from; row != end && row->name; row++) {
		const char *open = level < 2 ? brace(row->name, level) : NULL;
		if (open) {
			const ckpt_arch_row *to = group_end(row, end, level);
			uint64_t rounds = ckpt_config_dim(model->config, open[1]);
			for (uint32_t i = 0; i < rounds; i++) {
				index[level] = i;
				if (!expand(model, row, to, level + 1, index, add, count, err)) return false;
			}
			index[level] = 0;
			row = to - 1;
			continue;
		}
		if (!has_row(model, row) || (row->flags & CKPT_ROW_FIRST && index[0])) continue;
		(*count)++;
		if (add && !add_slot(model, row, index, err)) return false;
	}
	return true;
}

/* The slot that the row's `tied` names, when this class and config have it. */
static size_t tie_target(const ckpt_model *model, const ckpt_arch_row *row)
{
	if (!row->tied || !(model->config->tied || row->flags & CKPT_ROW_ALWAYS_TIED)) return CKPT_NO_SLOT;
	return ckpt_model_find(model, row->tied);
}

ckpt_model *ckpt_model_new(const ckpt_config *config, const ckpt_arch_class *class, ckpt_error *err)
{
	uint32_t index[2] = {0};
	uint64_t count = 0, limit = ckpt_limits_resolve(NULL).tensors;
	ckpt_model *model = calloc(1, sizeof *model);
	if (!model) return ckpt_fail_nomem(err), NULL;
	model->config = config;
	model->arch = config->arch;
	model->class = class ? class : config->arch->classes;
	model->wrapper = "";
	expand(model, model->arch->rows, NULL, 0, index, false, &count, NULL);
	if (count > limit) {
		ckpt_fail(err, CKPT_E_LIMIT, "the model has %llu tensors; at most %llu are handled", (unsigned long long)count,
		          (unsigned long long)limit);
		goto done;
	}
	model->slots = calloc(count ? count : 1, sizeof *model->slots);
	model->index = ckpt_names_new();
	if (!model->slots || !model->index) {
		ckpt_fail_nomem(err);
		goto done;
	}
	count = 0;
	if (!expand(model, model->arch->rows, NULL, 0, index, true, &count, err)) goto done;
	for (size_t i = 0; i < model->count; i++) model->slots[i].tied = tie_target(model, model->slots[i].row);
	return model;
done:
	ckpt_model_free(model);
	return NULL;
}

void ckpt_model_free(ckpt_model *model)
{
	if (!model) return;
	ckpt_arena_free(&model->arena);
	ckpt_names_free(model->index);
	free(model->slots);
	free(model->misfits);
	free(model->notes);
	free(model->text);
	ckpt_config_free(model->own_config);
	free(model);
}

size_t ckpt_model_find(const ckpt_model *model, const char *local) { return ckpt_names_find(model->index, local); }

const ckpt_tensor *ckpt_model_tensor(const ckpt_model *model, const char *local)
{
	size_t i = ckpt_model_find(model, local);
	return i == CKPT_NO_SLOT ? NULL : model->slots[i].tensor;
}

uint64_t ckpt_model_parameters(const ckpt_model *model)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < model->count; i++) {
		const ckpt_slot *slot = &model->slots[i];
		if (slot->row->flags & CKPT_ROW_BUFFER || (slot->tied != CKPT_NO_SLOT && !slot->own)) continue;
		if (!ckpt_add_u64(sum, slot->elements, &sum)) return UINT64_MAX;
	}
	return sum;
}

const char *ckpt_model_type(const ckpt_model *model) { return model->arch->type; }
const char *ckpt_model_class(const ckpt_model *model) { return model->class->name; }

unsigned ckpt_model_stacks(const ckpt_model *model)
{
	return (unsigned)(model->arch->layers[0] != 0) + (unsigned)(model->arch->layers[1] != 0);
}
