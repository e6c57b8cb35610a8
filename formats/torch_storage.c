/* torch_storage.c -- persistent ids of torch pickles, and the storages that they name */
#include "../lib/checked.h"
#include "../lib/dtype.h"
#include "../lib/error.h"
#include "torch_inner.h"

#include <stdlib.h>
#include <string.h>

ckpt_torch *ckpt_torch_new(ckpt_checkpoint *cp, ckpt_torch_ids ids, ckpt_error *err)
{
	ckpt_torch *t = calloc(1, sizeof *t);
	if (!t) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	t->cp = cp;
	t->ids = ids;
	t->missing_storage = SIZE_MAX;
	if (ckpt_text_index_init(&t->keys, 64, false, err)) return t;
	free(t);
	return NULL;
}

void ckpt_torch_free(ckpt_torch *t)
{
	if (!t) return;
	ckpt_text_index_free(&t->keys);
	free(t->storages);
	free(t->nodes);
	free(t);
}

size_t ckpt_torch_storage_count(const ckpt_torch *t)
{
	return t->count;
}

const ckpt_torch_storage *ckpt_torch_storage_at(const ckpt_torch *t, size_t i)
{
	return &t->storages[i];
}

size_t ckpt_torch_storage_find(const ckpt_torch *t, const char *key, size_t length)
{
	uint32_t i = ckpt_text_index_find(&t->keys, key, length);
	return i == UINT32_MAX ? SIZE_MAX : i;
}

static bool grow(void *array, size_t item, size_t count, size_t *capacity, ckpt_error *err)
{
	if (count < *capacity) return true;
	size_t more = *capacity ? *capacity * 2 : 64;
	void *grown = reallocarray(*(void **)array, more, item);
	if (!grown) return ckpt_fail_nomem(err);
	*(void **)array = grown;
	*capacity = more;
	return true;
}

/* Names are compared once for each global of the stream, not once for each tensor. */
ckpt_dtype ckpt_torch_dtype_of(ckpt_torch *t, const ckpt_value *global, ckpt_pickle_role role, bool *untyped)
{
	if (!global || global->kind != CKPT_VALUE_GLOBAL || global->object_kind != role) return CKPT_DTYPE_NONE;
	struct torch_class *c = &t->classes[((uintptr_t)global >> 4) & (TORCH_CLASSES - 1)];
	if (c->global != global) {
		const char *name = ckpt_value_global_name(global);
		c->global = global;
		ckpt_pickle_name_role(ckpt_value_global_module(global, NULL), name, &c->dtype);
		c->untyped = strcmp(name, "UntypedStorage") == 0;
		if (strcmp(name, "TypedStorage") == 0) c->dtype = CKPT_DTYPE_NONE; /* is no class of its own */
	}
	if (untyped) *untyped = c->untyped;
	return c->dtype;
}

/* ---- persistent ids ---- */

static bool bad_id(ckpt_error *err, const char *what, const ckpt_value *found)
{
	if (found->kind == CKPT_VALUE_INT)
		return ckpt_fail(err, CKPT_E_FORMAT, "a persistent id of a storage is wrong: its %s is the int %lld",
		                 what, (long long)found->u.integer);
	return ckpt_fail(err, CKPT_E_FORMAT, "a persistent id of a storage is wrong: its %s is of the type %s", what,
	                 ckpt_pickle_kind_text(found));
}

/* Text that may have come as bytes. */
static bool is_text(const ckpt_value *v)
{
	return v->kind == CKPT_VALUE_STRING || v->kind == CKPT_VALUE_BYTES;
}

static bool text_is(const ckpt_value *v, const char *text)
{
	return is_text(v) && strcmp(v->u.text.bytes, text) == 0;
}

static bool get_count(const ckpt_value *v, const char *what, uint64_t *out, ckpt_error *err)
{
	if (v->kind == CKPT_VALUE_BIGINT)
		return ckpt_fail(err, CKPT_E_FORMAT, "the %s of a storage, %.60s, is out of range", what,
		                 v->u.text.bytes);
	if (v->kind != CKPT_VALUE_INT)
		return ckpt_fail(err, CKPT_E_FORMAT, "the %s of a storage is no integer, its type is %s", what,
		                 ckpt_pickle_kind_text(v));
	if (v->u.integer < 0)
		return ckpt_fail(err, CKPT_E_FORMAT, "the %s of a storage is negative: %lld", what,
		                 (long long)v->u.integer);
	*out = (uint64_t)v->u.integer;
	return true;
}

/* The storage of that key; one that is there already must be the same. */
static bool add_storage(ckpt_torch *t, const ckpt_torch_storage *wanted, uint32_t *number, ckpt_error *err)
{
	if (!grow(&t->storages, sizeof *t->storages, t->count, &t->capacity, err)) return false;
	if (!ckpt_text_index_add(&t->keys, wanted->key, wanted->key_length, (uint32_t)t->count, number, err))
		return false;
	if (*number == t->count) {
		t->storages[t->count++] = *wanted;
		return true;
	}
	const ckpt_torch_storage *s = &t->storages[*number];
	if (s->dtype != wanted->dtype || s->untyped != wanted->untyped)
		return ckpt_fail(err, CKPT_E_FORMAT, "storage '%.80s' is used with two dtypes, %s and %s", s->key,
		                 ckpt_dtype_name(s->dtype), ckpt_dtype_name(wanted->dtype));
	if (s->numel != wanted->numel || s->is_view != wanted->is_view || s->base != wanted->base ||
	    s->view_at != wanted->view_at)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "storage '%.80s' is used with two sizes (numel %llu and %llu) or places", s->key,
		                 (unsigned long long)s->numel, (unsigned long long)wanted->numel);
	return true;
}

static ckpt_value *new_node(ckpt_torch *t, ckpt_value *id, uint32_t storage, ckpt_error *err)
{
	ckpt_value *v = ckpt_value_new(&t->cp->arena, CKPT_VALUE_STORAGE);
	if (!v) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	if (!grow(&t->nodes, sizeof *t->nodes, t->node_count, &t->node_capacity, err)) return NULL;
	v->u.persid.id = id;
	v->tensor = storage;
	t->nodes[t->node_count++] = v;
	return v;
}

/* (view key, offset, numel): elements of the base storage that have a key of their own. */
static bool add_view(ckpt_torch *t, const ckpt_value *view, uint32_t base, uint32_t *number, ckpt_error *err)
{
	if (view->kind != CKPT_VALUE_TUPLE || view->u.list.count != 3)
		return ckpt_fail(err, CKPT_E_FORMAT, "the view metadata of a storage are no tuple of 3, the type is %s",
		                 ckpt_pickle_kind_text(view));
	ckpt_value *const *items = view->u.list.items;
	if (!is_text(items[0])) return bad_id(err, "view key", items[0]);
	ckpt_torch_storage s = t->storages[base];
	uint64_t end;
	s.is_view = true;
	s.base = base;
	if (!get_count(items[1], "view offset", &s.view_at, err) || !get_count(items[2], "view numel", &s.numel, err))
		return false;
	if (!ckpt_add_u64(s.view_at, s.numel, &end) || end > t->storages[base].numel)
		return ckpt_fail(
			err, CKPT_E_FORMAT,
			"a view of %llu elements at offset %llu runs past storage '%.80s' of %llu elements",
			(unsigned long long)s.numel, (unsigned long long)s.view_at, t->storages[base].key,
			(unsigned long long)t->storages[base].numel);
	s.bytes = s.numel * (t->storages[base].numel ? t->storages[base].bytes / t->storages[base].numel : 1);
	/* a view key and a storage key may be the same number: keep them apart */
	char *key = ckpt_arena_alloc(&t->cp->arena, items[0]->u.text.length + 6);
	if (!key) return ckpt_fail_nomem(err);
	memcpy(key, "view ", 5);
	memcpy(key + 5, items[0]->u.text.bytes, items[0]->u.text.length);
	s.key = key;
	s.key_length = items[0]->u.text.length + 5;
	return add_storage(t, &s, number, err);
}

static bool fill_storage(ckpt_torch *t, const ckpt_value *class, ckpt_torch_storage *s, ckpt_error *err)
{
	s->dtype = ckpt_torch_dtype_of(t, class, CKPT_ROLE_STORAGE, &s->untyped);
	if (s->dtype == CKPT_DTYPE_NONE) {
		if (class->kind != CKPT_VALUE_GLOBAL) return bad_id(err, "class", class);
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "a persistent id of a storage is wrong: %.100s is no storage class",
		                 class->u.text.bytes);
	}
	if (!ckpt_mul_u64(s->numel, ckpt_dtype_get(s->dtype)->torch_bytes, &s->bytes) || s->bytes > INT64_MAX)
		return ckpt_fail(err, CKPT_E_FORMAT, "storage '%.80s': numel %llu of %s overflows the size of any file",
		                 s->key, (unsigned long long)s->numel, ckpt_dtype_name(s->dtype));
	return true;
}

static ckpt_value *storage_id(ckpt_torch *t, ckpt_value *id, ckpt_error *err)
{
	ckpt_value *const *items = id->u.list.items;
	size_t count = id->u.list.count;
	bool legacy = t->ids == CKPT_TORCH_LEGACY;
	ckpt_torch_storage s = {0};
	uint32_t number;
	if (count != (legacy ? 6 : 5)) {
		ckpt_fail(err, CKPT_E_FORMAT, "a persistent id of a storage has %zu items instead of %d", count,
		          legacy ? 6 : 5);
		return NULL;
	}
	if (!is_text(items[2])) {
		bad_id(err, "key (a string)", items[2]);
		return NULL;
	}
	if (!is_text(items[3])) {
		bad_id(err, "location (a string)", items[3]);
		return NULL;
	}
	s.key = items[2]->u.text.bytes;
	s.key_length = items[2]->u.text.length;
	if (!get_count(items[4], "numel", &s.numel, err) || !fill_storage(t, items[1], &s, err)) return NULL;
	if (!add_storage(t, &s, &number, err)) return NULL;
	if (legacy && items[5]->kind != CKPT_VALUE_NONE && !add_view(t, items[5], number, &number, err)) return NULL;
	return new_node(t, id, number, err);
}

ckpt_value *ckpt_torch_persistent(void *torch, ckpt_value *id, bool text, ckpt_error *err)
{
	ckpt_torch *t = torch;
	if (text || id->kind != CKPT_VALUE_TUPLE || id->u.list.count == 0) {
		ckpt_fail(err, CKPT_E_FORMAT, "a persistent id is a tuple that names a storage, the type found is %s",
		          ckpt_pickle_kind_text(id));
		return NULL;
	}
	const ckpt_value *tag = id->u.list.items[0];
	if (text_is(tag, "storage")) return storage_id(t, id, err);
	if (t->ids == CKPT_TORCH_LEGACY && text_is(tag, "module") && id->u.list.count >= 2 &&
	    id->u.list.items[1]->kind == CKPT_VALUE_GLOBAL)
		return id->u.list.items[1]; /* torch wants it to compare source code, then takes the class */
	ckpt_fail(err, CKPT_E_FORMAT, "a persistent id names %.40s%.40s, only storages are known",
	          is_text(tag) ? "a " : "", is_text(tag) ? tag->u.text.bytes : ckpt_pickle_kind_text(tag));
	return NULL;
}

ckpt_value *ckpt_torch_storage_value(ckpt_torch *t, ckpt_value *class, const char *key, uint64_t numel, ckpt_error *err)
{
	ckpt_arena *a = &t->cp->arena;
	ckpt_torch_storage s = {.numel = numel, .key_length = strlen(key)};
	ckpt_value *id = ckpt_value_new(a, CKPT_VALUE_TUPLE);
	ckpt_value *items[5] = {ckpt_value_new_text(a, CKPT_VALUE_STRING, "storage", 7), class,
	                        ckpt_value_new_text(a, CKPT_VALUE_STRING, key, strlen(key)),
	                        ckpt_value_new_text(a, CKPT_VALUE_STRING, "cpu", 3),
	                        ckpt_value_new_int(a, (int64_t)numel)};
	for (int i = 0; i < 5; i++)
		if (!id || !items[i] || !ckpt_value_append(a, id, items[i])) {
			ckpt_fail_nomem(err);
			return NULL;
		}
	uint32_t number;
	s.key = items[2]->u.text.bytes;
	if (!fill_storage(t, class, &s, err) || !add_storage(t, &s, &number, err)) return NULL;
	return new_node(t, id, number, err);
}

/* ---- bytes ---- */

bool ckpt_torch_set_source(ckpt_torch *t, size_t i, ckpt_source *source, bool big_endian, ckpt_error *err)
{
	ckpt_torch_storage *s = &t->storages[i];
	unsigned swap = ckpt_dtype_get(s->dtype)->swap;
	if (source->length != s->bytes) {
		ckpt_fail(err, CKPT_E_FORMAT, "storage '%.80s' of %llu elements of %s needs %llu bytes, there are %llu",
		          s->key, (unsigned long long)s->numel, ckpt_dtype_name(s->dtype), (unsigned long long)s->bytes,
		          (unsigned long long)source->length);
		ckpt_source_unref(source);
		return false;
	}
	if (big_endian && swap > 1) {
		ckpt_source *swapped = ckpt_source_swap(source, swap, err);
		ckpt_source_unref(source);
		if (!swapped) return false;
		source = swapped;
	}
	s->storage = ckpt_checkpoint_add_storage(t->cp, source, s->dtype, s->untyped, err);
	return s->storage != NULL;
}

void ckpt_torch_set_missing(ckpt_torch *t, size_t i, const ckpt_error *why)
{
	if (t->missing_storage != SIZE_MAX) return;
	t->missing_storage = i;
	t->missing = *why;
}
