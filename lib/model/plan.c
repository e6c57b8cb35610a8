/* plan.c -- where each tensor of a reshaped model comes from */
#include "../error.h"
#include "reshape.h"
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static bool asked_for(const ckpt_slot *slot, const ckpt_reshape_options *o)
{
	for (size_t i = 0; i < o->reinit_count; i++)
		if (!fnmatch(o->reinit[i], slot->name, 0) || !fnmatch(o->reinit[i], slot->local, 0)) return true;
	return o->random;
}

/* The index of the stack that the row is numbered by, or -1. */
static int stack_of(const ckpt_arch *arch, const ckpt_arch_row *row)
{
	const char *open = strchr(row->name, '{');
	if (!open || row->flags & CKPT_ROW_FIRST) return -1;
	for (int s = 0; s < 2; s++)
		if (arch->layers[s] && arch->layers[s] == open[1]) return s;
	return -1;
}

/* The old slot that a new one is made of; CKPT_NO_SLOT: there is none. */
static size_t find_old(const ckpt_reshape *r, const ckpt_slot *slot, bool *moved)
{
	char name[256];
	uint32_t index[2] = {slot->index[0], slot->index[1]};
	int stack = stack_of(r->model->arch, slot->row);
	*moved = false;
	if (stack >= 0) {
		uint32_t from = r->maps[stack].from[index[0]];
		if (from == CKPT_NEW_LAYER) return CKPT_NO_SLOT;
		*moved = from != index[0];
		index[0] = from;
	}
	if (!ckpt_row_name(slot->row, index, name, sizeof name)) return CKPT_NO_SLOT;
	return ckpt_model_find(r->old, name);
}

static bool same_shape(const ckpt_slot *slot, const ckpt_tensor *t)
{
	return slot->rank == t->rank && !memcmp(slot->shape, t->shape, slot->rank * sizeof *slot->shape);
}

int ckpt_reshape_axis(const ckpt_slot *slot, const ckpt_tensor *old)
{
	if (slot->rank != old->rank) return -1;
	for (const char *symbol = "VP"; *symbol; symbol++) {
		int axis = ckpt_arch_axis(slot->row->shape, *symbol);
		bool only = axis >= 0;
		for (int i = 0; only && i < (int)slot->rank; i++) {
			if (i != axis && slot->shape[i] != old->shape[i]) only = false;
			if (i < axis && slot->shape[i] != 1) only = false; /* rows would not lie one after the other */
		}
		if (only) return axis;
	}
	return -1;
}

static ckpt_origin from_tensor(const ckpt_slot *slot, const ckpt_tensor *t, size_t old, bool moved)
{
	ckpt_origin origin = {moved ? CKPT_MOVED : CKPT_KEPT, t, old};
	if (same_shape(slot, t)) return origin;
	int axis = ckpt_reshape_axis(slot, t);
	origin.fate = axis < 0 ? CKPT_REDRAWN : slot->shape[axis] < t->shape[axis] ? CKPT_CUT : CKPT_GROWN;
	return origin;
}

/* A tied slot shares its source's fate, unless the file has values of its own for it and the old model was tied just so:
 * then these are carried on. */
static bool shares(const ckpt_reshape *r, const ckpt_slot *slot, size_t old)
{
	if (slot->tied == CKPT_NO_SLOT) return false;
	if (old == CKPT_NO_SLOT) return true;
	const ckpt_slot *before = &r->old->slots[old];
	return !(before->own && before->tensor && before->tied != CKPT_NO_SLOT);
}

static bool plan_slot(ckpt_reshape *r, size_t i, const ckpt_reshape_options *o, ckpt_error *err)
{
	const ckpt_slot *slot = &r->model->slots[i];
	bool moved;
	size_t old = find_old(r, slot, &moved);
	const ckpt_slot *before = old == CKPT_NO_SLOT ? NULL : &r->old->slots[old];
	ckpt_origin *origin = &r->origins[i];
	if (shares(r, slot, old)) {
		*origin = (ckpt_origin){CKPT_TIED, NULL, old};
	} else if (asked_for(slot, o)) {
		*origin = (ckpt_origin){before && before->tensor ? CKPT_REDRAWN : CKPT_NEW, before ? before->tensor : NULL, old};
	} else if (before && before->tensor) {
		*origin = from_tensor(slot, before->tensor, old, moved);
	} else if (before && !(slot->row->flags & CKPT_ROW_BUFFER)) {
		return ckpt_fail(err, CKPT_E_FORMAT, "%s is missing in the checkpoint, or of a wrong shape; --reinit '%s' draws it anew",
		                 before->name, slot->name);
	} else {
		*origin = (ckpt_origin){CKPT_NEW, NULL, old};
	}
	if (origin->tensor) r->used[origin->tensor - r->old->source->tensors] = true;
	return true;
}

/* A tied slot that was found under its own name counts as used: its values live on in what it is tied to. */
static void mark_shared(ckpt_reshape *r)
{
	const ckpt_checkpoint *cp = r->old->source;
	for (size_t i = 0; i < cp->count; i++)
		if (cp->tensors[i].alias_of != SIZE_MAX && r->used[cp->tensors[i].alias_of]) r->used[i] = true;
}

static bool check_patterns(const ckpt_reshape *r, const ckpt_reshape_options *o, ckpt_error *err)
{
	for (size_t k = 0; k < o->reinit_count; k++) {
		bool any = false;
		for (size_t i = 0; !any && i < r->model->count; i++) {
			const ckpt_slot *slot = &r->model->slots[i];
			bool named = !fnmatch(o->reinit[k], slot->name, 0) || !fnmatch(o->reinit[k], slot->local, 0);
			any = named && slot->tied == CKPT_NO_SLOT;
		}
		if (!any)
			return ckpt_fail(err, CKPT_E_USAGE, "--reinit %s: no tensor of its own in the model has such a name", o->reinit[k]);
	}
	return true;
}

bool ckpt_reshape_plan(ckpt_reshape *r, const ckpt_reshape_options *o, ckpt_error *err)
{
	r->origins = calloc(r->model->count + 1, sizeof *r->origins);
	r->used = calloc(r->old->source->count + 1, sizeof *r->used);
	if (!r->origins || !r->used) return ckpt_fail_nomem(err);
	if (!check_patterns(r, o, err)) return false;
	for (size_t i = 0; i < r->model->count; i++)
		if (!plan_slot(r, i, o, err)) return false;
	mark_shared(r);
	r->dtype = CKPT_F32;
	for (size_t i = r->old->count; i-- > 0;)
		if (r->old->slots[i].tensor) r->dtype = r->old->slots[i].tensor->dtype;
	return true;
}
