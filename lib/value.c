/* value.c -- nodes of the tree that a pickle holds */
#include "value.h"

#include <string.h>

ckpt_value *ckpt_value_new(ckpt_arena *a, ckpt_value_kind kind)
{
	ckpt_value *v = ckpt_arena_alloc(a, sizeof *v);
	if (!v) return NULL;
	v->kind = (uint8_t)kind;
	v->tensor = CKPT_NO_TENSOR;
	return v;
}

ckpt_value *ckpt_value_new_text(ckpt_arena *a, ckpt_value_kind kind, const char *bytes, size_t length)
{
	ckpt_value *v = ckpt_value_new(a, kind);
	if (!v) return NULL;
	v->u.text.bytes = ckpt_arena_copy(a, bytes, length);
	v->u.text.length = length;
	return v->u.text.bytes ? v : NULL;
}

ckpt_value *ckpt_value_new_int(ckpt_arena *a, int64_t integer)
{
	ckpt_value *v = ckpt_value_new(a, CKPT_VALUE_INT);
	if (v) v->u.integer = integer;
	return v;
}

/* A global keeps "module.name"; `mark` is scratch, so the module's length hides behind the terminator: the text is
 * followed by "module\0name", which keeps names with dots apart. */
ckpt_value *ckpt_value_new_global(ckpt_arena *a, const char *module, const char *name)
{
	size_t m = strlen(module), n = strlen(name);
	ckpt_value *v = ckpt_value_new(a, CKPT_VALUE_GLOBAL);
	char *text = ckpt_arena_alloc(a, 2 * (m + n + 2));
	if (!v || !text) return NULL;
	memcpy(text, module, m);
	text[m] = '.';
	memcpy(text + m + 1, name, n);
	memcpy(text + m + n + 2, module, m);
	memcpy(text + m + n + 2 + m + 1, name, n);
	v->u.text.bytes = text;
	v->u.text.length = m + n + 1;
	return v;
}

const char *ckpt_value_global_module(const ckpt_value *v, size_t *length)
{
	const char *module = v->u.text.bytes + v->u.text.length + 1;
	if (length) *length = strlen(module);
	return module;
}

const char *ckpt_value_global_name(const ckpt_value *v)
{
	const char *module = v->u.text.bytes + v->u.text.length + 1;
	return module + strlen(module) + 1;
}

bool ckpt_value_is_global(const ckpt_value *v, const char *module, const char *name)
{
	return v && v->kind == CKPT_VALUE_GLOBAL && strcmp(ckpt_value_global_module(v, NULL), module) == 0 &&
	       strcmp(ckpt_value_global_name(v), name) == 0;
}

ckpt_value *ckpt_value_new_object(ckpt_arena *a, ckpt_object_kind kind, ckpt_value *callable, ckpt_value *arguments)
{
	ckpt_value *v = ckpt_value_new(a, CKPT_VALUE_OBJECT);
	ckpt_object *parts = ckpt_arena_alloc(a, sizeof *parts);
	if (!v || !parts) return NULL;
	v->object_kind = (uint8_t)kind;
	parts->callable = callable;
	parts->arguments = arguments;
	v->u.object.parts = parts;
	return v;
}

static bool is_object(const ckpt_value *v) { return v->kind == CKPT_VALUE_OBJECT || v->kind == CKPT_VALUE_TENSOR; }

static bool is_container(const ckpt_value *v)
{
	return v->kind == CKPT_VALUE_LIST || v->kind == CKPT_VALUE_TUPLE || v->kind == CKPT_VALUE_SET ||
	       v->kind == CKPT_VALUE_FROZENSET || v->kind == CKPT_VALUE_DICT;
}

bool ckpt_value_append(ckpt_arena *a, ckpt_value *container, ckpt_value *item)
{
	ckpt_value ***items;
	uint32_t *count, *capacity;
	if (is_object(container)) {
		items = &container->u.object.parts->items;
		count = &container->u.object.parts->count;
		capacity = &container->u.object.parts->capacity;
	} else if (is_container(container)) {
		items = &container->u.list.items;
		count = &container->u.list.count;
		capacity = &container->u.list.capacity;
	} else {
		return false;
	}
	if (*count == *capacity) {
		uint32_t more = *capacity ? *capacity * 2 : 4;
		if (more <= *capacity) return false;
		ckpt_value **grown = ckpt_arena_alloc(a, (size_t)more * sizeof(ckpt_value *));
		if (!grown) return false;
		if (*count) memcpy(grown, *items, *count * sizeof(ckpt_value *));
		*items = grown;
		*capacity = more;
	}
	(*items)[(*count)++] = item;
	return true;
}

bool ckpt_value_pairs(const ckpt_value *v, ckpt_value *const **pairs, size_t *count)
{
	if (v->kind == CKPT_VALUE_DICT) {
		*pairs = v->u.list.items;
		*count = v->u.list.count / 2;
		return true;
	}
	if (v->kind != CKPT_VALUE_OBJECT) return false;
	const ckpt_object *o = v->u.object.parts;
	if (!ckpt_value_is_global(o->callable, "collections", "OrderedDict") &&
	    !ckpt_value_is_global(o->callable, "collections", "defaultdict") &&
	    !ckpt_value_is_global(o->callable, "collections", "Counter"))
		return false;
	if (o->count && !v->dict_items) return false;
	*pairs = o->items;
	*count = o->count / 2;
	return true;
}

/* ---- the public view ---- */

ckpt_value_kind ckpt_value_get_kind(const ckpt_value *v) { return (ckpt_value_kind)v->kind; }
bool ckpt_value_bool(const ckpt_value *v) { return v->kind == CKPT_VALUE_BOOL && v->u.boolean; }
int64_t ckpt_value_int(const ckpt_value *v) { return v->kind == CKPT_VALUE_INT ? v->u.integer : 0; }
double ckpt_value_float(const ckpt_value *v) { return v->kind == CKPT_VALUE_FLOAT ? v->u.real : 0; }

const char *ckpt_value_text(const ckpt_value *v, size_t *length)
{
	bool has = v->kind == CKPT_VALUE_STRING || v->kind == CKPT_VALUE_BYTES || v->kind == CKPT_VALUE_BYTEARRAY ||
		   v->kind == CKPT_VALUE_BIGINT || v->kind == CKPT_VALUE_GLOBAL;
	if (length) *length = has ? v->u.text.length : 0;
	return has ? v->u.text.bytes : "";
}

size_t ckpt_value_count(const ckpt_value *v)
{
	return is_object(v) ? v->u.object.parts->count : is_container(v) ? v->u.list.count : 0;
}

const ckpt_value *ckpt_value_item(const ckpt_value *v, size_t i)
{
	if (i >= ckpt_value_count(v)) return NULL;
	return is_object(v) ? v->u.object.parts->items[i] : v->u.list.items[i];
}

size_t ckpt_value_tensor(const ckpt_value *v)
{
	return v->kind == CKPT_VALUE_TENSOR && v->tensor != CKPT_NO_TENSOR ? v->tensor : SIZE_MAX;
}

void ckpt_value_object(const ckpt_value *v, const ckpt_value **callable, const ckpt_value **arguments,
		       const ckpt_value **state, bool *dict_items)
{
	static const ckpt_object none;
	const ckpt_object *parts = is_object(v) ? v->u.object.parts : &none;
	if (callable) *callable = parts->callable;
	if (arguments) *arguments = parts->arguments;
	if (state) *state = parts->state;
	if (dict_items) *dict_items = v->dict_items;
}
