/* checkpoint.c -- an ordered set of named, lazy tensors */
#include "checkpoint.h"
#include "cast.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "limits.h"
#include "names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more item of `size` bytes in a growing list. */
static bool grow(void *list, size_t size, size_t count, size_t *capacity, ckpt_error *err)
{
	void **items = list;
	if (count < *capacity) return true;
	size_t more = *capacity ? *capacity * 2 : 16;
	void *grown = reallocarray(*items, more, size);
	if (!grown) return ckpt_fail_nomem(err);
	*items = grown;
	*capacity = more;
	return true;
}

ckpt_checkpoint *ckpt_checkpoint_new(ckpt_error *err)
{
	ckpt_checkpoint *cp = calloc(1, sizeof *cp);
	if (cp) cp->index = ckpt_names_new();
	if (!cp || !cp->index) {
		free(cp);
		ckpt_fail_nomem(err);
		return NULL;
	}
	cp->limits = ckpt_limits_resolve(NULL);
	return cp;
}

void ckpt_checkpoint_free(ckpt_checkpoint *cp)
{
	if (!cp) return;
	for (size_t i = 0; i < cp->count; i++) ckpt_source_unref(cp->tensors[i].source);
	for (size_t i = 0; i < cp->storage_count; i++) ckpt_source_unref(cp->storages[i]->source);
	for (size_t i = 0; i < cp->source_count; i++) ckpt_source_unref(cp->sources[i]);
	for (size_t i = 0; i < cp->file_count; i++) ckpt_file_unref(cp->files[i]);
	for (size_t i = 0; i < cp->merged_count; i++) ckpt_checkpoint_free(cp->merged[i]); /* nested at most twice */
	ckpt_names_free(cp->index);
	ckpt_names_free(cp->metadata_index);
	free(cp->tensors);
	free(cp->metadata);
	free(cp->notes);
	free(cp->roots);
	free(cp->storages);
	free(cp->sources);
	free(cp->files);
	free(cp->merged);
	free(cp->detail);
	free(cp->config_folder);
	ckpt_arena_free(&cp->arena);
	free(cp);
}

/* ---- facts ---- */

const char *ckpt_checkpoint_format(const ckpt_checkpoint *cp) { return cp->format; }
const char *ckpt_checkpoint_detail(const ckpt_checkpoint *cp) { return cp->detail ? cp->detail : ""; }
size_t ckpt_checkpoint_note_count(const ckpt_checkpoint *cp) { return cp->note_count; }
const char *ckpt_checkpoint_note_at(const ckpt_checkpoint *cp, size_t i) { return i < cp->note_count ? cp->notes[i] : NULL; }
size_t ckpt_checkpoint_metadata_count(const ckpt_checkpoint *cp) { return cp->metadata_count; }
const ckpt_value *ckpt_checkpoint_value(const ckpt_checkpoint *cp) { return cp->value; }
size_t ckpt_checkpoint_root_count(const ckpt_checkpoint *cp) { return cp->root_count; }
const char *ckpt_checkpoint_root_at(const ckpt_checkpoint *cp, size_t i) { return i < cp->root_count ? cp->roots[i] : NULL; }
size_t ckpt_checkpoint_tensor_count(const ckpt_checkpoint *cp) { return cp->count; }

const char *ckpt_checkpoint_metadata_key(const ckpt_checkpoint *cp, size_t i)
{
	return i < cp->metadata_count ? cp->metadata[2 * i] : NULL;
}

const char *ckpt_checkpoint_metadata_value(const ckpt_checkpoint *cp, size_t i)
{
	return i < cp->metadata_count ? cp->metadata[2 * i + 1] : NULL;
}

const ckpt_tensor *ckpt_checkpoint_tensor_at(const ckpt_checkpoint *cp, size_t i)
{
	return i < cp->count ? &cp->tensors[i] : NULL;
}

size_t ckpt_checkpoint_index_of(const ckpt_checkpoint *cp, const char *name) { return ckpt_names_find(cp->index, name); }

const ckpt_tensor *ckpt_checkpoint_tensor_find(const ckpt_checkpoint *cp, const char *name)
{
	size_t i = ckpt_names_find(cp->index, name);
	return i == SIZE_MAX ? NULL : &cp->tensors[i];
}

const char *ckpt_tensor_name(const ckpt_tensor *t) { return t->name; }
ckpt_dtype ckpt_tensor_dtype(const ckpt_tensor *t) { return t->dtype; }
size_t ckpt_tensor_rank(const ckpt_tensor *t) { return t->rank; }
const uint64_t *ckpt_tensor_shape(const ckpt_tensor *t) { return t->shape; }
uint64_t ckpt_tensor_elements(const ckpt_tensor *t) { return t->elements; }
uint64_t ckpt_tensor_bytes(const ckpt_tensor *t) { return t->bytes; }

const char *ckpt_tensor_alias_of(const ckpt_tensor *t)
{
	return t->alias_of == SIZE_MAX ? NULL : t->owner->tensors[t->alias_of].name;
}

bool ckpt_tensor_read(const ckpt_tensor *t, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	if (ckpt_source_read(t->source, offset, length, destination, err)) return true;
	return ckpt_error_prefix(err, "tensor '%s'", t->name);
}

/* ---- building ---- */

/* Looks the key up; *at is SIZE_MAX when it is not there. */
static bool metadata_find(ckpt_checkpoint *cp, const char *key, size_t *at, ckpt_error *err)
{
	if (!cp->metadata_index) {
		ckpt_name_index *index = ckpt_names_new();
		bool ok = index != NULL;
		for (size_t i = 0; ok && i < cp->metadata_count; i++) ok = ckpt_names_add(index, cp->metadata[2 * i], i);
		if (!ok) {
			ckpt_names_free(index);
			return ckpt_fail_nomem(err);
		}
		cp->metadata_index = index;
	}
	*at = ckpt_names_find(cp->metadata_index, key);
	return true;
}

bool ckpt_checkpoint_metadata_set(ckpt_checkpoint *cp, const char *key, const char *value, ckpt_error *err)
{
	size_t at;
	if (!metadata_find(cp, key, &at, err)) return false;
	char *v = ckpt_arena_copy(&cp->arena, value, strlen(value));
	if (!v) return ckpt_fail_nomem(err);
	if (at != SIZE_MAX) {
		cp->metadata[2 * at + 1] = v;
		return true;
	}
	char *k = ckpt_arena_copy(&cp->arena, key, strlen(key));
	if (!k) return ckpt_fail_nomem(err);
	if (!grow(&cp->metadata, 2 * sizeof(char *), cp->metadata_count, &cp->metadata_capacity, err)) return false;
	if (!ckpt_names_add(cp->metadata_index, k, cp->metadata_count)) return ckpt_fail_nomem(err);
	cp->metadata[2 * cp->metadata_count] = k;
	cp->metadata[2 * cp->metadata_count++ + 1] = v;
	return true;
}

static bool add_text(ckpt_checkpoint *cp, char ***list, size_t *count, size_t *capacity, const char *text,
		     ckpt_error *err)
{
	char *copy = ckpt_arena_copy(&cp->arena, text, strlen(text));
	if (!copy) return ckpt_fail_nomem(err);
	if (!grow(list, sizeof(char *), *count, capacity, err)) return false;
	(*list)[(*count)++] = copy;
	return true;
}

bool ckpt_checkpoint_note(ckpt_checkpoint *cp, ckpt_error *err, const char *format, ...)
{
	char raw[CKPT_ERROR_TEXT], text[CKPT_ERROR_TEXT];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(raw, sizeof raw, format, arguments);
	va_end(arguments);
	ckpt_escape(text, sizeof text, raw, strlen(raw));
	return add_text(cp, &cp->notes, &cp->note_count, &cp->note_capacity, text, err);
}

bool ckpt_checkpoint_add_root(ckpt_checkpoint *cp, const char *path, ckpt_error *err)
{
	return add_text(cp, &cp->roots, &cp->root_count, &cp->root_capacity, path, err);
}

bool ckpt_checkpoint_set_detail(ckpt_checkpoint *cp, ckpt_error *err, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	va_start(arguments, format);
	int n = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (n < 0) return ckpt_fail_nomem(err);
	free(cp->detail);
	cp->detail = text;
	return true;
}

ckpt_storage *ckpt_checkpoint_add_storage(ckpt_checkpoint *cp, ckpt_source *source, ckpt_dtype dtype, bool untyped,
					  ckpt_error *err)
{
	ckpt_storage *s = ckpt_arena_alloc(&cp->arena, sizeof *s);
	if (!s || !grow(&cp->storages, sizeof *cp->storages, cp->storage_count, &cp->storage_capacity, err)) {
		if (!s) ckpt_fail_nomem(err);
		ckpt_source_unref(source);
		return NULL;
	}
	s->source = source;
	s->dtype = dtype;
	s->untyped = untyped;
	s->bytes = source->length;
	s->number = (uint32_t)cp->storage_count;
	cp->storages[cp->storage_count++] = s;
	return s;
}

bool ckpt_checkpoint_add_file(ckpt_checkpoint *cp, ckpt_file *file, ckpt_error *err)
{
	if (!grow(&cp->files, sizeof *cp->files, cp->file_count, &cp->file_capacity, err)) return false;
	cp->files[cp->file_count++] = ckpt_file_ref(file);
	return true;
}

bool ckpt_checkpoint_unchanged(const ckpt_checkpoint *cp, ckpt_error *err)
{
	for (size_t i = 0; i < cp->file_count; i++)
		if (!ckpt_file_unchanged(cp->files[i], err)) return false;
	return true;
}

static bool check_new(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank, const uint64_t *shape,
		      const ckpt_source *source, uint64_t *elements, ckpt_error *err)
{
	uint64_t bytes;
	if (rank > CKPT_MAX_RANK)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "tensor '%s' has %zu dimensions, at most %d are supported", name, rank,
				 CKPT_MAX_RANK);
	if (!ckpt_dtype_bytes(dtype, rank, shape, elements, &bytes, err)) return ckpt_error_prefix(err, "tensor '%s'", name);
	if (bytes != source->length) {
		char text[160];
		return ckpt_fail(err, CKPT_E_FORMAT, "tensor '%s' of %s %s needs %llu bytes, there are %llu", name,
				 ckpt_dtype_name(dtype), ckpt_shape_text(rank, shape, text, sizeof text),
				 (unsigned long long)bytes, (unsigned long long)source->length);
	}
	if (cp->count >= cp->limits.tensors)
		return ckpt_fail_limit(err, "the number of tensors", (uint64_t)cp->count + 1, "tensors", cp->limits.tensors);
	if (ckpt_names_find(cp->index, name) != SIZE_MAX)
		return ckpt_fail(err, CKPT_E_FORMAT, "duplicate tensor name '%s'", name);
	return grow(&cp->tensors, sizeof *cp->tensors, cp->count, &cp->capacity, err);
}

bool ckpt_checkpoint_add(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank, const uint64_t *shape,
			 ckpt_source *source, ckpt_tensor **out, ckpt_error *err)
{
	uint64_t elements;
	bool ok = check_new(cp, name, dtype, rank, shape, source, &elements, err);
	char *copy = ok ? ckpt_arena_copy(&cp->arena, name, strlen(name)) : NULL;
	uint64_t *sizes = copy ? ckpt_arena_alloc(&cp->arena, rank * sizeof *sizes) : NULL;
	if (ok && (!sizes || !ckpt_names_add(cp->index, copy, cp->count))) ok = ckpt_fail_nomem(err);
	if (!ok) {
		ckpt_source_unref(source);
		return false;
	}
	if (rank) memcpy(sizes, shape, rank * sizeof *sizes);
	ckpt_tensor *t = &cp->tensors[cp->count++];
	*t = (ckpt_tensor){.name = copy, .dtype = dtype, .rank = (uint32_t)rank, .shape = sizes, .elements = elements};
	t->bytes = source->length;
	t->source = source;
	t->alias_of = SIZE_MAX;
	t->owner = cp;
	if (out) *out = t;
	return true;
}

bool ckpt_checkpoint_add_bytes(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank,
			       const uint64_t *shape, const void *data, size_t length, ckpt_error *err)
{
	if ((unsigned)dtype >= CKPT_DTYPE_COUNT) return ckpt_fail(err, CKPT_E_USAGE, "tensor '%s' has no dtype", name);
	ckpt_source *source = ckpt_source_heap(data, length, err);
	return source && ckpt_checkpoint_add(cp, name, dtype, rank, shape, source, NULL, err);
}

bool ckpt_checkpoint_add_fill(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank,
			      const uint64_t *shape, double value, ckpt_error *err)
{
	unsigned char pattern[16] = {0};
	uint64_t elements, bytes;
	if ((unsigned)dtype >= CKPT_DTYPE_COUNT) return ckpt_fail(err, CKPT_E_USAGE, "tensor '%s' has no dtype", name);
	const ckpt_dtype_info *info = ckpt_dtype_get(dtype);
	if (!ckpt_dtype_bytes(dtype, rank, shape, &elements, &bytes, err)) return ckpt_error_prefix(err, "tensor '%s'", name);
	if (ckpt_cast_supported(CKPT_F64, dtype))
		ckpt_cast(CKPT_F64, dtype, &value, pattern, 1);
	else if (info->kind == CKPT_CLASS_COMPLEX && dtype != CKPT_C32)
		ckpt_cast(CKPT_F64, dtype == CKPT_C64 ? CKPT_F32 : CKPT_F64, &value, pattern, 1);
	else if (value != 0) /* all-zero bytes are zero in every type but E8M0, which the cast above does not write either */
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "tensor '%s': cannot fill %s with %g", name, info->name, value);
	size_t period = info->bits < 8 ? 1 : info->bits / 8;
	ckpt_source *source = ckpt_source_fill(pattern, period, bytes, err);
	return source && ckpt_checkpoint_add(cp, name, dtype, rank, shape, source, NULL, err);
}

/* ---- aliases ---- */

static bool same_place(const ckpt_tensor *a, const ckpt_tensor *b)
{
	if (a->dtype != b->dtype || a->rank != b->rank || a->bytes == 0) return false;
	if (a->rank && memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) != 0) return false;
	if (a->source == b->source) return true;
	if (!a->storage || a->storage != b->storage || a->storage_offset != b->storage_offset) return false;
	for (uint32_t d = 0; d < a->rank; d++)
		if (a->shape[d] > 1 && a->stride[d] != b->stride[d]) return false;
	return true;
}

/* Sort key of a tensor's place; equal places have equal keys. */
static int compare_place(const void *x, const void *y)
{
	const ckpt_tensor *a = *(const ckpt_tensor *const *)x, *b = *(const ckpt_tensor *const *)y;
	uintptr_t p = a->storage ? (uintptr_t)a->storage : (uintptr_t)a->source;
	uintptr_t q = b->storage ? (uintptr_t)b->storage : (uintptr_t)b->source;
	if (p != q) return p < q ? -1 : 1;
	if (a->storage_offset != b->storage_offset) return a->storage_offset < b->storage_offset ? -1 : 1;
	return a < b ? -1 : a > b;
}

bool ckpt_checkpoint_find_aliases(ckpt_checkpoint *cp, ckpt_error *err)
{
	if (cp->count == 0) return true;
	ckpt_tensor **order = calloc(cp->count, sizeof *order);
	if (!order) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < cp->count; i++) {
		order[i] = &cp->tensors[i];
		cp->tensors[i].alias_of = SIZE_MAX;
	}
	qsort(order, cp->count, sizeof *order, compare_place);
	for (size_t i = 1; i < cp->count; i++) {
		/* tensors of one place stand together, the first in file order first; different shapes may lie between */
		for (size_t k = i; k-- > 0 && i - k <= 64;) {
			const ckpt_tensor *a = order[k], *b = order[i];
			bool near = a->storage ? a->storage == b->storage : a->source == b->source;
			if (!near || a->storage_offset != b->storage_offset) break;
			if (!same_place(a, b)) continue;
			size_t index = (size_t)(a - cp->tensors);
			order[i]->alias_of = a->alias_of == SIZE_MAX ? index : a->alias_of;
			break;
		}
	}
	free(order);
	return true;
}

/* ---- whole checkpoints ---- */

bool ckpt_checkpoint_filter(ckpt_checkpoint *cp, const bool *keep, ckpt_error *err)
{
	ckpt_name_index *index = ckpt_names_new();
	size_t *moved = calloc(cp->count + 1, sizeof *moved); /* old index to new one */
	bool ok = index && moved;
	size_t kept = 0;
	for (size_t i = 0; ok && i < cp->count; i++) {
		moved[i] = SIZE_MAX;
		if (!keep[i]) continue;
		ok = ckpt_names_add(index, cp->tensors[i].name, kept);
		moved[i] = kept++;
	}
	if (!ok) {
		ckpt_names_free(index);
		free(moved);
		return ckpt_fail_nomem(err);
	}
	if (kept != cp->count) cp->value_is_whole = false;
	size_t old = cp->count;
	/* the heir of a removed tensor: the first kept one of its aliases */
	for (size_t i = 0; i < old; i++) {
		size_t target = cp->tensors[i].alias_of;
		if (!keep[i] || target == SIZE_MAX || keep[target]) continue;
		if (moved[target] == SIZE_MAX) moved[target] = moved[i];
	}
	for (size_t i = 0; i < old; i++) {
		ckpt_tensor t = cp->tensors[i];
		if (!keep[i]) {
			if (t.value && t.value->tensor == i) t.value->tensor = CKPT_NO_TENSOR;
			ckpt_source_unref(t.source);
			continue;
		}
		size_t self = moved[i];
		t.alias_of = t.alias_of == SIZE_MAX || moved[t.alias_of] == self ? SIZE_MAX : moved[t.alias_of];
		if (t.value && t.value->tensor == i) t.value->tensor = (uint32_t)self;
		cp->tensors[self] = t;
	}
	cp->count = kept;
	ckpt_names_free(cp->index);
	cp->index = index;
	free(moved);
	return true;
}

/* A copy of one tensor of another checkpoint, sharing its source. */
static bool copy_tensor(ckpt_checkpoint *cp, const ckpt_tensor *from, ckpt_error *err)
{
	ckpt_tensor *t;
	if (!ckpt_checkpoint_add(cp, from->name, from->dtype, from->rank, from->shape, ckpt_source_ref(from->source), &t, err))
		return false;
	t->storage = from->storage;
	t->storage_offset = from->storage_offset;
	t->stride = from->stride;
	t->value = from->value;
	return true;
}

ckpt_checkpoint *ckpt_checkpoint_subset(const ckpt_checkpoint *cp, const size_t *indices, size_t count, ckpt_error *err)
{
	ckpt_checkpoint *out = ckpt_checkpoint_new(err);
	if (!out) return NULL;
	out->limits = cp->limits;
	out->format = cp->format;
	bool ok = true;
	for (size_t i = 0; ok && i < count; i++) ok = copy_tensor(out, &cp->tensors[indices[i]], err);
	for (size_t i = 0; ok && i < cp->metadata_count; i++)
		ok = ckpt_checkpoint_metadata_set(out, cp->metadata[2 * i], cp->metadata[2 * i + 1], err);
	if (ok) ok = ckpt_checkpoint_find_aliases(out, err);
	if (ok) return out;
	ckpt_checkpoint_free(out);
	return NULL;
}

bool ckpt_checkpoint_merge(ckpt_checkpoint *cp, ckpt_checkpoint *other, ckpt_error *err)
{
	bool ok = grow(&cp->merged, sizeof *cp->merged, cp->merged_count, &cp->merged_capacity, err);
	for (size_t i = 0; ok && i < other->count; i++) ok = copy_tensor(cp, &other->tensors[i], err);
	for (size_t i = 0; ok && i < other->file_count; i++) ok = ckpt_checkpoint_add_file(cp, other->files[i], err);
	for (size_t i = 0; ok && i < other->note_count; i++) ok = ckpt_checkpoint_note(cp, err, "%s", other->notes[i]);
	for (size_t i = 0; ok && i < other->metadata_count; i++) {
		size_t at;
		ok = metadata_find(cp, other->metadata[2 * i], &at, err);
		if (ok && at == SIZE_MAX)
			ok = ckpt_checkpoint_metadata_set(cp, other->metadata[2 * i], other->metadata[2 * i + 1], err);
	}
	size_t base = cp->count - other->count;
	for (size_t i = 0; ok && i < other->count; i++) {
		ckpt_tensor *t = &cp->tensors[base + i];
		t->value = NULL; /* values stay with the tree that they belong to */
		if (other->tensors[i].alias_of != SIZE_MAX) t->alias_of = base + other->tensors[i].alias_of;
	}
	if (!ok) {
		ckpt_checkpoint_free(other);
		return false;
	}
	cp->merged[cp->merged_count++] = other;
	return true;
}
