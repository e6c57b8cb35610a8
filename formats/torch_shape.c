/* torch_shape.c -- which values of a torch pickle hold others, and as what */
#include "torch_inner.h"

#include <string.h>

static bool is_object(const ckpt_value *v)
{
	return v->kind == CKPT_VALUE_OBJECT;
}

static bool pairs_of_dict(const ckpt_value *v)
{
	return v && (v->kind == CKPT_VALUE_DICT ||
	             (is_object(v) && (v->dict_items || ckpt_pickle_role_of(v) == CKPT_ROLE_ORDERED_DICT)));
}

torch_shape ckpt_torch_shape(const ckpt_value *v)
{
	switch (v->kind) {
	case CKPT_VALUE_DICT:
		return TORCH_DICT;
	case CKPT_VALUE_LIST:
	case CKPT_VALUE_TUPLE:
		return TORCH_LIST;
	case CKPT_VALUE_SET:
	case CKPT_VALUE_FROZENSET:
		return TORCH_SET;
	case CKPT_VALUE_OBJECT:
		break;
	default:
		return TORCH_LEAF;
	}
	const ckpt_object *o = v->u.object.parts;
	ckpt_pickle_role role = ckpt_pickle_role_of(v);
	if (role == CKPT_ROLE_JIT_LIST && o->arguments->kind == CKPT_VALUE_TUPLE && o->arguments->u.list.count)
		return TORCH_INSIDE;
	if (role == CKPT_ROLE_ORDERED_DICT || role == CKPT_ROLE_DICT) return TORCH_DICT;
	if (pairs_of_dict(o->state)) {
		if (role == CKPT_ROLE_JIT_CLASS) return TORCH_SCRIPT;
		if (ckpt_torch_entry(o->state, "_parameters") && ckpt_torch_entry(o->state, "_modules"))
			return TORCH_MODULE;
	}
	if (v->dict_items) return TORCH_DICT;
	return o->count ? TORCH_LIST : TORCH_OPAQUE;
}

void ckpt_torch_pairs(const ckpt_value *v, ckpt_value *const **pairs, size_t *count)
{
	bool object = is_object(v);
	*pairs = object ? v->u.object.parts->items : v->u.list.items;
	*count = object ? v->u.object.parts->count / 2 : v->u.list.count / 2;
}

void ckpt_torch_items(const ckpt_value *v, ckpt_value *const **items, size_t *count)
{
	bool object = is_object(v);
	*items = object ? v->u.object.parts->items : v->u.list.items;
	*count = object ? v->u.object.parts->count : v->u.list.count;
}

ckpt_value *ckpt_torch_entry(const ckpt_value *v, const char *key)
{
	ckpt_value *const *pairs;
	size_t count;
	if (!pairs_of_dict(v)) return NULL;
	ckpt_torch_pairs(v, &pairs, &count);
	for (size_t i = count; i-- > 0;)
		if (pairs[2 * i]->kind == CKPT_VALUE_STRING && strcmp(pairs[2 * i]->u.text.bytes, key) == 0)
			return pairs[2 * i + 1];
	return NULL;
}
