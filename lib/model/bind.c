/* bind.c -- finds for each tensor of a model the one in the checkpoint, and records what does not fit */
#include "../dtype.h"
#include "../error.h"
#include "model.h"
#include <stdlib.h>
#include <string.h>

static bool same_bytes(const ckpt_tensor *a, const ckpt_tensor *b)
{
	const ckpt_checkpoint *cp = a->owner;
	size_t x = (size_t)(a - cp->tensors), y = (size_t)(b - cp->tensors);
	if (a->alias_of != SIZE_MAX) x = a->alias_of;
	if (b->alias_of != SIZE_MAX) y = b->alias_of;
	return x == y;
}

static bool add_misfit(ckpt_model *model, ckpt_misfit_kind kind, size_t slot, const ckpt_tensor *tensor, ckpt_error *err)
{
	/* grows by doubling: the capacity is the next power of two */
	size_t n = model->misfit_count;
	if (!(n & (n - 1))) {
		ckpt_misfit *more = realloc(model->misfits, (n ? 2 * n : 1) * sizeof *more);
		if (!more) return ckpt_fail_nomem(err);
		model->misfits = more;
	}
	const char *name = kind == CKPT_UNEXPECTED ? tensor->name : model->slots[slot].name;
	model->misfits[model->misfit_count++] = (ckpt_misfit){kind, name, slot, tensor};
	return true;
}

bool ckpt_model_takes(ckpt_dtype dtype)
{
	const ckpt_dtype_info *info = ckpt_dtype_get(dtype);
	return info->kind == CKPT_CLASS_FLOAT && info->bits >= 8;
}

static bool fits(const ckpt_slot *slot, const ckpt_tensor *t)
{
	if (t->rank != slot->rank || !ckpt_model_takes(t->dtype)) return false;
	for (uint32_t i = 0; i < slot->rank; i++)
		if (t->shape[i] != slot->shape[i]) return false;
	return true;
}

/* One tensor of the file. exact[slot] remembers how well the name of the bound one fitted. */
static bool place(ckpt_model *model, const ckpt_tensor *t, bool *exact, ckpt_error *err)
{
	bool well;
	size_t i = ckpt_model_spell(model, t->name, &well);
	if (i == CKPT_NO_SLOT) {
		if (!ckpt_arch_ignores(model->arch, t->name)) return add_misfit(model, CKPT_UNEXPECTED, i, t, err);
		model->ignored++;
		return true;
	}
	ckpt_slot *slot = &model->slots[i];
	if (slot->tensor && well == exact[i]) {
		if (same_bytes(slot->tensor, t)) return true;
		return ckpt_fail(err, CKPT_E_FORMAT, "the tensors %s and %s both mean %s", slot->tensor->name, t->name, slot->name);
	}
	if (slot->tensor && !well) return add_misfit(model, CKPT_UNEXPECTED, i, t, err);
	if (slot->tensor && !add_misfit(model, CKPT_UNEXPECTED, i, slot->tensor, err)) return false;
	slot->tensor = t;
	slot->own = true;
	exact[i] = well;
	return true;
}

/* A tensor of a wrong shape counts as found, and is not used. */
static bool check_shapes(ckpt_model *model, ckpt_error *err)
{
	for (size_t i = 0; i < model->count; i++) {
		ckpt_slot *slot = &model->slots[i];
		if (!slot->tensor || fits(slot, slot->tensor)) continue;
		if (!add_misfit(model, CKPT_MISMATCHED, i, slot->tensor, err)) return false;
		slot->tensor = NULL;
	}
	return true;
}

/* Tied tensors share what there is: the source's, or one of theirs when the source is absent. One that has values of
 * its own in the file keeps them. */
static void tie(ckpt_model *model)
{
	for (size_t i = 0; i < model->count; i++) {
		ckpt_slot *slot = &model->slots[i];
		if (slot->tied == CKPT_NO_SLOT || !slot->tensor) continue;
		ckpt_slot *source = &model->slots[slot->tied];
		if (!source->tensor && !source->own) {
			source->tensor = slot->tensor;
			source->own = true;
			slot->own = false;
		} else if (source->tensor && same_bytes(source->tensor, slot->tensor)) {
			slot->own = false;
		}
	}
	for (size_t i = 0; i < model->count; i++) {
		ckpt_slot *slot = &model->slots[i];
		if (slot->tied != CKPT_NO_SLOT && !slot->own) slot->tensor = model->slots[slot->tied].tensor;
	}
}

static int by_kind_and_name(const void *a, const void *b)
{
	const ckpt_misfit *x = a, *y = b;
	return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind) : strverscmp(x->name, y->name);
}

static void unbind(ckpt_model *model)
{
	for (size_t i = 0; i < model->count; i++) {
		model->slots[i].tensor = NULL;
		model->slots[i].own = false;
	}
	model->misfit_count = model->ignored = 0;
}

bool ckpt_model_bind_to(ckpt_model *model, const ckpt_checkpoint *cp, ckpt_error *err)
{
	bool ok = false;
	bool *exact = calloc(model->count + 1, sizeof *exact);
	const char **names = calloc(cp->count + 1, sizeof *names);
	if (!exact || !names) {
		ckpt_fail_nomem(err);
		goto done;
	}
	unbind(model);
	model->source = cp;
	for (size_t i = 0; i < cp->count; i++) names[i] = cp->tensors[i].name;
	ckpt_model_find_wrapper(model, names, cp->count);
	for (size_t i = 0; i < cp->count; i++)
		if (!place(model, &cp->tensors[i], exact, err)) goto done;
	if (!check_shapes(model, err)) goto done;
	tie(model);
	for (size_t i = 0; i < model->count; i++) {
		const ckpt_slot *slot = &model->slots[i];
		bool lacks = !slot->tensor && !slot->own && slot->tied == CKPT_NO_SLOT && !(slot->row->flags & CKPT_ROW_BUFFER);
		if (lacks && !add_misfit(model, CKPT_MISSING, i, NULL, err)) goto done;
	}
	if (model->misfit_count > 0)
		qsort(model->misfits, model->misfit_count, sizeof *model->misfits, by_kind_and_name);
	ok = true;
done:
	free(exact);
	free(names);
	return ok;
}

/* ---- the class ------------------------------------------------------------------------------------------------- */

/* No layer but the first: every number in the name is 0. Classes differ in heads and whole stacks, not in layers. */
static bool is_of_first_layer(const char *name)
{
	for (const char *at = name; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
		size_t digits = strspn(at, "0123456789");
		if (digits && (at[digits] == '.' || !at[digits]) && (digits > 1 || *at != '0') && at != name) return false;
	}
	return true;
}

/* How badly a class fits the tensors of the first layer and around it: how many it lacks or does not know. */
static bool misfits_of(const ckpt_config *config, const ckpt_arch_class *class, const char *const *names,
                       const ckpt_tensor *const *tensors, size_t count, size_t *out, ckpt_error *err)
{
	ckpt_config first = *config;
	bool exact;
	*out = 0;
	for (const ckpt_arch_row *row = config->arch->rows; row->name; row++)
		for (const char *open = strchr(row->name, '{'); open; open = strchr(open + 1, '{'))
			first.dims[CKPT_SYMBOL(open[1])] = 1;
	ckpt_model *model = ckpt_model_new(&first, class, err);
	if (!model) return false;
	ckpt_model_find_wrapper(model, names, count);
	for (size_t i = 0; i < count; i++) {
		size_t slot = ckpt_model_spell(model, names[i], &exact);
		if (slot == CKPT_NO_SLOT)
			*out += !ckpt_arch_ignores(model->arch, names[i]);
		else
			model->slots[slot].tensor = tensors[i];
	}
	for (size_t i = 0; i < model->count; i++) {
		const ckpt_slot *slot = &model->slots[i];
		bool may_lack = slot->tied != CKPT_NO_SLOT || slot->row->flags & CKPT_ROW_BUFFER;
		*out += slot->tensor ? !fits(slot, slot->tensor) : !may_lack;
	}
	ckpt_model_free(model);
	return true;
}

static const ckpt_arch_class *best_class(const ckpt_config *config, const ckpt_checkpoint *cp, ckpt_error *err)
{
	const ckpt_arch_class *best = config->arch->classes;
	size_t least = SIZE_MAX, misfits, count = 0;
	const char **names = calloc(cp->count + 1, sizeof *names);
	const ckpt_tensor **tensors = calloc(cp->count + 1, sizeof *tensors);
	if (!names || !tensors) {
		ckpt_fail_nomem(err);
		best = NULL;
	}
	for (size_t i = 0; best && i < cp->count; i++) {
		if (!is_of_first_layer(cp->tensors[i].name)) continue;
		names[count] = cp->tensors[i].name;
		tensors[count++] = &cp->tensors[i];
	}
	for (const ckpt_arch_class *c = config->arch->classes; best && c->name; c++) {
		if (!misfits_of(config, c, names, tensors, count, &misfits, err)) {
			best = NULL;
		} else if (misfits < least) {
			least = misfits;
			best = c;
		}
	}
	free(names);
	free(tensors);
	return best;
}

const ckpt_arch_class *ckpt_model_class_of(const ckpt_config *config, const ckpt_checkpoint *cp, bool *declared,
                                           ckpt_error *err)
{
	const ckpt_node *list = ckpt_config_get(config, "architectures");
	*declared = false;
	for (const ckpt_node *n = list && list->kind == CKPT_NODE_LIST ? list->child : NULL; n; n = n->next) {
		const ckpt_arch_class *class = ckpt_arch_class_find(config->arch, n->text);
		if (!class || strcmp(class->name, n->text) != 0) continue;
		*declared = true;
		return class;
	}
	return cp ? best_class(config, cp, err) : config->arch->classes;
}
